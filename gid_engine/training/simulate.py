"""Motion of simulated scenes: pieces that swing in one wind, each an affine map of the pixel and band.

Positions are in photo widths for both axes (x right, y down); angles in radians, small. A scene's spectral volume
is exact: S_k(x, y) = A[piece, k] · (x, y, 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..motion.oscillator import frequency_response

BANDS = 15
FREQUENCY_HZ = np.arange(1, BANDS + 1) / 5

# Standard deviation a band of 7,218 real plant sequences (raw FFT units), wind and plant together.
_REAL_STD = np.array([13.7, 8.8, 7.3, 5.9, 5.3, 5.2, 4.9, 4.6, 4.5, 3.9, 3.5, 3.3, 2.9, 2.5, 2.3])
_PLANE_WAVES = 6


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


class Sway:
    """One wind over one scene: what each place answers, coherent in space."""

    def __init__(self, rng: np.random.Generator, direction: float | None = None):
        """direction: of the wind in radians, 0 to the right; mostly level if not given."""
        self.rng = rng
        angle = rng.normal(0, 0.25) + np.pi * rng.integers(2) if direction is None else direction
        self.direction = np.array([np.cos(angle), np.sin(angle)])
        self.speed = rng.uniform(0.3, 2.0)  # widths a second
        self.coherence = rng.uniform(0.3, 0.9)
        normal = rng.normal(size=(2, BANDS, _PLANE_WAVES + 1))
        self._waves = (normal[0] + 1j * normal[1]) / np.sqrt(2)
        wavelength = rng.uniform(0.15, 0.8, _PLANE_WAVES)
        turn = rng.uniform(0, 2 * np.pi, _PLANE_WAVES)
        self._wavenumbers = 2 * np.pi / wavelength * np.array([np.cos(turn), np.sin(turn)])
        # What real sequences show is wind × plant; an average plant is taken out again to get the wind.
        self._gust = _REAL_STD / np.abs(_response(0.5, 0.15))
        self._gust /= np.linalg.norm(self._gust)

    def oscillation(self, position: np.ndarray, stiffness: float, own: float = 0.0) -> np.ndarray:
        """Answer of a piece held at a position (x, y): complex [15] of unit rms (Σ|q|²/2 = 1).

        stiffness 0 (0.35 Hz) … 1 (2.8 Hz); own: share 0…1 of a motion that is this piece's alone.
        """
        position = np.asarray(position, float)
        travel = np.exp(-2j * np.pi * FREQUENCY_HZ * (position @ self.direction) / self.speed)
        local = self._waves[:, 1:] @ np.exp(1j * (position @ self._wavenumbers)) / np.sqrt(_PLANE_WAVES)
        wind = self.coherence * self._waves[:, 0] * travel + (1 - self.coherence) * local
        normal = self.rng.normal(size=(2, BANDS))
        wind = (1 - own) * wind + own * (normal[0] + 1j * normal[1]) / np.sqrt(2)
        damping = self.rng.uniform(0.06, 0.2) if own else 0.12
        q = self._gust * _response(stiffness, damping) * wind
        return q * np.sqrt(2 / np.sum(np.abs(q) ** 2))


def _response(stiffness: float, damping: float) -> np.ndarray:
    natural = 0.35 * 8**stiffness
    return frequency_response(2 * np.pi * natural, damping, 2 * np.pi * FREQUENCY_HZ)


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
