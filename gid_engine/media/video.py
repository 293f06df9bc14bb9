"""Video files: written whole, bit-for-bit repeatable; read upright."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..errors import GidError
from .safe_write import safe_write

# CRF 16 (x264) and 20 (VP9) are visually lossless for photos.
_CODECS = {
    ".mp4": ("libx264", {"crf": "16", "preset": "medium"}),
    ".mov": ("libx264", {"crf": "16", "preset": "medium"}),
    ".mkv": ("libx264", {"crf": "16", "preset": "medium"}),
    ".webm": ("libvpx-vp9", {"crf": "20", "b": "0", "row-mt": "1", "cpu-used": "4"}),
}
VIDEO_SUFFIXES = frozenset(_CODECS)
_BT709, _LIMITED_RANGE = 1, 1  # the code points of ITU-T H.273 and FFmpeg's enums


class VideoWriter:
    """A context manager that takes frames and leaves a video: .mp4, .mov, .mkv (H.264) or .webm (VP9).

    4:2:0 in BT.709, tagged as such. An odd width or height is padded by repeating the last column or row, since
    4:2:0 has none. The file appears when the block ends without an error.
    """

    def __init__(self, path: str | os.PathLike, size: tuple[int, int], fps: float):
        self.path, self.size = Path(path), size
        suffix = self.path.suffix.lower()
        if suffix not in _CODECS:
            raise GidError(
                "video_format",
                f"{self.path} does not end in a video suffix that can be written.",
                f"Use {', '.join(sorted(_CODECS))}.",
            )
        self._fps = Fraction(fps).limit_denominator(1001)
        self._codec, self._options = _CODECS[suffix]
        self._files = contextlib.ExitStack()

    def __enter__(self) -> VideoWriter:
        with contextlib.ExitStack() as files:
            part = files.enter_context(safe_write(self.path))
            options = {"fflags": "+bitexact", "movflags": "+faststart"}
            self._container = files.enter_context(av.open(str(part), "w", options=options))
            self._stream = self._add_stream()
            self._files = files.pop_all()
        return self

    def write(self, rgb8: np.ndarray) -> None:
        """Append one frame: uint8 [H, W, 3], sRGB."""
        width, height = self.size
        if rgb8.shape != (height, width, 3) or rgb8.dtype != np.uint8:
            raise ValueError(f"a frame must be uint8 {[height, width, 3]}, it is {rgb8.dtype} {list(rgb8.shape)}")
        padded = np.pad(rgb8, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(padded, format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            with contextlib.ExitStack() as files:
                files.push(self._files)
                for packet in self._stream.encode(None):
                    self._container.mux(packet)
        else:
            self._files.__exit__(kind, error, trace)

    def _add_stream(self):
        try:
            stream = self._container.add_stream(self._codec, rate=self._fps, options=self._options)
        except ValueError as error:
            raise GidError(
                "video_codec",
                f"{self.path} cannot be written: this installation of FFmpeg has no {self._codec}.",
                "Render a sequence of pictures instead, or repair the engine's installation.",
            ) from error
        stream.width, stream.height = (side + side % 2 for side in self.size)
        stream.pix_fmt = "yuv420p"
        codec = stream.codec_context
        codec.thread_count = 4  # fixed: the encoder's bits depend on it
        codec.color_primaries = codec.color_trc = codec.colorspace = _BT709
        codec.color_range = _LIMITED_RANGE
        return stream


def read_frames(path: str | os.PathLike) -> Iterator[np.ndarray]:
    """The frames of a video as uint8 RGB [H, W, 3], rotated upright. Raises GidError where it is not a video."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise GidError("video_unreadable", f"{path} holds no pictures.", "Choose a video.")
            for frame in container.decode(video=0):
                rgb = frame.to_ndarray(format="rgb24")
                yield np.ascontiguousarray(np.rot90(rgb, getattr(frame, "rotation", 0) // 90))
    except av.FFmpegError as error:
        raise GidError(
            "video_unreadable",
            f"The video {path} could not be read: {error.strerror}.",
            "Check the path, or choose another video.",
        ) from error
