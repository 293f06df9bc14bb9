"""Distances between two sets of features: the mathematics of FID, KID and FVD (numpy only, float64).

What the features are of decides the name: frames give FID and KID, clips of 16 or 32 frames FVD and DT-FVD.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """‖μ₁ − μ₂‖² + Tr(C₁ + C₂ − 2 (C₁C₂)^½) of features [N, D] and [M, D] (Heusel et al. 2017, eq. 6).

    The covariances have the divisor N − 1, as in every FID in use. ValueError for fewer than two samples a set,
    other widths or values that are not finite.
    """
    first, second = _checked(first, second)
    root = _square_root(np.cov(first, rowvar=False))
    # Tr (C₁C₂)^½ = Tr (C₁^½ C₂ C₁^½)^½, whose argument is symmetric.
    inner = np.linalg.eigvalsh(root @ np.atleast_2d(np.cov(second, rowvar=False)) @ root)
    apart = float(np.square(first.mean(0) - second.mean(0)).sum())
    traces = first.var(0, ddof=1).sum() + second.var(0, ddof=1).sum()
    return max(0.0, apart + float(traces) - 2 * float(np.sqrt(np.maximum(inner, 0)).sum()))


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Unbiased squared MMD under the kernel (x·y/D + 1)³ (Bińkowski et al. 2018, eq. 4); may be below 0.

    first: [N, D], second: [M, D]; the smaller size is used of both. ValueError as in frechet_distance.
    """
    first, second = _checked(first, second)
    return _mmd(*(x[: min(len(first), len(second))] for x in (first, second)))


def kid(
    first: np.ndarray, second: np.ndarray, subsets: int = 100, size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Mean and standard deviation of kernel_distance over random subsets, as KID is reported.

    Subsets hold `size` samples, or as many as the smaller set has.
    """
    first, second = _checked(first, second)
    rng = np.random.default_rng(seed)
    count = min(size, len(first), len(second))
    drawn = [_mmd(*(x[rng.choice(len(x), count, replace=False)] for x in (first, second))) for _ in range(subsets)]
    return float(np.mean(drawn)), float(np.std(drawn))


def windows(frames: int, length: int, step: int) -> list[range]:
    """All windows of `length` frames that begin every `step` frames and lie within the clip."""
    return [range(start, start + length) for start in range(0, frames - length + 1, step)]


def sliding(real: Sequence[np.ndarray], made: Sequence[np.ndarray]) -> list[float]:
    """Fréchet distance at each time: of features [N, D] of made clips at one time to those of all times of the
    real ones (GID §5: windows of 30 frames for FID and of 16 frames for DT-FVD).

    real, made: one array a window, earliest first. What decays as time goes on shows as a rise.
    """
    pooled = np.concatenate(list(real))
    return [frechet_distance(pooled, features) for features in made]


def _checked(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pair = np.asarray(first, np.float64), np.asarray(second, np.float64)
    for features in pair:
        if features.ndim != 2 or len(features) < 2:
            raise ValueError(f"features must be [N, D] with N of 2 or more, these are {list(features.shape)}")
        if not np.isfinite(features).all():
            raise ValueError("features hold values that are not numbers")
    if pair[0].shape[1] != pair[1].shape[1]:
        raise ValueError(f"features of {pair[0].shape[1]} and {pair[1].shape[1]} values cannot be compared")
    return pair


def _square_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _mmd(x: np.ndarray, y: np.ndarray) -> float:
    count, width = x.shape
    kxx, kyy, kxy = ((a @ b.T / width + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = kxx.sum() - np.trace(kxx) + kyy.sum() - np.trace(kyy)
    return float(within / (count * (count - 1)) - 2 * kxy.mean())
