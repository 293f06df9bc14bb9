"""Motion that a picture can show: where amplified motion would fold or tear a piece, it is evened out.

A piece folds where det(I + ∇F) falls to 0. Scaling F down would hide the magnification; evening F out among the
neighbours keeps how far the piece goes and takes away what bends it too much. Where an object ends before its
background nothing is limited: there things pass in front of one another.
"""

from __future__ import annotations

import cv2
import numpy as np

LEAST_AREA = 0.15  # share of its area that a piece keeps at least
MOST_STRETCH = 3.0  # times its length that a piece is drawn out at most
EASE = 0.7  # share of these limits from which they are felt, so that none sets in with a jerk
SIGMAS = 1, 2, 4, 8, 16  # cells of the modes' grid, one after the other


class Limiter:
    """Limits displacements on the modes' grid.

    rms: float32 [h, w], time-mean motion; ends: float32 [h, w], 0…1, where an object ends before a background.
    """

    def __init__(self, rms: np.ndarray, ends: np.ndarray):
        self._kept = 1 - ends
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
        return np.clip((_load(steps) - EASE) / (1 - EASE), 0, 1) * self._kept


def _load(steps: np.ndarray) -> np.ndarray:
    """The displacement as a share of the one that reaches the limits: float32 [h, w]."""
    (xy, xx), (yy, yx) = (np.gradient(plane) for plane in cv2.split(steps))
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
