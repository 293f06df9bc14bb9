"""Clips to measure: decoded at a small size, and how what they show moves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from ..errors import GidError
from ..media import read_frames
from ..motion import Modes, loopify, quietest_time, spectrum_from_trajectories
from ..observe.flow import DirectFlow
from ..prior.shape import BANDS, PERIOD, frequencies
from ..training.dataset import held_out

SIDE = 256  # px, long side of the frames
GRID = 128  # long side of the grid on which motion is compared
SHORTEST = 64  # frames: two windows of 32
BLIND = 2.0  # squared gradient (grey levels² a px²) at which trust in the flow is halved
LOST_PX = 0.7  # distance from home after the way there and back at which it is halved again
OVERLAP = 1.0  # seconds of the loop's cross-fade, where the clip is so long
CROP = (256, 128)  # (width, height) px: the paper measures a centre crop of these proportions (GID §5)


@dataclass(frozen=True)
class Clip:
    """frames: uint8 [T, h, w, 3] RGB, long side 256; group: clips of one group are not independent."""

    name: str
    group: str
    fps: float
    frames: np.ndarray = field(repr=False)

    @property
    def photo(self) -> np.ndarray:
        return self.frames[0]

    @property
    def loop_frames(self) -> int:
        """Frames of one period of the modes."""
        return round(PERIOD * self.fps)

    @cached_property
    def trajectories(self) -> np.ndarray:
        """Displacement of frame 0's pixels in every frame: float32 [T, h, w, 2] in widths, GRID px long."""
        grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in self.frames]
        flow = DirectFlow(grey[0])
        size = grid_size(self.photo)
        moved = [cv2.resize(flow(g), size, interpolation=cv2.INTER_AREA) for g in grey[1:]]
        return np.stack([np.zeros_like(moved[0]), *moved]) / np.float32(self.photo.shape[1])

    @cached_property
    def modes(self) -> Modes:
        """The clip's own motion as a loop of 15 bands: its ground truth, as far as optical flow tells."""
        track = self.trajectories
        period = min(self.loop_frames, len(track))
        overlap = min(len(track) - period, round(OVERLAP * self.fps))
        loop = loopify(track[: period + overlap], overlap) if overlap else track
        volume = np.moveaxis(spectrum_from_trajectories(loop, BANDS), -1, 1).astype(np.complex64)
        return as_modes(volume, self.photo)


def as_modes(volume: np.ndarray, photo: np.ndarray) -> Modes:
    """Modes of a complex volume [15, 2, h, w] in widths for a photo [H, W, 3]."""
    frequency = frequencies()
    size = photo.shape[1], photo.shape[0]
    rest = quietest_time(volume, frequency)
    return Modes(volume, frequency, np.full(BANDS, 0.08, np.float32), size, rest_time=rest)


