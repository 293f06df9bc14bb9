"""Motion of simulated scenes: pieces that swing in one wind, each an affine map of the pixel and band.

Positions are in photo widths for both axes (x right, y down); angles in radians, small. A scene's spectral volume
is exact: S_k(x, y) = A[piece, k] · (x, y, 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..prior.shape import BANDS, frequencies
from ..prior.sway import Sway

__all__ = ["BANDS", "FREQUENCY_HZ", "Scene", "Sway", "hinge", "shift"]

FREQUENCY_HZ = frequencies().astype(float)


@dataclass
class Scene:
    """A picture and how its pieces move.

    photo: uint8 [H, W, 3] RGB; piece_id: int16 [H, W] into `affine`; affine: complex64 [P, 15, 2, 3], piece 0 is
    what stays still (zeros).
    """

    photo: np.ndarray
    piece_id: np.ndarray
    affine: np.ndarray

    def modes(self, h: int, w: int) -> np.ndarray:
        """Spectral volume averaged over the cells of an h×w grid: complex64 [15, 2, h, w], photo widths."""
        height, width = self.piece_id.shape
        x = ((np.arange(width, dtype=np.float32) + 0.5) / width)[None, :]
        y = ((np.arange(height, dtype=np.float32) + 0.5) / width)[:, None]
        result = np.empty((BANDS, 2, h, w), np.complex64)
        for k in range(BANDS):
            a = self.affine[:, k].reshape(-1, 6)[self.piece_id]
            field = [a[..., 3 * c] * x + a[..., 3 * c + 1] * y + a[..., 3 * c + 2] for c in range(2)]
            parts = np.dstack([field[0].real, field[0].imag, field[1].real, field[1].imag])
            parts = cv2.resize(parts, (w, h), interpolation=cv2.INTER_AREA)
            result[k, 0], result[k, 1] = parts[..., 0] + 1j * parts[..., 1], parts[..., 2] + 1j * parts[..., 3]
        return result

    def rms(self, h: int, w: int) -> np.ndarray:
        """Root of the time-mean squared displacement on an h×w grid: float32 [h, w], photo widths."""
        height, width = self.piece_id.shape
        x = ((np.arange(width, dtype=np.float32) + 0.5) / width)[None, :]
        y = ((np.arange(height, dtype=np.float32) + 0.5) / width)[:, None]
        # Σ_k|A·(x, y, 1)|²/2 is a quadratic form of (x, y, 1) a piece.
        form = np.einsum("pkci,pkcj->pij", self.affine, self.affine.conj()).real / 2
        f = form.reshape(-1, 9).astype(np.float32)[self.piece_id]
        power = f[..., 0] * x * x + f[..., 4] * y * y + f[..., 8] + 2 * (
            f[..., 1] * x * y + f[..., 2] * x + f[..., 5] * y
        )  # fmt: skip
        return np.sqrt(np.maximum(cv2.resize(power, (w, h), interpolation=cv2.INTER_AREA), 0))


def hinge(pivot: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rotation about a pivot (x, y) by small angles, complex [15]: affine complex64 [15, 2, 3]."""
    a = np.zeros((BANDS, 2, 3), np.complex64)
    # (x, y) → angle · (−(y − py), x − px): a positive angle turns x towards y (clockwise on the screen)
    a[:, 0, 1], a[:, 0, 2] = -angle, angle * pivot[1]
    a[:, 1, 0], a[:, 1, 2] = angle, -angle * pivot[0]
    return a


def shift(offset: np.ndarray) -> np.ndarray:
    """The same displacement everywhere, complex [15, 2]: affine complex64 [15, 2, 3]."""
    a = np.zeros((BANDS, 2, 3), np.complex64)
    a[:, :, 2] = offset
    return a
