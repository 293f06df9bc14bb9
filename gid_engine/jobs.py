"""The long jobs that the worker and the command line share: predict, render, export.

A sequence remembers in `bake.json` what each of its files was made from, so that a job that was cancelled or
killed goes on where it stopped, and one whose score changed makes only the frames that differ.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np

from .errors import GidError
from .media import (
    DisplayTransform,
    FrameSequence,
    Photo,
    VideoWriter,
    as_srgb8,
    discard_abandoned,
    load_mask,
    load_photo,
    resize_photo,
    safe_write,
    save_frame,
    write_displacement_exr,
    write_stmap,
)
from .motion import Modes, Performance, Score, load_motion, save_motion

Progress = Callable[[float, str], None]

FORMATS = ("png", "exr", "jpg", "tif")
_DISPLACEMENT_VERSION, _STMAP_VERSION = "displacement 1", "stmap 1"  # raise where a file's content changes
_RECORD_SECONDS = 1.0  # how much finished work a kill may cost


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
    """Photo file to motion file. Options as for predict_modes. Returns its path and the seconds of each stage."""
    clock = _Clock()
    still = load_photo(photo)
    clock.stage("photo")
    _prior(options.get("device", "auto"))
    clock.stage("model")
    modes = predict_modes(still, progress=progress, **options)
    clock.stage("predict")
    save_motion(out, modes)
    clock.stage("write")
    return {"path": str(out), "seconds": clock.seconds}


@lru_cache(maxsize=1)
def _prior(device: str):
    return _room("prior").Prior.load(device=device)


# --- render -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Take:
    """A photo, its modes and a score: everything the frames follow from."""

    photo: Photo
    modes: Modes
    score: Score
    device: str = "auto"

    @classmethod
    def open(
        cls,
        photo: Path,
        motion: Path,
        score: Score,
        size: int | None = None,
        device: str = "auto",
    ) -> Take:
        """From files; size: long side in pixels to which a larger photo is reduced."""
        still = load_photo(photo)
        return cls(resize_photo(still, size) if size else still, load_motion(motion), score, device)

    @cached_property
    def renderer(self):
        return _room("render").Renderer(
            self.photo.pixels, self.modes, device=self.device, photo_sha256=self.photo.sha256
        )

    def q(self, frame: float) -> np.ndarray:
        """Modal coordinates at a frame: complex [K]."""
        return self._performance.modal_coordinates(frame)

    @cached_property
    def _performance(self) -> Performance:
        return Performance(self.score, self.modes)


def render_sequence(
    take: Take,
    frames: Iterable[int],
    folder: Path,
    name: str,
    file_format: str | None = None,
    progress: Progress | None = None,
) -> dict:
    """Render frames to FOLDER/NAME_0001.png …, those alone that are not there yet.

    file_format: one of FORMATS; by default what keeps the photo as it is. Returns {"folder", "name", "suffix",
    "first", "last", "rendered", "skipped"}.
    """
    sequence = FrameSequence(folder, name, f".{file_format or default_format(take.photo)}")

    def write(frame: int, path: Path) -> None:
        save_frame(path, take.renderer.render(take.q(frame)), take.photo)

    return _bake(sequence, frames, lambda frame: take.renderer.frame_key(take.q(frame)), write, progress)


def render_video(take: Take, frames: Iterable[int], path: Path, progress: Progress | None = None) -> dict:
    """Render frames straight to a video, .mp4, .mov, .mkv or .webm. Returns {"path", "rendered"}."""
    frames = _checked(frames)
    display = DisplayTransform(take.photo)
    with VideoWriter(path, take.photo.size, take.score.fps) as video:
        for done, frame in enumerate(frames):
            _tell(progress, done, len(frames))
            video.write(display(take.renderer.render(take.q(frame))))
        _tell(progress, len(frames), len(frames))
    return {"path": str(path), "rendered": len(frames)}


def encode_video(
    sequence: FrameSequence, frames: Iterable[int], path: Path, fps: float, progress: Progress | None = None
) -> dict:
    """Make a video of a sequence's files. Returns {"path"}."""
    frames = _checked(frames)
    first = load_photo(sequence.path(frames[0]))
    display = DisplayTransform(first)
    with VideoWriter(path, first.size, fps) as video:
        for done, frame in enumerate(frames):
            _tell(progress, done, len(frames), "Video: frame")
            video.write(display(load_photo(sequence.path(frame)).pixels))
    return {"path": str(path)}


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
        return hashlib.sha256(" ".join([_DISPLACEMENT_VERSION, *keys]).encode()).hexdigest()

    def write(frame: int, path: Path) -> None:
        q = take.q(frame)
        before, now, after = (_forward(take, take.q(frame + step)) for step in (-1, 0, 1))
        source = take.renderer.backward_map(q)
        # What is seen at a pixel was at s + F(s) one frame before, and moved on from there.
        motion = np.concatenate([_sample(before - now, source), _sample(now - after, source)], axis=-1)
        backward = _pixel_grid(*source.shape[:2]) - source
        write_displacement_exr(path, now, backward, motion, take.renderer.hole_mask(q))

    return _bake(FrameSequence(folder, name, ".exr"), frames, key, write, progress)


