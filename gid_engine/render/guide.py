"""From the modes' small grid to the splat grid, guided by the photo.

Modes are known on a small grid, and their edges are blurred by a few cells. Joint bilateral upsampling (Kopf et
al., SIGGRAPH 2007) mends that by averaging motion over neighbours of like colour. Here the *place* is averaged
instead: each fine pixel reads the motion at the mean position of its like-coloured neighbours, which for a pixel
beside an object's outline lies inside the object or inside the background, clear of the blurred edge. For motion
that is linear in the window both are equal, and the cost per frame is one bilinear look-up.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# The window of the joint bilateral mean reaches as far as the motion's own edges are wide: a wider one takes
# motion from farther away than its blur needs. At least so many pixels, as outlines are antialiased …
LEAST_RADIUS = 3.0
# … and at most this share of the grid's long side.
MOST_RADIUS = 0.02
TAPS = 4  # neighbours sampled on each side of the window's centre
# Colour distance (0…1) at which a neighbour counts e^-½ …
COLOUR_SIGMA = 0.06
# … or, in textured places, this share of the colours' variance in the window, so that texture is no outline.
VARIANCE_SHARE = 0.1
# The mean of a half disc lies 0.42 radii inside; reading farther in clears the blur of a whole window.
GAIN = 1.7
# Share of the motion's variance in the window that colour must explain to be trusted: not at all, fully.
UNEXPLAINED, EXPLAINED = 0.4, 0.8
OUTLINE_CONTRAST = 0.15  # colour difference (0…1) of a full outline


@dataclass(frozen=True)
class Guide:
    """What the photo says about a motion's edges.

    positions: float32 [h, w, 2], (x, y) in fine pixels: where each fine pixel reads the motion; its own place
    inside an evenly moving region. outlines: does an object end at the step to the next pixel, 0…1: downwards
    float32 [h-1, w] and right [h, w-1].
    """

    positions: np.ndarray
    outlines: tuple[np.ndarray, np.ndarray]


def guide_motion(colour: np.ndarray, motion: np.ndarray) -> Guide:
    """colour: float32 [h, w, 3], the photo in perceptual values 0…1; motion: float32 [h, w], its magnitude,
    upsampled smoothly."""
    h, w = motion.shape
    most = MOST_RADIUS * max(h, w)
    radius = max(LEAST_RADIUS, min(_edge_width(motion, most), most))
    shift, explained = _like_coloured(colour, motion, radius)
    rows, columns = np.mgrid[0:h, 0:w].astype(np.float32)
    positions = np.dstack([columns, rows]) + GAIN * shift * explained[..., None]
    return Guide(np.clip(positions, 0, np.float32([w - 1, h - 1])), _outlines(colour, explained))


def _like_coloured(colour: np.ndarray, motion: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """(mean offset of the like-coloured neighbours [h, w, 2], does colour explain the motion [h, w] 0…1)."""
    smooth = cv2.GaussianBlur(colour, (0, 0), max(radius / TAPS / 2, 0.5))
    narrowness = 1 / (2 * np.maximum(COLOUR_SIGMA**2, VARIANCE_SHARE * _variance(colour, radius)))
    steps = np.rint(np.linspace(-radius, radius, 2 * TAPS + 1)).astype(int)
    like, every = _Moments(motion.shape), _Moments(motion.shape)
    shift = np.zeros((*motion.shape, 2), np.float32)
    for dy in steps:
        for dx in steps:
            if dx * dx + dy * dy > radius * radius + 1:
                continue
            difference = _shifted(smooth, dx, dy) - colour
            weight = np.exp(-np.einsum("hwc,hwc->hw", difference, difference) * narrowness)
            neighbour = _shifted(motion, dx, dy)
            like.add(weight, neighbour)
            every.add(1, neighbour)
            shift[..., 0] += weight * dx
            shift[..., 1] += weight * dy
    spread = every.variance()
    # Where the motion varies little beside its size there is no edge to find.
    floor = np.square(0.1 * every.mean()) + 1e-20
    share = 1 - np.minimum(like.variance() / (spread + 1e-20), 1)
    explained = np.clip((share - UNEXPLAINED) / (EXPLAINED - UNEXPLAINED), 0, 1) * spread / (spread + floor)
    return shift / like.weight[..., None], cv2.GaussianBlur(explained, (0, 0), radius / 4)


def _edge_width(motion: np.ndarray, reach: float) -> float:
    """Over how many pixels the motion changes at its edges: range over steepest slope within reach, the median
    weighted by the range's square."""
    square = np.ones((2 * round(reach) + 1,) * 2, np.uint8)
    span = cv2.dilate(motion, square) - cv2.erode(motion, square)
    slope_y, slope_x = np.gradient(motion)
    width = span / np.maximum(cv2.dilate(cv2.magnitude(slope_x, slope_y), square), 1e-12)
    order = np.argsort(width, None)
    power = np.cumsum(np.square(span.ravel()[order], dtype=np.float64))
    return float(width.ravel()[order[np.searchsorted(power, power[-1] / 2)]])


class _Moments:
    """Weighted mean and variance of maps [h, w], one map after another."""

    def __init__(self, shape: tuple[int, int]):
        self.weight, self.first, self.second = (np.full(shape, 1e-6, np.float32) for _ in range(3))
        self.first[:] = self.second[:] = 0

    def add(self, weight: np.ndarray | int, values: np.ndarray) -> None:
        self.weight += weight
        self.first += weight * values
        self.second += weight * values * values

    def mean(self) -> np.ndarray:
        return self.first / self.weight

    def variance(self) -> np.ndarray:
        return np.maximum(self.second / self.weight - np.square(self.mean()), 0)


def _outlines(colour: np.ndarray, explained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colour contrast across each step, between the pixels two before and two behind it: outlines are soft."""
    smooth = cv2.GaussianBlur(colour, (0, 0), 1)
    h, w = explained.shape
    result = []
    for dx, dy in ((0, 1), (1, 0)):
        contrast = _shifted(smooth, 3 * dx, 3 * dy) - _shifted(smooth, -2 * dx, -2 * dy)
        share = np.minimum(np.sqrt(np.square(contrast).sum(-1)) / OUTLINE_CONTRAST, 1) * explained
        result.append(share[: h - dy, : w - dx])
    return tuple(result)


def _variance(colour: np.ndarray, radius: float) -> np.ndarray:
    """Variance of the colours in the window, summed over the channels: float32 [h, w]."""
    mean, mean_square = (cv2.GaussianBlur(image, (0, 0), radius / 2) for image in (colour, colour * colour))
    return np.maximum(mean_square - mean * mean, 0).sum(-1)


def _shifted(image: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """image[y + dy, x + dx], the border repeated."""
    h, w = image.shape[:2]
    rows, columns = np.clip(np.arange(h) + dy, 0, h - 1), np.clip(np.arange(w) + dx, 0, w - 1)
    return image[rows][:, columns]
