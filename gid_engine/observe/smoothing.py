"""From measured to likely motion: each place believes itself as far as the picture tells, else its neighbours."""

from __future__ import annotations

import numpy as np

SPREAD = 0.5  # weight of like-coloured neighbours against a fully trusted place
SHRINK = 0.01  # pull to stillness, which wins where nothing is known
_COLOUR_SIGMA = 0.05  # of 0…1: neighbours that differ by more belong to something else
_ROUNDS = 30


def believable(measured: np.ndarray, trust: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """argmin_S Σ_p (S−M)ᵀC(S−M) + SHRINK·|S|² + SPREAD·Σ_pq w_pq |S_p − S_q|², by conjugate gradients.

    measured: float32 [n, 2, h, w], n fields at once; trust: [3, h, w], the xx, xy, yy of C; colour: float32
    [h, w, 3], 0…1, whose edges the smoothing keeps. Returns float32 [n, 2, h, w].
    """
    down, right = (SPREAD * _likeness(colour, axis) for axis in (0, 1))

    def apply(s: np.ndarray) -> np.ndarray:
        total = _times(trust, s) + SHRINK * s
        step = (s[..., 1:, :] - s[..., :-1, :]) * down
        total[..., 1:, :] += step
        total[..., :-1, :] -= step
        step = (s[..., 1:] - s[..., :-1]) * right
        total[..., 1:] += step
        total[..., :-1] -= step
        return total

    target = _times(trust, measured)
    solution = measured * 0
    residual = target.copy()
    direction, energy = residual.copy(), _dots(residual, residual)
    for _ in range(_ROUNDS):
        product = apply(direction)
        length = energy / np.maximum(_dots(direction, product), 1e-30)
        solution += length * direction
        residual -= length * product
        energy, before = _dots(residual, residual), energy
        direction = residual + energy / np.maximum(before, 1e-30) * direction
    return solution


def _likeness(colour: np.ndarray, axis: int) -> np.ndarray:
    difference = np.square(np.diff(colour, axis=axis)).sum(-1)
    return np.exp(-difference / (2 * _COLOUR_SIGMA**2)).astype(np.float32)


def _times(matrix: np.ndarray, s: np.ndarray) -> np.ndarray:
    xx, xy, yy = matrix
    x, y = s[:, 0], s[:, 1]
    return np.stack([xx * x + xy * y, xy * x + yy * y], axis=1)


def _dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One number a field."""
    return np.einsum("nchw,nchw->n", a, b, dtype=np.float32)[:, None, None, None]
