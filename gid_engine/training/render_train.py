"""Training of the frame networks on pairs (render_pairs.py); resumable, on the CPU or one GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..render.pyramid import PyramidNet
from ..render.refiner import RefinerNet, rim
from .perceptual import PerceptualDistance
from .render_pairs import SIZE, PairPool
from .train import Run, _loop

Progress = Callable[[float, str], None]

# Weight of the perceptual distance beside an L1 error of some 0.05: about a quarter of the whole.
PERCEPTUAL = 0.05
PERCEPTUAL_SIDE, PERCEPTUAL_EVERY = 64, 4  # it is dear: asked for the middle of a crop (px), every so many steps


def train_refiner(
    pairs: Path, folder: Path, minutes: float, batch: int = 8, rate: float = 1e-3, seed: int = 0,
    progress: Progress | None = None,
) -> Run:  # fmt: skip
    torch.manual_seed(seed)
    rng, pool = np.random.default_rng(seed), PairPool(pairs)
    run = Run(folder, "refiner", RefinerNet(), rate, ema=0.998)
    run.resume()
    run.model.train()
    distance = PerceptualDistance.load()

    def loss() -> Tensor:
        judge = distance if run.step % PERCEPTUAL_EVERY == 0 else None
        return refiner_loss(run.model, judge, *pool.crops(rng, batch, 96, ("seen", "frame")))

    _loop(run, pool, minutes, {"seed": str(seed), "batch": str(batch)}, loss, progress)
    return run


def refiner_loss(model: RefinerNet, distance: PerceptualDistance | None, seen: Tensor, frame: Tensor) -> Tensor:
    """L1 within the rim, where the correction counts, and the perceptual distance there if asked for."""
    blend = torch.from_numpy(np.stack([rim(share[0])[None] for share in seen[:, 3:4].numpy()]))
    mended = seen[:, :3] + blend * model(seen.contiguous(memory_format=torch.channels_last))
    l1 = (blend * (mended - frame).abs()).sum() / (3 * blend.sum())
    if distance is None:
        return l1
    # What is off the rim is not the refiner's fault: the truth stands in for it.
    shown, truth, where = (_middle(x) for x in (blend * mended + (1 - blend) * frame, frame, blend))
    perceptual = (where * distance(shown.clamp(0, 1), truth)).sum() / where.sum().clamp_min(1)
    return l1 + PERCEPTUAL * PERCEPTUAL_EVERY * perceptual


def _middle(maps: Tensor) -> Tensor:
    """The middle of the first quarter of a batch."""
    top, left = ((n - PERCEPTUAL_SIDE) // 2 for n in maps.shape[2:])
    return maps[: (len(maps) + 3) // 4, :, top : top + PERCEPTUAL_SIDE, left : left + PERCEPTUAL_SIDE]


def train_pyramid(
    pairs: Path, folder: Path, minutes: float, batch: int = 2, rate: float = 1e-3, seed: int = 0,
    progress: Progress | None = None,
) -> Run:  # fmt: skip
    torch.manual_seed(seed)
    rng, pool = np.random.default_rng(seed), PairPool(pairs)
    run = Run(folder, "pyramid", PyramidNet(), rate, ema=0.998)
    run.resume()
    run.model.train()
    distance = PerceptualDistance.load()

    def loss() -> Tensor:
        names = "photo", "displacement", "motion", "frame"
        judge = distance if run.step % PERCEPTUAL_EVERY == 0 else None
        return pyramid_loss(run.model, judge, *pool.crops(rng, batch, 96, names))

    _loop(run, pool, minutes, {"seed": str(seed), "batch": str(batch)}, loss, progress)
    return run


def pyramid_loss(
    model: PyramidNet,
    distance: PerceptualDistance | None,
    photo: Tensor,
    displacement: Tensor,
    motion: Tensor,
    frame: Tensor,
) -> Tensor:
    """L1, and the perceptual distance if asked for; left out is the margin, into which the crop's surroundings
    would move."""
    made = model(photo, displacement * SIZE[0], motion)[..., 16:-16, 16:-16]
    frame = frame[..., 16:-16, 16:-16]
    l1 = F.smooth_l1_loss(made, frame, beta=0.01)
    if distance is None:
        return l1
    return l1 + PERCEPTUAL * PERCEPTUAL_EVERY * distance(_middle(made).clamp(0, 1), _middle(frame)).mean()
