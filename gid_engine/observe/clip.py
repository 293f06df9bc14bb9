"""Clips: decoded as a stream at a small size, upright, in true time, with HDR brought to 8-bit sRGB."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np

from ..errors import GidError
from ..media.colour import srgb_from_linear

FPS = 30.0
WORKING_SIDE = 512  # the long side at which motion is measured
MIN_SECONDS, MIN_FRAMES = 1.0, 10
_MIN_SPACING = 0.75 / FPS  # frames closer than this are left out: 50 and 60 frames/s become 25 and 30
_MAX_GAP = 0.5  # a longer pause in the clip hides whole swings
_PQ, _HLG = 16, 18  # transfer characteristics of ITU-T H.273
_BT709, _BT601, _BT2020 = 1, 6, (9, 10)
_UNTAGGED = 2
_BT2020_TO_709 = np.float32([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])


@dataclass(frozen=True)
class Clip:
    """Part of a clip around a start frame.

    photo: uint8 [H, W, 3], the start frame at its full size. small: uint8 [h, w, 3], the same at the working size.
    frames: uint8 [N, h, w], luma; times: float64 [N], seconds from the start frame; start: its index.
    notes: sentences for the person.
    """

    path: Path
    photo: np.ndarray = field(repr=False)
    small: np.ndarray = field(repr=False)
    frames: np.ndarray = field(repr=False)
    times: np.ndarray = field(repr=False)
    start: int
    start_second: float
    notes: tuple[str, ...] = ()

    def second(self, index: int) -> float:
        """The time of a frame in the whole clip."""
        return self.start_second + float(self.times[index])


def read_clip(path: Path, start: int, seconds: float, run_up: float) -> Clip:
    """Decode `seconds` from frame `start` on, and `run_up` seconds before it or, where there are none, after it.

    Raises GidError for what is no clip, too short, or without anything to see.
    """
    path = Path(path)
    if not path.is_file():
        raise GidError("clip_missing", f"There is no clip {path}.", "Check the path.")
    before: deque = deque()
    kept: list[tuple[float, np.ndarray]] = []
    photo = small = None
    notes, count, start_at = [], 0, 0.0
    frames = _decoded(path, notes)
    for count, (time, frame) in enumerate(frames, 1):
        if before and time - before[-1][0] < _MIN_SPACING and count - 1 != start and photo is None:
            continue
        if kept and photo is not None and time - kept[-1][0] < _MIN_SPACING:
            continue
        rgb = _upright(_rgb(frame, _working_size(frame)), frame)
        if photo is None:
            before.append((time, cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)))
            while before[0][0] < time - run_up - 1e-3:
                before.popleft()
            if count - 1 == start:
                photo, small, start_at = _upright(_rgb(frame, _full_size(frame)), frame), rgb, time
                kept = list(before)
            continue
        kept.append((time, cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)))
        had = start_at - kept[0][0]
        if time - start_at >= seconds + max(run_up - had, 0) - 0.5 / FPS:
            break
    if photo is None:
        _refuse_length(path, count, start)
    times = np.array([t for t, _ in kept]) - start_at
    clip = Clip(
        path=path,
        photo=photo,
        small=small,
        frames=np.stack([f for _, f in kept]),
        times=times,
        start=len(before) - 1,
        start_second=start_at,
        notes=tuple(notes),
    )
    _check(clip)
    return clip


def _refuse_length(path: Path, count: int, start: int) -> None:
    if not count:
        raise GidError("clip_unreadable", f"No picture of {path} can be decoded.", "Choose another clip.")
    raise GidError(
        "clip_too_short", f"{path} has {count} frames, so none with the number {start}.", "Choose a smaller start."
    )


def _check(clip: Clip) -> None:
    length = clip.times[-1] - clip.times[0]
    if len(clip.frames) < MIN_FRAMES or length < MIN_SECONDS:
        whole = " after the start frame" if clip.start_second > 0 else ""
        said = "".join(f" {note}" for note in clip.notes)
        raise GidError(
            "clip_too_short",
            f"{clip.path} has only {len(clip.frames)} frames ({max(length, 0):.1f} s){whole}; motion needs "
            f"{MIN_SECONDS:g} s.{said}",
            "Choose a longer clip, or an earlier start.",
        )
    if clip.small.std() < 2:  # of 255: less than the noise of a usual clip
        raise GidError(
            "clip_blank",
            f"The start frame of {clip.path} shows nothing: it is black or of one colour.",
            "Choose another start frame.",
        )
    gap = int(np.argmax(np.diff(clip.times)))
    if clip.times[gap + 1] - clip.times[gap] > _MAX_GAP:
        raise GidError(
            "clip_gap",
            f"{clip.path} stands still or lacks frames from second {clip.second(gap):.1f} to "
            f"{clip.second(gap + 1):.1f}.",
            "Choose another part of it by the start and the number of seconds.",
        )


def _decoded(path: Path, notes: list[str]) -> Iterator[tuple[float, av.VideoFrame]]:
    """(seconds from the first frame, frame); ends early, with a note, where data is damaged."""
    first = last = None
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise GidError("clip_no_picture", f"{path} holds sound but no pictures.", "Choose a video.")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate or FPS)
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    break
                time = frame.time if frame.time is not None else 0.0 if last is None else last + 1 / rate
                if last is not None and time <= last:
                    continue  # a repeated or disordered stamp
                first = time if first is None else first
                last = time
                yield time - first, frame
            else:
                return
    except av.FFmpegError as error:
        if last is None:
            raise GidError(
                "clip_unreadable",
                f"The clip {path} can't be read: it is damaged or no video ({error.strerror}).",
                "Choose another clip.",
            ) from error
    if last is not None:
        notes.append(f"The clip is damaged after {last - first:.1f} s; what comes before was used.")


def _full_size(frame: av.VideoFrame) -> tuple[int, int]:
    """(width, height) with square pixels, not yet rotated."""
    return frame.width, frame.height


def _working_size(frame: av.VideoFrame) -> tuple[int, int]:
    width, height = _full_size(frame)
    scale = min(1.0, WORKING_SIDE / max(width, height))
    return max(16, round(width * scale)), max(16, round(height * scale))


def _rgb(frame: av.VideoFrame, size: tuple[int, int]) -> np.ndarray:
    """uint8 sRGB [h, w, 3] at the size (width, height)."""
    hdr = frame.color_trc in (_PQ, _HLG)
    # Untagged clips of HD size are BT.709 by convention, smaller ones BT.601.
    guess = _BT709 if frame.height >= 720 else _BT601
    rgb = frame.reformat(
        *size,
        format="rgb48le" if hdr else "rgb24",
        src_colorspace=guess if frame.colorspace == _UNTAGGED else None,
        interpolation="AREA",
    ).to_ndarray()
    return _tone_mapped(rgb, frame) if hdr else rgb


def _upright(rgb: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(rgb, getattr(frame, "rotation", 0) // 90))


def _tone_mapped(rgb48: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """PQ or HLG (ITU-R BT.2100) to 8-bit sRGB: diffuse white stays at 0.8 of the range, highlights roll off."""
    code = rgb48.astype(np.float32) / 65535
    if frame.color_trc == _PQ:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = np.power(code, 1 / m2)
        nits = 10000 * np.power(np.maximum(power - c1, 0) / (c2 - c3 * power), 1 / m1)
        light = nits / 203  # BT.2408: diffuse white lies at 203 cd/m²
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, np.square(code) / 3, (np.exp((code - c) / a) + b) / 12)
        light = np.power(scene, 1.2) / 0.203
    if frame.color_primaries in (_UNTAGGED, *_BT2020):
        light = np.maximum(light @ _BT2020_TO_709.T, 0)
    knee = 0.6
    over = np.maximum(light - knee, 0)
    light = np.minimum(light, knee) + (1 - knee) * over / (over + 1 - knee)
    return np.rint(255 * srgb_from_linear(light)).astype(np.uint8)
