"""What the moving grid needs: the modes at its vertices, the score at its frames. Needs numpy: import late."""

from __future__ import annotations

import numpy as np

MAX_BANDS = 16


def liveliest_bands(modes) -> list[int]:
    """Indices of at most MAX_BANDS bands, rising: those with the most power."""
    power = [float(np.square(np.abs(band)).sum()) for band in modes.modes]
    return sorted(sorted(range(len(power)), key=lambda k: -power[k])[:MAX_BANDS])


def sample_band(band: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """A band's map complex [2, h, w] at uv [n, 2] (v up): complex [2, n], bilinear between cell centres."""
    height, width = band.shape[1:]
    x = np.clip(uv[:, 0] * width - 0.5, 0, width - 1)
    y = np.clip((1 - uv[:, 1]) * height - 0.5, 0, height - 1)
    x0, y0 = x.astype(int), y.astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = x - x0, y - y0
    top = band[:, y0, x0] * (1 - fx) + band[:, y0, x1] * fx
    bottom = band[:, y1, x0] * (1 - fx) + band[:, y1, x1] * fx
    return top * (1 - fy) + bottom * fy


def surface_frame(uv: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Rows right, up, corner [3, 3]: the surface's width, height and lower left, fitted to its vertices.

    uv: [n, 2]; positions: [n, 3]. So the motion follows a plane whose rotation or scale was applied.
    """
    design = np.column_stack([uv, np.ones(len(uv))])
    return np.linalg.lstsq(design.astype(np.float64), positions.astype(np.float64), rcond=None)[0]


def offsets(sampled: np.ndarray, right: np.ndarray, up: np.ndarray, photo_size: tuple[int, int]) -> np.ndarray:
    """Displacements [2, n] in photo widths (x right, y down) as vectors [n, 3] of the surface."""
    width, height = photo_size
    return np.outer(sampled[0], right) - np.outer(sampled[1], up * (width / height))


def coordinates(score, modes, frames: range) -> np.ndarray:
    """q at the frames: complex128 [frames, K]."""
    from . import engine

    performance = engine.motion.Performance(score, modes)
    return np.stack([performance.modal_coordinates(frame) for frame in frames])
