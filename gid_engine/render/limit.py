"""Motion that a picture can show: where amplified motion would fold or tear a piece, it is evened out.

A piece folds where det(I + ∇F) falls to 0. Scaling F down would hide the magnification; evening F out among the
neighbours keeps how far the piece goes and takes away what bends it too much. Where an object ends before its
background nothing is limited: there things pass in front of one another. Nor is what the motion does of itself,
without amplification: where a clip was seen to tear, it tore.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..motion import Modes

LEAST_AREA = 0.15  # share of its area that a piece keeps at least
MOST_STRETCH = 3.0  # times its length that a piece is drawn out at most
EASE = 0.7  # share of these limits from which they are felt, so that none sets in with a jerk
OWN = 2.0  # times the bending's own rms that a motion reaches by itself; from twice that on it is amplified
SIGMAS = 1, 2, 4, 8, 16  # cells of the modes' grid, one after the other


class Limiter:
    """Limits displacements on the modes' grid.

    modes: the motion by itself; ends: float32 [h, w], 0…1, where an object ends before a background.
    """

    def __init__(self, modes: Modes, ends: np.ndarray):
        self._kept = 1 - ends
        self._own = OWN * _rms_bending(modes) + np.float32(1e-6)
        rms = modes.rms()
        # Neighbours count by their motion: a still background does not hold what moves before it.
        self._weight = np.square(rms / max(float(rms.max()), 1e-12)) + np.float32(1e-6)

    def __call__(self, displacement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F [h, w, 2] in photo widths -> (F as it can be shown, how much each place was limited [h, w], 0…1).

        The same array where nothing is limited.
        """
        width = np.float32(displacement.shape[1])
        limited = np.zeros(displacement.shape[:2], np.float32)
        excess = self._excess(displacement * width)
        for sigma in SIGMAS:
            if not excess.any():
                break
            window = np.ones((4 * sigma + 1,) * 2, np.uint8)
            share = cv2.GaussianBlur(cv2.dilate(excess, window), (0, 0), sigma)
            evened = _blurred(displacement * self._weight[..., None], sigma)
            evened /= _blurred(self._weight, sigma)[..., None]
            displacement = displacement + (evened - displacement) * share[..., None]
            limited = np.maximum(limited, share)
            excess = self._excess(displacement * width)
        return displacement, limited

    def _excess(self, steps: np.ndarray) -> np.ndarray:
        """How far displacements in cells [h, w, 2] go to the limits: 0 up to EASE of them, 1 from them on."""
        gradient = _gradient(steps)
        amplified = np.sqrt(np.square(gradient).sum(0)) / self._own - 1
        return np.clip((_load(*gradient) - EASE) / (1 - EASE), 0, 1) * np.clip(amplified, 0, 1) * self._kept


def _rms_bending(modes: Modes) -> np.ndarray:
    """Root of the time-mean ‖∇F‖² of the free loop, in cells a cell: float32 [h, w], the largest of 3×3 cells."""
    power = np.zeros(modes.grid, np.float32)
    for band in modes.modes:
        for part in (band.real, band.imag):
            power += np.square(_gradient(np.moveaxis(part, 0, -1) * np.float32(modes.grid[1]))).sum(0) / 2
    return cv2.dilate(np.sqrt(power), np.ones((3, 3), np.uint8))


def _gradient(steps: np.ndarray) -> list[np.ndarray]:
    """∂x/∂x, ∂x/∂y, ∂y/∂x, ∂y/∂y of displacements [h, w, 2]."""
    (xy, xx), (yy, yx) = (np.gradient(plane) for plane in cv2.split(steps))
    return [xx, xy, yx, yy]


def _load(xx: np.ndarray, xy: np.ndarray, yx: np.ndarray, yy: np.ndarray) -> np.ndarray:
    """The displacement of this gradient as a share of the one that reaches the limits: float32 [h, w]."""
    trace, area = xx + yy, xx * yy - xy * yx
    # 1 / the smallest s > 0 at which det(I + s∇F) = 1 + s·trace + s²·area is LEAST_AREA.
    root = trace * trace - 4 * (1 - LEAST_AREA) * area
    fold = (np.sqrt(np.maximum(root, 0)) - trace) / (2 * (1 - LEAST_AREA))
    fold[root < 0] = 0
    # The larger singular value of ∇F.
    total = np.square([xx, xy, yx, yy]).sum(0) / 2
    stretch = np.sqrt(total + np.sqrt(np.maximum(total * total - area * area, 0)))
    return np.maximum(fold, stretch / (MOST_STRETCH - 1))


def _blurred(maps: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(maps, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