def rms_seen(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rms, trust) of the flow from the first frame to every fourth, as it is: float32 [h, w], in widths and 0…1.

    Trusted is what has texture in two directions (the smaller eigenvalue of the structure tensor) and whose flow
    back leads home. In the dark or on a bare wall flow is noise, and no motion of ours could agree with it.
    """
    grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    flow.setPatchStride(2)
    moved = np.stack([flow.calc(grey[0], g, None) for g in grey[1::4]])
    home = ((way, flow.calc(g, grey[0], None)) for way, g in zip(moved[::4], grey[1::16], strict=True))
    lost = np.mean([_lost(*ways) for ways in home], 0)
    texture = _smaller_eigenvalue(grey[0])
    trust = texture / (texture + BLIND) / (1 + cv2.GaussianBlur(lost, (0, 0), 3.0) / LOST_PX**2)
    return np.sqrt(np.square(moved).sum(-1).mean(0)) / frames.shape[2], trust


def _lost(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Squared distance from home after the way there and back: float32 [h, w], px²."""
    y, x = np.mgrid[: there.shape[0], : there.shape[1]].astype(np.float32)
    back = cv2.remap(back, x + there[..., 0], y + there[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.square(there + back).sum(-1)


def _smaller_eigenvalue(grey: np.ndarray) -> np.ndarray:
    """Of the structure tensor over some 3 px: float32 [h, w], (grey levels a px)²."""
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    gx, gy = (cv2.Scharr(smooth, cv2.CV_32F, *way, scale=1 / 32) for way in ((1, 0), (0, 1)))
    xx, xy, yy = (cv2.GaussianBlur(m, (0, 0), 3.0) for m in (gx * gx, gx * gy, gy * gy))
    return np.maximum((xx + yy) / 2 - np.sqrt(np.square((xx - yy) / 2) + xy * xy), 0)


def grid_size(photo: np.ndarray) -> tuple[int, int]:
    """(width, height) of the grid on which motion is compared."""
    height, width = photo.shape[:2]
    return tuple(max(8, round(n * GRID / max(width, height))) for n in (width, height))


def resampled(modes: Modes, photo: np.ndarray) -> np.ndarray:
    """The volume complex64 [15, 2, h, w] on the grid of comparison; another photo's is stretched to this one."""
    size = grid_size(photo)
    planes = modes.modes.reshape(-1, *modes.grid)
    real, imag = (np.stack([_resize(np.ascontiguousarray(p), size) for p in part])
                  for part in (planes.real, planes.imag))  # fmt: skip
    return (real + 1j * imag).reshape(modes.bands, 2, size[1], size[0]).astype(np.complex64)


def _resize(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA if size[0] < plane.shape[1] else cv2.INTER_LINEAR)


def load_clip(path: Path, longest: int = 180) -> Clip:
    """Decode up to `longest` frames. GidError if there is no clip, none of it can be read or it is too short."""
    if not path.is_file():
        raise GidError("clip_missing", f"There is no clip {path}.", "Check the path.")
    frames = []
    for frame in islice(read_frames(path), longest):
        scale = SIDE / max(frame.shape[:2])
        size = max(16, round(frame.shape[1] * scale)), max(16, round(frame.shape[0] * scale))
        frames.append(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
    if len(frames) < SHORTEST:
        raise GidError(
            "clip_too_short",
            f"{path} has {len(frames)} frames, and its measures need {SHORTEST}.",
            "Take it out of the folder, or choose a longer clip.",
        )
    if len({f.shape for f in frames}) > 1:
        raise GidError("clip_uneven", f"The pictures of {path} change their size.", "Take it out of the folder.")
    with av.open(str(path)) as container:
        fps = float(container.streams.video[0].average_rate or 30)
    return Clip(path.stem, group_of(path.stem), min(max(fps, 12), 60), np.stack(frames))


def group_of(name: str) -> str:
    """The source of a clip: excerpts of one source share their name but for a number."""
    return re.sub(r"_\d+$", "", name)


def check_folders(folders: Sequence[Path]) -> None:
    for folder in folders:
        if not folder.is_dir():
            raise GidError("data_missing", f"There is no folder {folder}.", "Check the path.")


def real_clips(data: Sequence[Path]) -> list[Path]:
    """Clips that train nothing: clips/C under the folders, or all in a folder that has no tiers."""
    check_folders(data)
    found = [p for d in data for p in (d / "clips" / "C").glob("*.mp4")]
    return sorted(found) or sorted(p for d in data for p in d.glob("*.mp4"))


def official_clips(folder: Path | None, unseen: bool = True) -> list[Path]:
    """Clips of the paper's model in a folder: those that split.json holds out, or all."""
    if folder is None:
        return []
    check_folders([folder])
    return sorted(p for p in folder.glob("*.mp4") if not unseen or p.stem in held_out())


def centre_crop(frames: np.ndarray) -> np.ndarray:
    """The largest centred rectangle of 2:1, as uint8 [T, 128, 256, 3]."""
    height, width = frames.shape[1:3]
    w, h = min(width, 2 * height), min(height, width // 2)
    top, left = (height - h) // 2, (width - w) // 2
    cut = frames[:, top : top + h, left : left + w]
    return np.stack([cv2.resize(f, CROP, interpolation=cv2.INTER_AREA) for f in np.ascontiguousarray(cut)])
