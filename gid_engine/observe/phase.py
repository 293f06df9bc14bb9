"""Motion below a third of a pixel from local phase: a complex steerable pyramid in numpy's FFT.

A band of the pyramid is a one-sided (analytic) wave packet of one size and direction; a shift by d turns its phase
by −∇φ·d (Fleet & Jepson 1990; Davis et al., "Visual Vibrometry", CVPR 2015). Least squares over bands and a
window, weighted by amplitude², gives d. Filters as in Portilla & Simoncelli (2000): raised cosine in log
frequency, cosⁿ⁻¹ in angle. Linear only while the shift stays under about a quarter of the finest wavelength.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

LEVELS, ORIENTATIONS = 3, 4  # wavelengths of about 4, 8 and 16 pixels
WINDOW = 3.0  # σ of the least squares' window in pixels: what one patch of DIS (8 × 8) sees


@dataclass(frozen=True)
class _Band:
    rows: np.ndarray  # the frequencies this level keeps
    columns: np.ndarray
    transfer: np.ndarray  # float32 [lh, lw], scaled so that white noise has the same variance in every band
    start: np.ndarray  # complex64 [lh, lw], of the start frame
    slope: np.ndarray  # float32 [2, lh, lw], |c|² ∇φ in radians a pixel of the picture


class PhaseFlow:
    """Displacement of a start frame's pixels in other frames: made once, asked frame by frame."""

    def __init__(self, start: np.ndarray):
        """start: uint8 [h, w]."""
        self._shape = start.shape
        spectrum = np.fft.fft2(_windowed(start))
        fy, fx = (np.fft.fftfreq(n).astype(np.float32) for n in start.shape)
        self._bands = [
            self._band(spectrum, fy, fx, level, turn) for level in range(LEVELS) for turn in range(ORIENTATIONS)
        ]
        tensor = np.zeros((3, *start.shape), np.float32)
        for band in self._bands:
            x, y = band.slope / (np.abs(band.start) + 1e-6)
            tensor += self._gather(np.stack([x * x, x * y, y * y]))
        # The prior of no motion keeps places without texture from dividing by nothing.
        tensor[[0, 2]] += 1e-3 * np.mean(tensor[[0, 2]])
        self._tensor = tensor
        self._determinant = tensor[0] * tensor[2] - tensor[1] ** 2

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """frame: uint8 [h, w] -> float32 [h, w, 2], (x right, y down), pixels."""
        spectrum = np.fft.fft2(_windowed(frame))
        total = np.zeros((2, *self._shape), np.float32)
        for band in self._bands:
            moved = _filtered(spectrum, band.rows, band.columns, band.transfer)
            total -= self._gather(np.angle(moved * band.start.conj()) * band.slope)
        xx, xy, yy = self._tensor
        x, y = total
        return np.dstack([yy * x - xy * y, xx * y - xy * x]) / self._determinant[..., None]

    def _band(self, spectrum, fy, fx, level: int, turn: int) -> _Band:
        reach = 0.5 / 2**level
        rows, columns = (np.flatnonzero(np.abs(f) <= reach) for f in (fy, fx))
        fy, fx = fy[rows][:, None], fx[columns][None]
        octave = np.log2(np.maximum(np.hypot(fx, fy), 1e-6) / (reach / 2))  # 0 at the band's middle
        radial = np.where(np.abs(octave) < 1, np.cos(np.pi / 2 * octave), 0)
        angle = np.arctan2(fy, fx) - np.pi * turn / ORIENTATIONS
        transfer = radial * np.maximum(np.cos(angle), 0) ** (ORIENTATIONS - 1)
        transfer = (transfer / np.sqrt(np.sum(transfer**2) / len(rows) / len(columns))).astype(np.float32)
        c = _filtered(spectrum, rows, columns, transfer)
        gradient = [_filtered(spectrum, rows, columns, 2j * np.pi * f * transfer) for f in (fx, fy)]
        slope = np.stack([(np.conj(c) * g).imag for g in gradient])
        return _Band(rows, columns, transfer, c.astype(np.complex64), slope.astype(np.float32))

    def _gather(self, maps: np.ndarray) -> np.ndarray:
        """Sum [n, lh, lw] over the window, at the picture's size."""
        height, width = self._shape
        sigma = max(WINDOW * maps.shape[2] / width, 0.8)
        blurred = [cv2.GaussianBlur(np.ascontiguousarray(m, np.float32), (0, 0), sigma) for m in maps]
        return np.stack([cv2.resize(m, (width, height), interpolation=cv2.INTER_LINEAR) for m in blurred])


def _windowed(frame: np.ndarray) -> np.ndarray:
    """Faded to its mean over the outer 3 %, so that opposite borders do not meet as an edge."""
    frame = frame.astype(np.float32)
    height, width = frame.shape
    fades = []
    for n in (height, width):
        distance = np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5) / (0.03 * n)
        fades.append(np.sin(np.pi / 2 * np.minimum(distance, 1)).astype(np.float32) ** 2)
    return (frame - frame.mean()) * np.outer(*fades)


def _filtered(spectrum: np.ndarray, rows, columns, transfer: np.ndarray) -> np.ndarray:
    """The band at its own, smaller size: keeping fewer frequencies is the decimation of the pyramid."""
    return np.fft.ifft2(spectrum[np.ix_(rows, columns)] * transfer)
