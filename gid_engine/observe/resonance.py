"""Resonances of an observed motion: peaks of its power spectrum and their half-power widths."""

from __future__ import annotations

import numpy as np

DEFAULT_DAMPING = 0.1  # where a clip tells nothing: about that of leaves and twigs in air
_LEAST, _MOST = 0.02, 0.4
_HANN_WIDTH = 1.44  # half-power width of a Hann window's own peak, in 1/length
_FAINT = 0.05  # peaks under this share of the highest are ripples
_PADDING = 16


def resonances(motion: np.ndarray, fps: float, top_hz: float) -> list[tuple[float, float]]:
    """[(frequency in Hz, damping ratio)] of the peaks of a real motion [N, n], strongest first.

    ζ = Δf/(2f) with the half-power width Δf, less (in squares) what the window alone gives. A short clip tells no
    width below its own resolution; there the least damping stands.
    """
    count = len(motion)
    windowed = (motion - motion.mean(0)) * np.hanning(count + 2)[1:-1, None]
    power = np.square(np.abs(np.fft.rfft(windowed, n=_PADDING * count, axis=0))).sum(1)
    frequency = np.fft.rfftfreq(_PADDING * count, 1 / fps)
    # Below one turn a clip, a peak is the drift and not a swing.
    inside = (frequency >= fps / count) & (frequency <= top_hz)
    inside[1:-1] &= (power[1:-1] > power[:-2]) & (power[1:-1] >= power[2:])
    inside[[0, -1]] = False
    peaks = np.flatnonzero(inside)
    peaks = peaks[np.argsort(-power[peaks])]
    peaks = [i for i in peaks if power[i] >= _FAINT * power[peaks[0]]]
    return [(float(frequency[i]), _damping(power, frequency, i, fps / count)) for i in peaks]


def band_damping(found: list[tuple[float, float]], frequency_hz: np.ndarray) -> np.ndarray:
    """Damping ratios of the bands: of the nearest resonance within a third of an octave, else the default."""
    damping = np.full(len(frequency_hz), DEFAULT_DAMPING, np.float32)
    for band, frequency in enumerate(frequency_hz):
        near = [(abs(np.log2(f / frequency)), zeta) for f, zeta in found]
        if near and min(near)[0] < 1 / 3:
            damping[band] = min(near)[1]
    return damping


def _damping(power: np.ndarray, frequency: np.ndarray, peak: int, resolution: float) -> float:
    low = np.flatnonzero(power[:peak] < power[peak] / 2)
    high = np.flatnonzero(power[peak:] < power[peak] / 2)
    left = low[-1] if len(low) else 0
    right = peak + high[0] if len(high) else len(power) - 1
    square = (frequency[right] - frequency[left]) ** 2 - (_HANN_WIDTH * resolution) ** 2
    return float(np.clip(np.sqrt(max(square, 0)) / (2 * frequency[peak]), _LEAST, _MOST))
