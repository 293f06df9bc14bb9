"""The long jobs that the worker and the command line share: predict, render, export.

A sequence remembers in `bake.json` what each of its files was made from, so that a job that was cancelled or
killed goes on where it stopped, and one whose score changed makes only the frames that differ.
"""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np

from .bake import Progress, bake, checked_frames, tell
from .errors import GidError
from .media import (
    JPEG_QUALITY,
    DisplayTransform,
    FrameSequence,
    LinearMean,
    Photo,
    VideoWriter,
    as_srgb8,
    load_mask,
    load_photo,
    resize_photo,
    save_frame,
    save_image,
    write_displacement_exr,
    write_stmap,
)
from .motion import Modes, Performance, Score, load_motion, save_motion

FORMATS = ("png", "exr", "jpg", "tif")
# Raised where a file's content changes.
_DISPLACEMENT_VERSION, _STMAP_VERSION, _EXPOSURE_VERSION = "displacement 1", "stmap 1", "exposure 1"


def engine_facts() -> dict:
    """What is installed and where it would compute: the answer to `hello`. Imports torch."""
    facts = {"torch": None, "device": None, "renderer": None, "weights": False}
    try:
        torch = _torch()
    except GidError as error:
        return facts | {"problem": str(error)}
    facts["torch"] = torch.__version__
    facts["device"] = best_device()
    facts["renderer"] = _room("render").RENDERER_VERSION
    facts["weights"] = (Path(__file__).parent / "prior" / "weights" / "sha256.json").is_file()
    return facts


def best_device() -> str:
    torch = _torch()
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


# --- predict ----------------------------------------------------------------------------------------------------


