"""Pairs for the frame networks: a photo, a displacement, and the frame it truly gives, disocclusions included.

What a real photo hides is unknown, so that scenes are put together: the moving pieces of one scene before another
one that is known everywhere. The photo is the scene at rest; a frame is the same pieces, each moved by its exact
affine displacement and drawn again, back to front. Real pairs are two frames of a clip and the flow between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from ..media import read_frames, safe_write
from ..motion import Modes
from ..render.backward import BackwardFlow
from ..render.plate import background_plate
from ..render.refiner import observed
from ..render.splat import softmax_splat
from .dataset import Material, ShardPool, held_out, scenes
from .scenes import random_scene
from .simulate import FREQUENCY_HZ, Scene

SIZE = (256, 160)  # (width, height) px of a training pair
SUPERSAMPLING = 2  # scenes are drawn at this multiple, so that edges are antialiased
SHARD = 16
FARTHEST = 0.08  # photo widths: the strongest motion of a pair
_BEHIND = 4  # drawn pixels by which a piece continues under its neighbours, so that no hairline opens


@dataclass(frozen=True)
class Pair:
    """A photo and a frame, uint8 [H, W, 3] RGB; modes: whose displacement at q (complex [K]) leads from one to the
    other; hole: bool [H, W], the pixels of the frame whose content the photo does not show."""

    photo: np.ndarray
    frame: np.ndarray
    modes: Modes
    q: np.ndarray
    hole: np.ndarray


class LayeredScene:
    """The moving pieces of `front` before `back`, uint8 [H, W, 3]; both SUPERSAMPLING times the size of pairs."""

    def __init__(self, front: Scene, back: np.ndarray):
        self.front, self.back = front, back
        # The outermost pixels of a cut-out carry its old background's colours.
        solid = cv2.erode((front.piece_id > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
        self.piece_id = np.where(solid, front.piece_id, 0).astype(np.int16)
        self.pieces = [self._piece(i, solid) for i in np.unique(self.piece_id) if i]

    def _piece(self, index: int, solid: np.ndarray):
        """(id, left, top, colours, own mask, mask that goes on under the neighbours), cropped."""
        height, width = self.piece_id.shape
        x, y, w, h = cv2.boundingRect((self.piece_id == index).astype(np.uint8))
        left, top = max(0, x - _BEHIND - 1), max(0, y - _BEHIND - 1)
        crop = np.s_[top : min(height, y + h + _BEHIND + 1), left : min(width, x + w + _BEHIND + 1)]
        own = (self.piece_id[crop] == index).astype(np.uint8)
        wide = cv2.dilate(own, np.ones((2 * _BEHIND + 1,) * 2, np.uint8)) & solid[crop]
        return index, left, top, self.front.photo[crop], own, wide

    def draw(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The scene at modal coordinates q (complex [15]): (uint8 [h, w, 3], hole bool [h, w]) at pairs' size."""
        picture = self.back.astype(np.float32)
        unseen = (self.piece_id > 0).astype(np.float32)
        affine = np.einsum("pkij,k->pij", self.front.affine, q).real
        for own_only in (False, True):
            for index, left, top, colours, own, wide in self.pieces:
                mask = own if own_only else wide
                self._paint(picture, unseen, affine[index], left, top, colours, mask, 0.0 if own_only else 1.0)
        height, width = (n // SUPERSAMPLING for n in self.piece_id.shape)
        picture, unseen = (cv2.resize(a, (width, height), interpolation=cv2.INTER_AREA) for a in (picture, unseen))
        return np.rint(picture.clip(0, 255)).astype(np.uint8), unseen > 0.5

    def _paint(self, picture, unseen, affine, left, top, colours, mask, hidden: float) -> None:
        """Paint one piece moved by its affine displacement [2, 3] (photo widths)."""
        height, width = self.piece_id.shape
        matrix = np.eye(2, 3) + affine
        # From photo widths to pixel indices of the crop, centres at whole numbers.
        matrix[:, 2] = affine[:, 2] * width + matrix[:, :2] @ [left + 0.5, top + 0.5] - 0.5
        h, w = mask.shape
        corners = np.array([[0, 0, 1], [w, 0, 1], [0, h, 1], [w, h, 1]]) @ matrix.T
        x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int) - 1, 0)
        x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + 2, (width, height))
        if x1 <= x0 or y1 <= y0:
            return
        matrix[:, 2] -= x0, y0
        size = int(x1 - x0), int(y1 - y0)
        alpha = cv2.warpAffine(mask.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
        moved = cv2.warpAffine(colours, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        area = np.s_[y0:y1, x0:x1]
        picture[area] += (moved - picture[area]) * alpha[..., None]
        unseen[area] += (hidden - unseen[area]) * alpha

    def pair(self, q: np.ndarray, grid: tuple[int, int] | None = None) -> Pair:
        """At rest and at q; modes on a grid (h, w), by default one cell a pixel."""
        photo, _ = self.draw(np.zeros_like(q))
        frame, hole = self.draw(q)
        grid = grid or photo.shape[:2]
        modes = Scene(photo, self.piece_id, self.front.affine).modes(*grid)
        damping = np.full(len(FREQUENCY_HZ), 0.1)
        return Pair(photo, frame, Modes(modes, FREQUENCY_HZ, damping, photo.shape[1::-1]), q, hole)


def coordinates(rng: np.random.Generator, scene: Scene, farthest: float = FARTHEST) -> np.ndarray:
    """Modal coordinates of a scene at a random time and amplitude; nothing moves farther than `farthest`."""
    q = np.exp(2j * np.pi * FREQUENCY_HZ * rng.uniform(0, 5)) * np.exp(rng.uniform(np.log(0.7), np.log(4)))
    modes = scene.modes(32, 32)
    largest = np.abs(np.einsum("kcij,k->cij", modes, q).real).max()
    return q * min(1.0, farthest / max(largest, 1e-9))


def layered_scenes(rng: np.random.Generator, material: Material) -> Iterator[LayeredScene]:
    """An endless mix of fronts and backs from the material; procedural alone where there is none."""
    size = tuple(SUPERSAMPLING * n for n in SIZE)
    mix = scenes(rng, material, size)
    while True:
        front, back = next(mix), next(mix)
        if (front.piece_id > 0).mean() > 0.01:
            yield LayeredScene(front, back.photo)


def drawn_scene(rng: np.random.Generator, size: tuple[int, int]) -> LayeredScene:
    """A procedural scene before procedural still surroundings; size (width, height) of its pairs."""
    width, height = (SUPERSAMPLING * n for n in size)
    while True:
        front = random_scene(rng, width, height)
        if (front.piece_id > 0).mean() > 0.01:
            return LayeredScene(front, random_scene(rng, width, height, kind="static").photo)


def training_clips(data: Sequence[Path]) -> list[Path]:
    """Clips under `data` that may train: tiers A and B, and those of the paper's model that are not held out."""
    folders = [f for d in data for f in (d, d.parent / "reference")]
    clips = [
        p for f in folders for tier in ("clips/A", "clips/B", "gid_official") for p in f.glob(f"{tier}/*.mp4")
    ]
    return sorted(p for p in set(clips) if p.stem not in held_out())


def clip_pairs(path: Path, times: list[int], width: int) -> list[Pair]:
    """Frame 0 of a clip as the photo and the frames at `times`, at most `width` wide; flow by `clip_flow`.

    The modes have one band a time, so that their rms is that of the whole motion.
    """
    wanted, frames = {0, *times}, {}
    for number, frame in enumerate(read_frames(path)):
        if number in wanted:
            frames[number] = _at_most(frame, width)
        if number >= max(wanted):
            break
    times = [t for t in times if t in frames]
    if not times:
        return []
    flows = [clip_flow(frames[0], frames[t]) for t in times]
    maps = np.stack([np.moveaxis(flow, -1, 0) for flow in flows]) / frames[0].shape[1]
    steps = np.arange(1, len(times) + 1)
    modes = Modes(maps, 0.2 * steps, np.full(len(times), 0.1), frames[0].shape[1::-1])
    units = np.eye(len(times), dtype=complex)
    return [
        Pair(frames[0], frames[t], modes, q, uncovered(flow))
        for t, q, flow in zip(times, units, flows, strict=True)
    ]


def clip_flow(photo: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Optical flow from photo to frame, uint8 [H, W, 3]: float32 [H, W, 2] in pixels; DIS (Kroeger et al., ECCV
    2016) and variational refinement (Brox et al., ECCV 2004)."""
    first, second = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (photo, frame))
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, None)
    smooth = cv2.VariationalRefinement_create()
    smooth.setAlpha(10), smooth.setGamma(10), smooth.setDelta(5)
    smooth.setFixedPointIterations(5), smooth.setSorIterations(30)
    return smooth.calc(first, second, flow)


def uncovered(flow: np.ndarray) -> np.ndarray:
    """Where next to nothing lands of a flow [H, W, 2] (pixels): bool [H, W]."""
    planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(flow, -1, 0)))
    coverage = softmax_splat(planes[:1], planes, torch.zeros(flow.shape[:2]))[1]
    return coverage.numpy() < 0.35


def _at_most(frame: np.ndarray, width: int) -> np.ndarray:
    scale = min(1.0, width / frame.shape[1])
    size = round(frame.shape[1] * scale / 4) * 4, round(frame.shape[0] * scale / 4) * 4
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


# --- on disk -------------------------------------------------------------------------------------------------


def sample(pair: Pair) -> dict[str, np.ndarray]:
    """What the networks learn from: photo, frame uint8 [3, H, W]; displacement [2, H, W] in photo widths; motion
    [1, H, W], its rms over the greatest; seen [8, H, W] (render.refiner.observed); hole [1, H, W]."""
    colour = pair.photo.astype(np.float32) / 255
    backward = BackwardFlow(colour, pair.modes, pair.photo.shape[1::-1])
    coarse = pair.modes.displacement(pair.q)
    plate = background_plate(colour, backward.rms, backward.reach)
    return {
        "photo": np.moveaxis(pair.photo, 2, 0),
        "frame": np.moveaxis(pair.frame, 2, 0),
        "displacement": np.moveaxis(backward.displacement(coarse), 2, 0).astype(np.float16),
        "motion": (backward.rms[None] / max(backward.rms.max(), 1e-9)).astype(np.float16),
        "seen": observed(colour, plate, backward(coarse)).astype(np.float16),
        "hole": pair.hole[None].astype(np.uint8),
    }


def write_pairs(
    folder: Path, material: Material, clips: list[Path], count: int, seed: int,
    progress: Callable[[float, str], None] | None = None,
) -> None:  # fmt: skip
    """Write `count` shards of SHARD pairs, an eighth of them from clips; one that exists is kept (resumable)."""
    for number in range(count):
        path = folder / f"shard-{seed:03d}-{number:05d}.npz"
        if not path.exists():
            rng = np.random.default_rng([seed, number])
            pairs = _clip_mix(rng, clips) if clips and number % 8 == 7 else _scene_mix(rng, material)
            samples = [sample(next(pairs)) for _ in range(SHARD)]
            with safe_write(path) as temporary, open(temporary, "wb") as file:
                np.savez(file, **{key: np.stack([s[key] for s in samples]) for key in samples[0]})
        if progress:
            progress((number + 1) / count, path.name)


def _scene_mix(rng: np.random.Generator, material: Material) -> Iterator[Pair]:
    width, height = SIZE
    for scene in layered_scenes(rng, material):
        for _ in range(2):
            coarser = int(rng.choice([1, 1, 2, 4]))
            yield scene.pair(coordinates(rng, scene.front), (height // coarser, width // coarser))


def _clip_mix(rng: np.random.Generator, clips: list[Path]) -> Iterator[Pair]:
    while True:
        times = sorted(rng.integers(3, 140, 4).tolist())
        for pair in clip_pairs(clips[rng.integers(len(clips))], times, 512):
            h, w = pair.photo.shape[:2]
            if w >= SIZE[0] and h >= SIZE[1]:
                yield _crop(pair, rng.integers(h - SIZE[1] + 1), rng.integers(w - SIZE[0] + 1))


def _crop(pair: Pair, top: int, left: int) -> Pair:
    area = np.s_[top : top + SIZE[1], left : left + SIZE[0]]
    maps = pair.modes.modes[:, :, area[0], area[1]] * (pair.photo.shape[1] / SIZE[0])
    modes = Modes(maps, pair.modes.frequency_hz, pair.modes.damping, SIZE)
    return Pair(pair.photo[area], pair.frame[area], modes, pair.q, pair.hole[area])


class PairPool(ShardPool):
    """All pairs of a folder in memory."""

    def __init__(self, folder: Path, limit: int = 120):
        super().__init__(folder, limit)

    def __len__(self) -> int:
        return SHARD * len(self._shards)

    def crops(self, rng: np.random.Generator, count: int, side: int, names: tuple[str, ...]) -> list[torch.Tensor]:
        """Square parts of `count` pairs around places that matter, one tensor [B, C, side, side] a name, float32;
        what is stored in bytes is divided by 255."""
        found = []
        while len(found) < count:
            shard = self._shards[rng.integers(len(self._shards))]
            index = rng.integers(SHARD)
            area = _interesting(rng, shard["seen"][index][3], side)
            if area is not None:
                found.append([_unit(shard[name][index][:, area[0], area[1]]) for name in names])
        return [torch.from_numpy(np.stack(parts)) for parts in zip(*found, strict=True)]


def _interesting(rng: np.random.Generator, share: np.ndarray, side: int):
    """Slices of a square that holds one of the plate's pixels; None where the plate is not seen."""
    places = np.flatnonzero(share)
    if not len(places):
        return None
    place = divmod(int(places[rng.integers(len(places))]), share.shape[1])
    corner = [
        int(np.clip(p - rng.integers(side // 4, side - side // 4), 0, n - side))
        for p, n in zip(place, share.shape, strict=True)
    ]
    return tuple(slice(c, c + side) for c in corner)


def _unit(part: np.ndarray) -> np.ndarray:
    return part.astype(np.float32) / 255 if part.dtype == np.uint8 else part.astype(np.float32)
