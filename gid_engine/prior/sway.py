"""One wind over one picture: how every place answers it, coherent in space, without a network.

The training scenes move in this wind. It also gives a photo's motion its shape where no trained sampler does.
"""

from __future__ import annotations

import numpy as np

from ..motion.oscillator import frequency_response
from .shape import BANDS, frequencies

# Share of the energy a band, wind and plant together: the mean of that of 7,218 real plant sequences and of the
# fifteen result clips of the paper's model, smoothed, which are livelier.
_ENERGY = np.array(
    [0.255, 0.15, 0.1, 0.083, 0.067, 0.066, 0.05, 0.048, 0.047, 0.032, 0.029, 0.027, 0.018, 0.016, 0.015]
)
DAMPING = 0.12
_WAVES = 64
# How alike two places a distance of d photo widths apart move, in the fifteen result clips of the paper's model:
# about 0.25 + 0.75·e^(−d / 0.13).
_COMMON = 0.3
_REACH = 0.13
_SHORTEST = 0.1  # wavelength; what is finer belongs to the edges between things
_FREQUENCY_HZ = frequencies().astype(float)


class Sway:
    """Gusts that pass over the whole picture, and eddies, as plane waves. Positions in photo widths."""

    def __init__(self, rng: np.random.Generator, direction: float | None = None):
        """direction: of the wind in radians, 0 to the right; mostly level if not given."""
        self.rng = rng
        angle = rng.normal(0, 0.35) + np.pi * rng.integers(2) if direction is None else direction
        self.direction = np.array([np.cos(angle), np.sin(angle)])
        self.speed = rng.uniform(2.0, 10.0)  # widths a second
        self._gusts = self._normal(BANDS)
        # An exponential covariance in the plane has the spectrum (1 + κ²ℓ²)^(−3/2); by inversion of its integral:
        number = np.sqrt(np.square(1 / rng.uniform(0, 1, _WAVES)) - 1) / _REACH
        number = np.minimum(number, 2 * np.pi / _SHORTEST)
        turn = rng.uniform(0, 2 * np.pi, _WAVES)
        self._wavenumbers = number * np.array([np.cos(turn), np.sin(turn)])
        self._eddies = self._normal(_WAVES, BANDS) / np.sqrt(_WAVES)
        self._gust = gusts(np.linspace(0.15, 0.85, 15))

    def wind(self, position: np.ndarray) -> np.ndarray:
        """Complex [..., 15] at positions [..., 2]; E|wind|² = 1."""
        position = np.asarray(position, float)
        travel = np.exp(-2j * np.pi * _FREQUENCY_HZ * (position @ self.direction)[..., None] / self.speed)
        eddies = self._local(position) @ self._eddies
        return np.sqrt(_COMMON) * self._gusts * travel + np.sqrt(1 - _COMMON) * eddies

    def field(self, position: np.ndarray) -> np.ndarray:
        """A new random field at positions [..., 2]: normal, of unit variance, as coherent as the eddies."""
        return np.sqrt(2 / _WAVES) * (self._local(np.asarray(position, float)) @ self._normal(_WAVES)).real

    def oscillation(self, position: np.ndarray, stiffness, own: float = 0.0) -> np.ndarray:
        """Answer of what is held at positions [..., 2]: complex [..., 15] of unit rms (Σ|q|²/2 = 1).

        stiffness: 0 (0.35 Hz) … 1 (2.8 Hz), one or [...], which are then taken for all there is in the picture;
        own: share 0…1 of a motion that is this piece's alone.
        """
        wind = self.wind(position)
        wind = (1 - own) * wind + own * self._normal(*wind.shape)
        damping = self.rng.uniform(0.06, 0.2) if own else DAMPING
        gust = gusts(stiffness) if np.ndim(stiffness) else self._gust
        q = gust * response(stiffness, damping) * wind
        return q * np.sqrt(2 / np.sum(np.abs(q) ** 2, -1, keepdims=True))

    def _local(self, position: np.ndarray) -> np.ndarray:
        return np.exp(1j * (position @ self._wavenumbers))

    def _normal(self, *shape: int) -> np.ndarray:
        """Complex, of unit variance."""
        real, imag = self.rng.normal(size=(2, *shape))
        return (real + 1j * imag) / np.sqrt(2)


def gusts(stiffness: np.ndarray) -> np.ndarray:
    """Strength of the wind in each band, [15] of unit norm, in which things of these stiffnesses [...] share their
    energy out among the bands as real ones do on average, by iterative proportional fitting."""
    plants = np.square(np.abs(response(stiffness, DAMPING))).reshape(-1, BANDS)
    energy = _ENERGY / plants.mean(0)
    for _ in range(10):
        shares = energy * plants
        energy *= _ENERGY / (shares / shares.sum(-1, keepdims=True)).mean(0)
    return np.sqrt(energy / energy.sum())


def response(stiffness, damping: float) -> np.ndarray:
    """Complex [..., 15]: answer of plants of some stiffness [...] to each band, over their static answer."""
    natural = 0.35 * 8.0 ** np.asarray(stiffness, float)[..., None]
    return frequency_response(2 * np.pi * natural, damping, 2 * np.pi * _FREQUENCY_HZ)
