"""What the moving grid needs: the modes at its vertices, the score at its frames. Needs numpy: import late.

F = Re Σ S q = Σ Re S · Re q − Im S · Im q is a sum of real terms. Three of them make an attribute of vectors for x
and one for y, which the grid multiplies by three numbers: the cheapest form of such a sum in Geometry Nodes.
"""

from __future__ import annotations

import numpy as np

from . import engine

_TINY = 1e-6  # of the modes' whole power: bands that add no more together are left out


def kept_modes(modes, count: int) -> list[int]:
    """Indices, rising, of those of the first `count` modes that move something."""
    power = np.array([float(np.square(np.abs(band)).sum()) for band in modes.modes[:count]])
    order = np.argsort(power)
    kept = order[np.cumsum(power[order]) > _TINY * power.sum()]
    return sorted(int(k) for k in kept)


class Sampler:
    """Looks up maps [..., h, w], bilinear between cell centres, at uv [n, 2] (v up)."""

    def __init__(self, grid: tuple[int, int], uv: np.ndarray):
        height, width = grid
        x = np.clip(uv[:, 0] * width - 0.5, 0, width - 1)
        y = np.clip((1 - uv[:, 1]) * height - 0.5, 0, height - 1)
        x0, y0 = x.astype(int), y.astype(int)
        right, down = (x0 < width - 1).astype(int), (y0 < height - 1) * width
        first = y0 * width + x0
        self._cells = [first, first + right, first + down, first + down + right]
        fx, fy = (x - x0).astype(np.float32), (y - y0).astype(np.float32)
        self._weights = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy]

    def __call__(self, maps: np.ndarray) -> np.ndarray:
        """Values [..., n]."""
        flat = maps.reshape(*maps.shape[:-2], -1)
        pairs = zip(self._cells, self._weights, strict=True)
        return sum(np.take(flat, cells, axis=-1) * weights for cells, weights in pairs)


class GridMaps:
    """Modes as a grid shows them: at its vertices' uv [n, 2], still at the photo's border as the bake is."""

    def __init__(self, grid: tuple[int, int], uv: np.ndarray, photo_size: tuple[int, int]):
        self._sampler = Sampler(grid, uv)
        fine = [max(2, round(1024 * side / max(photo_size))) for side in photo_size[::-1]]  # as the renderer's
        self._taper = Sampler(fine, uv)(engine.motion.border_taper(*fine))

    def terms(self, maps: np.ndarray) -> np.ndarray:
        """Complex [2, h, w] modes -> float32 [groups, 2 (x, y), n, 3]: real terms in threes, padded."""
        reals = np.zeros((-(-2 * len(maps) // 3) * 3, 2, len(self._taper)), np.float32)
        for k, band in enumerate(maps):
            sampled = self._sampler(band) * self._taper
            reals[2 * k], reals[2 * k + 1] = sampled.real, -sampled.imag  # the sign of the sum above
        return reals.reshape(-1, 3, *reals.shape[1:]).transpose(0, 2, 3, 1)


def real_terms(q: np.ndarray) -> np.ndarray:
    """q complex [frames, K] -> what the terms are multiplied by: float32 [groups, 3, frames]."""
    parts = np.zeros((-(-2 * q.shape[1] // 3) * 3, len(q)), np.float32)
    parts[: 2 * q.shape[1] : 2], parts[1 : 2 * q.shape[1] : 2] = q.real.T, q.imag.T
    return parts.reshape(-1, 3, len(q))


def surface_frame(uv: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Rows right, up, corner [3, 3]: the surface's width, height and lower left, fitted to its vertices.

    uv: [n, 2]; positions: [n, 3]. So the motion follows a plane whose rotation or scale was applied.
    """
    design = np.column_stack([uv, np.ones(len(uv))])
    return np.linalg.lstsq(design.astype(np.float64), positions.astype(np.float64), rcond=None)[0]


def coordinates(performance, frames: range) -> np.ndarray:
    """q at the frames: complex128 [frames, K]."""
    return np.stack([performance.modal_coordinates(frame) for frame in frames])
