"""One wind over one picture: how every place answers it, coherent in space, without a network.

The training scenes move in this wind. It also gives a photo's motion its shape where no trained sampler does.
"""

from __future__ import annotations

import numpy as np

from ..motion.oscillator import frequency_response
from .shape import BANDS, frequencies

# Standard deviation a band of 7,218 real plant sequences (raw FFT units), wind and plant together.
_REAL_STD = np.array([13.7, 8.8, 7.3, 5.9, 5.3, 5.2, 4.9, 4.6, 4.5, 3.9, 3.5, 3.3, 2.9, 2.5, 2.3])
_PLANE_WAVES = 6
_FREQUENCY_HZ = frequencies().astype(float)


class Sway:
    """Gusts that travel across the picture, and eddies: a sum of plane waves a band. Positions in photo widths."""

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
        self._gust = _REAL_STD / np.abs(response(0.5, 0.15))
        self._gust /= np.linalg.norm(self._gust)

    def wind(self, position: np.ndarray) -> np.ndarray:
        """Complex [..., 15] at positions [..., 2]."""
        position = np.asarray(position, float)
        travel = np.exp(-2j * np.pi * _FREQUENCY_HZ * (position @ self.direction)[..., None] / self.speed)
        local = np.exp(1j * (position @ self._wavenumbers)) @ self._waves[:, 1:].T / np.sqrt(_PLANE_WAVES)
        return self.coherence * self._waves[:, 0] * travel + (1 - self.coherence) * local

    def oscillation(self, position: np.ndarray, stiffness: float, own: float = 0.0) -> np.ndarray:
        """Answer of what is held at positions [..., 2]: complex [..., 15] of unit rms (Σ|q|²/2 = 1).

        stiffness 0 (0.35 Hz) … 1 (2.8 Hz); own: share 0…1 of a motion that is this piece's alone.
        """
        wind = self.wind(position)
        normal = self.rng.normal(size=(2, *wind.shape))
        wind = (1 - own) * wind + own * (normal[0] + 1j * normal[1]) / np.sqrt(2)
        damping = self.rng.uniform(0.06, 0.2) if own else 0.12
        q = self._gust * response(stiffness, damping) * wind
        return q * np.sqrt(2 / np.sum(np.abs(q) ** 2, -1, keepdims=True))


def response(stiffness: float, damping: float) -> np.ndarray:
    """Complex [15]: answer of a plant of some stiffness to each band, over its static answer."""
    natural = 0.35 * 8**stiffness
    return frequency_response(2 * np.pi * natural, damping, 2 * np.pi * _FREQUENCY_HZ)