def export_stmap(
    take: Take, frames: Iterable[int], folder: Path, name: str, progress: Progress | None = None
) -> dict:
    """Write each frame's ST-map (media.write_stmap) at the photo's size. Returns what render_sequence does."""

    def key(frame: int) -> str:
        return hashlib.sha256(f"{_STMAP_VERSION} {take.renderer.frame_key(take.q(frame))}".encode()).hexdigest()

    def write(frame: int, path: Path) -> None:
        write_stmap(path, take.renderer.backward_map(take.q(frame)))

    return _bake(FrameSequence(folder, name, ".exr"), frames, key, write, progress)


def _forward(take: Take, q: np.ndarray) -> np.ndarray:
    """F as rendered at the photo's size: float32 [H, W, 2] in pixels."""
    width, height = take.photo.size
    return cv2.resize(take.renderer.displacement(q), (width, height), interpolation=cv2.INTER_LINEAR) * width


def _sample(maps: np.ndarray, at: np.ndarray) -> np.ndarray:
    return cv2.remap(maps, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _pixel_grid(height: int, width: int) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([columns, rows], axis=-1)


# --- sequences that resume --------------------------------------------------------------------------------------


class BakeRecord:
    """`bake.json` of a folder: per file the key it was made from and its length in bytes.

    Only this job's own files are ever changed in it, since other machines may be writing to the same folder. A
    record that cannot be read counts as empty: the frames are made anew.
    """

    FORMAT, VERSION = "gid-bake", 1

    def __init__(self, folder: Path):
        self.path = folder / "bake.json"

    def entries(self) -> dict[str, dict]:
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            good = data["format"] == self.FORMAT and data["version"] == self.VERSION
            return {n: e for n, e in data["frames"].items() if isinstance(e, dict)} if good else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def holds(self, entries: dict[str, dict], path: Path, key: str) -> bool:
        """Whether the file is there, whole, and made from this key."""
        entry = entries.get(path.name, {})
        try:
            return entry.get("key") == key and entry.get("bytes") == path.stat().st_size
        except OSError:
            return False

    def change(self, changes: dict[str, dict | None]) -> None:
        """Set entries, or remove them where the new one is None."""
        merged = {name: e for name, e in (self.entries() | changes).items() if e is not None}
        record = {"format": self.FORMAT, "version": self.VERSION, "frames": dict(sorted(merged.items()))}
        with safe_write(self.path) as part:
            part.write_text(json.dumps(record, indent=1), encoding="utf-8")


def _bake(
    sequence: FrameSequence,
    frames: Iterable[int],
    key_of: Callable[[int], str],
    write: Callable[[int, Path], None],
    progress: Progress | None,
) -> dict:
    frames = _checked(frames)
    discard_abandoned(sequence.folder)
    record = BakeRecord(sequence.folder)
    entries, keys = record.entries(), {frame: key_of(frame) for frame in frames}
    due = [f for f in frames if not record.holds(entries, sequence.path(f), keys[f])]
    # A key must never outlive its pixels: it is withdrawn before the file is replaced.
    stale = {name: None for f in due if (name := sequence.path(f).name) in entries}
    if stale:
        record.change(stale)
    made, last_saved = {}, time.monotonic()
    try:
        for done, frame in enumerate(due, start=len(frames) - len(due)):
            _tell(progress, done, len(frames))
            path = sequence.path(frame)
            write(frame, path)
            made[path.name] = {"key": keys[frame], "bytes": path.stat().st_size}
            if time.monotonic() - last_saved > _RECORD_SECONDS:
                record.change(made)
                made, last_saved = {}, time.monotonic()
    finally:
        if made:
            record.change(made)
    if missing := sequence.missing(frames):
        raise GidError(
            "frames_missing",
            f"Frame {missing[0]} of {sequence.path(missing[0])} has gone while the others were made.",
            "Render again; what is there is kept.",
        )
    _tell(progress, len(frames), len(frames))
    return {
        "folder": str(sequence.folder),
        "name": sequence.name,
        "suffix": sequence.suffix,
        "first": frames[0],
        "last": frames[-1],
        "rendered": len(due),
        "skipped": len(frames) - len(due),
    }


def _checked(frames: Iterable[int]) -> list[int]:
    frames = sorted(set(frames))
    if not frames:
        raise GidError("no_frames", "There are no frames to render.", "Choose at least one frame.")
    return frames


def _tell(progress: Progress | None, done: int, total: int, what: str = "Frame") -> None:
    if progress is not None:
        progress(done / total, f"{what} {min(done + 1, total)} of {total}")


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