def predict_modes(
    photo: Photo,
    seed: int = 0,
    mask: Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Modes:
    """The modes of a photo by the learned prior; mask: a picture that is white where things may move."""
    area = None if mask is None else load_mask(mask, photo.size)
    prior = _prior(device)
    modes = prior.predict(as_srgb8(photo), seed=seed, mask=area, progress=progress)
    return replace(modes, photo_size=photo.size, photo_sha256=photo.sha256)


def predict(photo: Path, out: Path, progress: Progress | None = None, **options) -> dict:
    """Photo file to motion file. Options as for predict_modes.

    Returns its path, sentences for the person and the seconds of each stage.
    """
    clock = _Clock()
    still = load_photo(photo)
    clock.stage("photo")
    _prior(options.get("device", "auto"))
    clock.stage("model")
    modes = predict_modes(still, progress=progress, **options)
    clock.stage("predict")
    save_motion(out, modes)
    clock.stage("write")
    return {"path": str(out), "notes": _room("prior").notes_on(modes), "seconds": clock.seconds}


@lru_cache(maxsize=1)
def _prior(device: str):
    return _room("prior").Prior.load(device=device)


# --- render -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Take:
    """A photo, its modes and a score: everything the frames follow from.

    step: how far the score goes on from frame to frame; 0.25 is slow motion. shutter: for how long each frame is
    exposed, in degrees (360: until the next), by so many samples; with 0 the rest frame is the photo itself.
    pyramid: frames by the paper's way, the pyramid network, instead of the fast one.
    """

    photo: Photo
    modes: Modes
    score: Score
    device: str = "auto"
    step: float = 1.0
    shutter: float = 0.0
    samples: int = 8
    pyramid: bool = False

    @classmethod
    def open(
        cls,
        photo: Path,
        motion: Path,
        score: Score,
        size: int | None = None,
        proxy: int = 1,
        **options,
    ) -> Take:
        """From files; size: long side in pixels to which a larger photo is reduced; proxy: 2 halves the frames,
        4 quarters them."""
        return cls(proxy_of(load_photo(photo), size, proxy), load_motion(motion), score, **options)

    @cached_property
    def renderer(self):
        room = _room("render.pyramid" if self.pyramid else "render")
        kind = room.PyramidRenderer if self.pyramid else room.Renderer
        return kind(
            self.photo.pixels,
            self.performance.modes,
            device=self.device,
            photo_sha256=self.photo.sha256,
            plain_modes=self.modes,
        )

    def q(self, frame: float) -> np.ndarray:
        """Modal coordinates at a frame, for `performance.modes`: complex [K]."""
        return self.performance.modal_coordinates(frame * self.step)

    def render(self, frame: int) -> np.ndarray:
        """The frame: the photo's shape and dtype."""
        times = self._exposed(frame)
        if len(times) == 1:
            return self.renderer.render(self.q(frame))
        mean = LinearMean(self.photo.pixels)
        for moment in times:
            mean.add(self.renderer.render(self.q(moment)))
        return mean.pixels()

    def key(self, frame: int) -> str:
        """What the frame's pixels follow from."""
        keys = [self.renderer.frame_key(self.q(moment)) for moment in self._exposed(frame)]
        return keys[0] if len(keys) == 1 else _digest(_EXPOSURE_VERSION, *keys)

    def _exposed(self, frame: int) -> list[float]:
        """The times of the samples, spread evenly around the frame."""
        if not self.shutter or self.samples == 1:
            return [frame]
        return [frame + self.shutter / 360 * ((i + 0.5) / self.samples - 0.5) for i in range(self.samples)]

    @cached_property
    def performance(self) -> Performance:
        height, width = self.modes.grid
        masks = [load_mask(region.mask, (width, height)) for region in self.score.regions]
        return Performance(self.score, self.modes, masks)


def render_sequence(
    take: Take,
    frames: Iterable[int],
    folder: Path,
    name: str,
    file_format: str | None = None,
    progress: Progress | None = None,
    quality: int = JPEG_QUALITY,
) -> dict:
    """Render frames to FOLDER/NAME_0001.png …, those alone that are not there yet.

    file_format: one of FORMATS; by default what keeps the photo as it is. quality: of JPEG, 1…100. Returns
    what bake does.
    """
    sequence = FrameSequence(folder, name, f".{file_format or default_format(take.photo)}")

    def key(frame: int) -> str:
        return _digest(take.key(frame), quality) if sequence.suffix == ".jpg" else take.key(frame)

    def write(frame: int, path: Path) -> None:
        save_frame(path, take.render(frame), take.photo, quality)

    return bake(sequence, frames, key, write, progress, lambda: take.renderer.remark)


def render_video(take: Take, frames: Iterable[int], path: Path, progress: Progress | None = None) -> dict:
    """Render frames straight to a video, .mp4, .mov, .mkv or .webm. Returns {"path", "rendered"}."""
    frames = checked_frames(frames)
    display = DisplayTransform(take.photo)
    with VideoWriter(path, take.photo.size, take.score.fps) as video:
        for done, frame in enumerate(frames):
            tell(progress, done, len(frames), remark=take.renderer.remark)
            video.write(display(take.render(frame)))
        tell(progress, len(frames), len(frames))
    return {"path": str(path), "rendered": len(frames)}


def encode_video(
    sequence: FrameSequence, frames: Iterable[int], path: Path, fps: float, progress: Progress | None = None
) -> dict:
    """Make a video of a sequence's files. Returns {"path"}."""
    frames = checked_frames(frames)
    first = load_photo(sequence.path(frames[0]))
    display = DisplayTransform(first)
    with VideoWriter(path, first.size, fps) as video:
        for done, frame in enumerate(frames):
            tell(progress, done, len(frames), "Video: frame")
            video.write(display(load_photo(sequence.path(frame)).pixels))
    return {"path": str(path)}


def show_limits(take: Take, frames: Iterable[int], path: Path) -> dict:
    """Write a picture of where the motion was limited in any of the frames (Renderer.limits): magenta on grey.
    Returns {"path", "share": share of the picture that was, "frame": the frame with the largest share}."""
    most, shares = np.zeros(take.modes.grid, np.float32), {}
    for frame in checked_frames(frames):
        limits = take.renderer.limits(take.q(frame))
        most, shares[frame] = np.maximum(most, limits), float((limits > 0.5).mean())
    grey = DisplayTransform(take.photo)(take.photo.pixels).mean(-1, keepdims=True, dtype=np.float32) * 0.6
    share = cv2.resize(most, take.photo.size, interpolation=cv2.INTER_LINEAR)[..., None]
    save_image(path, np.rint(grey + (np.float32([255, 0, 255]) - grey) * share).astype(np.uint8))
    return {"path": str(path), "share": float((most > 0.5).mean()), "frame": max(shares, key=shares.get)}


def proxy_of(photo: Photo, size: int | None, proxy: int = 1) -> Photo:
    """The photo with a long side of at most size pixels, divided by proxy."""
    return resize_photo(photo, max(1, min(size or max(photo.size), max(photo.size)) // proxy))


def default_format(photo: Photo) -> str:
    return "exr" if photo.pixels.dtype == np.float32 else "png"


# --- export -----------------------------------------------------------------------------------------------------


def export_displacement(
    take: Take, frames: Iterable[int], folder: Path, name: str, progress: Progress | None = None
) -> dict:
    """Write each frame's displacement, motion vectors and holes as multilayer EXR at the photo's size.

    Layers, signs and units: media.write_displacement_exr. Returns what render_sequence does.
    """

    def key(frame: int) -> str:
        keys = [take.renderer.frame_key(take.q(frame + step)) for step in (-1, 0, 1)]
        return _digest(_DISPLACEMENT_VERSION, *keys)

    def write(frame: int, path: Path) -> None:
        q = take.q(frame)
        before, now, after = (_forward(take, take.q(frame + step)) for step in (-1, 0, 1))
        source = take.renderer.backward_map(q)
        # What is seen at a pixel was at s + F(s) one frame before, and moved on from there.
        motion = np.concatenate([_sample(before - now, source), _sample(now - after, source)], axis=-1)
        backward = _pixel_grid(*source.shape[:2]) - source
        write_displacement_exr(path, now, backward, motion, take.renderer.hole_mask(q))

    return bake(FrameSequence(folder, name, ".exr"), frames, key, write, progress)


def export_stmap(
    take: Take, frames: Iterable[int], folder: Path, name: str, progress: Progress | None = None
) -> dict:
    """Write each frame's ST-map (media.write_stmap) at the photo's size. Returns what render_sequence does."""

    def key(frame: int) -> str:
        return _digest(_STMAP_VERSION, take.renderer.frame_key(take.q(frame)))

    def write(frame: int, path: Path) -> None:
        write_stmap(path, take.renderer.backward_map(take.q(frame)))

    return bake(FrameSequence(folder, name, ".exr"), frames, key, write, progress)


def _digest(*parts: object) -> str:
    return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()


def _forward(take: Take, q: np.ndarray) -> np.ndarray:
    """F as rendered at the photo's size: float32 [H, W, 2] in pixels."""
    width, height = take.photo.size
    return cv2.resize(take.renderer.displacement(q), (width, height), interpolation=cv2.INTER_LINEAR) * width


def _sample(maps: np.ndarray, at: np.ndarray) -> np.ndarray:
    return cv2.remap(maps, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _pixel_grid(height: int, width: int) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([columns, rows], axis=-1)


# --- errors and rooms that need torch ---------------------------------------------------------------------------


def as_gid_error(error: BaseException) -> GidError | None:
    """The sentence for an error that a person can do something about, None for a fault of the program."""
    if isinstance(error, GidError):
        return error
    words = str(error).lower()
    allocation = isinstance(error, RuntimeError) and ("out of memory" in words or "allocate memory" in words)
    if isinstance(error, MemoryError) or allocation or "insufficient memory" in words:
        return GidError(
            "out_of_memory",
            "The memory of this computer or its graphics card is not enough for this.",
            "Choose a smaller size, close other programs, or choose the CPU as the device.",
        )
    return None


def _torch():
    try:
        return importlib.import_module("torch")
    except (ImportError, OSError) as error:  # OSError: its libraries do not load
        raise GidError(
            "engine_incomplete",
            f"PyTorch is missing or does not load ({error}).",
            "Repair or reinstall the engine.",
        ) from error


def _room(name: str):
    """A room of the engine that needs torch, imported at its first use: that takes seconds."""
    _torch()
    return importlib.import_module(f".{name}", __package__)


class _Clock:
    """Seconds of each stage of a job."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = round(now - self._last, 3)
        self._last = now
