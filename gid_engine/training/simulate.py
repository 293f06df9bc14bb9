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
    what stays still (zeros); place: float32 [P, 2], where each piece is held, NaN where its motion tells.
    """

    photo: np.ndarray
    piece_id: np.ndarray
    affine: np.ndarray
    place: np.ndarray | None = None

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
        return np.sqrt(np.maximum(self._average(np.einsum("pkci,pkcj->pij", *self._pair), h, w), 0))

    def axis(self, h: int, w: int) -> np.ndarray:
        """Line along which each cell moves, as the doubled angle: float32 [2, h, w].

        (C_xx − C_yy, 2 C_xy) over the trace of the covariance C of the displacement: its direction is twice the
        line's angle, its length 1 where all motion is along the line and 0 where it goes round or nowhere.
        """
        a, b = self._pair
        difference = np.einsum("pki,pkj->pij", a[:, :, 0], b[:, :, 0])
        difference = difference - np.einsum("pki,pkj->pij", a[:, :, 1], b[:, :, 1])
        mixed = 2 * np.einsum("pki,pkj->pij", a[:, :, 0], b[:, :, 1])
        power = self._average(np.einsum("pkci,pkcj->pij", a, b), h, w)
        both = [self._average(form, h, w) for form in (difference, mixed)]
        return np.stack(both) / (power + 0.02 * power.max() + 1e-12)

    def held(self, h: int, w: int) -> np.ndarray:
        """From each cell to the place where its piece is held: float32 [2, h, w], photo widths; 0 where still.

        What is held at one place moves as one.
        """
        height, width = self.piece_id.shape
        place = self.places()
        here = np.stack(np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / width), -1)
        moving = (self.piece_id > 0)[..., None]
        offset = np.where(moving, place[self.piece_id] - here, 0).astype(np.float32)
        share = cv2.resize(moving.astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
        offset = cv2.resize(offset, (w, h), interpolation=cv2.INTER_AREA) / np.maximum(share, 1e-3)[..., None]
        return np.moveaxis(offset, -1, 0)

    def places(self) -> np.ndarray:
        """Where each piece is held, float32 [P, 2]: as given, or the point of its motion that moves least."""
        given = np.full((len(self.affine), 2), np.nan, np.float32) if self.place is None else self.place
        if np.isfinite(given[1:]).all():
            return np.nan_to_num(given)
        height, width = self.piece_id.shape
        count = np.maximum(np.bincount(self.piece_id.ravel(), minlength=len(self.affine)), 1)
        centre = np.stack(
            [np.bincount(self.piece_id.ravel(), grid.ravel() + 0.5, len(self.affine)) / count / width
             for grid in np.broadcast_arrays(np.arange(width)[None], np.arange(height)[:, None])], 1
        )  # fmt: skip
        form = np.einsum("pkci,pkcj->pij", *self._pair)
        point = np.concatenate([centre, np.ones((len(centre), 1))], 1)
        # A place half a width from the piece costs as much as the piece's own motion.
        pull = 4 * np.einsum("pi,pij,pj->p", point, form, point) + 1e-12
        matrix = form[:, :2, :2] + pull[:, None, None] * np.eye(2)
        found = np.linalg.solve(matrix, (pull[:, None] * centre - form[:, :2, 2])[..., None])[..., 0]
        return np.where(np.isfinite(given), given, found).astype(np.float32)

    @property
    def _pair(self) -> tuple[np.ndarray, np.ndarray]:
        """(a, b) with Σ a·b = Re Σ A·A* / 2, real [P, 30, 2, 3]: for quadratic forms of (x, y, 1)."""
        both = np.concatenate([self.affine.real, self.affine.imag], 1)
        return both, both / 2

    def _average(self, form: np.ndarray, h: int, w: int) -> np.ndarray:
        """Cell averages of a quadratic form of (x, y, 1) a piece [P, 3, 3]: float32 [h, w]."""
        height, width = self.piece_id.shape
        x = ((np.arange(width, dtype=np.float32) + 0.5) / width)[None, :]
        y = ((np.arange(height, dtype=np.float32) + 0.5) / width)[:, None]
        form = (form + form.transpose(0, 2, 1)) / 2
        f = form.reshape(-1, 9).astype(np.float32)[self.piece_id]
        value = f[..., 0] * x * x + f[..., 4] * y * y + f[..., 8] + 2 * (
            f[..., 1] * x * y + f[..., 2] * x + f[..., 5] * y
        )  # fmt: skip
        return cv2.resize(value, (w, h), interpolation=cv2.INTER_AREA)


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
