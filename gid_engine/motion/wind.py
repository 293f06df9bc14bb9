"""Moving air: the mean leans what it meets, gusts travel over it, and the bands answer in closed form."""

from __future__ import annotations

import numpy as np

from .modes import Modes
from .oscillator import frequency_response

_TERMS = 24
_LENGTH = 2.0  # seconds a gust of the integral length takes to pass (L/U)
_PERIOD = 89.0  # seconds after which the gusts of an endless take repeat
_BINS = 64  # strips across the wind, within which a gust is everywhere at once


class Air:
    """What wind does to the bands of modes, as sums of sinusoids.

    rms: float32 [h, w], time-mean motion of the photo: where things give way, and how far. period: seconds after
    which gusts repeat, None for an endless take; speed: photo widths a second at which they travel, 0 for
    everywhere at once.
    """

    def __init__(self, modes: Modes, rms: np.ndarray, period: float | None, speed: float, seed: int):
        self._modes, self._rms, self._speed = modes, rms, speed
        n = np.arange(1, _TERMS + 1) / (period or _PERIOD)
        # Kaimal's spectrum of turbulence, S(n) ∝ (1 + 6nL/U)^(−5/3), at harmonics of the period; rms 1 in sum.
        power = np.power(1 + 6 * n * _LENGTH, -5 / 3)
        phase = np.exp(2j * np.pi * np.random.Generator(np.random.PCG64(seed)).random(_TERMS))
        self._drive, self._amplitude = 2 * np.pi * n, np.sqrt(2 * power / power.sum()) * phase
        # q at which the whole leans to the right, and down; 1 in the direction that it takes most easily.
        push = np.einsum("kchw,hw->ck", modes.modes, rms).conj()
        easiest = [np.linalg.svd(np.stack([p.real, p.imag]), compute_uv=False)[0] for p in push.T]
        self._lean = push / np.maximum(easiest, 1e-30)
        self._passing: dict[tuple[float, float], np.ndarray] = {}

    def lean(self, x: float, y: float) -> np.ndarray:
        """q [bands] of a steady wind of unit strength along (x, y)."""
        return x * self._lean[0] + y * self._lean[1]

    def gusts(self, omega: np.ndarray, zeta: np.ndarray, along: tuple[float, float], seconds: float) -> np.ndarray:
        """How much farther than the mean the bands lean at a time: [bands]; steady state of oscillators that are
        tuned to omega, zeta [bands], in a wind of turbulence intensity 1 along a unit vector."""
        answer = self._amplitude * frequency_response(omega[:, None], zeta[:, None], self._drive)
        if self._speed:
            answer = answer * self._travelling(round(along[0], 6), round(along[1], 6))
        return (answer * np.exp(1j * self._drive * seconds)).real.sum(axis=1)

    def _travelling(self, x: float, y: float) -> np.ndarray:
        """Complex [bands, terms]: what is left of each gust's push on a band, and when, as it travels along (x, y)
        (Taylor's frozen turbulence)."""
        if (x, y) not in self._passing:
            if len(self._passing) >= 64:
                self._passing.clear()
            self._passing[x, y] = self._travel(x, y)
        return self._passing[x, y]

    def _travel(self, x: float, y: float) -> np.ndarray:
        modes = self._modes
        height, width = modes.grid
        aspect = modes.photo_size[1] / modes.photo_size[0]
        along = x * (np.arange(width) + 0.5) / width + y * aspect * ((np.arange(height) + 0.5) / height)[:, None]
        low, span = along.min(), np.ptp(along) + 1e-9
        bins = np.minimum(((along - low) / span * _BINS).astype(int), _BINS - 1).ravel()
        place = low + (np.arange(_BINS) + 0.5) / _BINS * span
        late = np.exp(-1j * np.outer(place, self._drive) / max(self._speed, 1e-6))
        result = np.empty((modes.bands, _TERMS), np.complex128)
        for k, band in enumerate(modes.modes):
            push = ((x * band[0] + y * band[1]) * self._rms).ravel().conj()
            profile = np.bincount(bins, push.real, _BINS) + 1j * np.bincount(bins, push.imag, _BINS)
            result[k] = profile @ late / (profile.sum() or 1)
        # A band that the even wind hardly moves must not be blown up by the uneven one.
        return result / np.maximum(1, np.abs(result))
