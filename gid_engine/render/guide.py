"""From the modes' small grid to the splat grid, guided by the photo.

Modes are known on a small grid, and their edges are blurred by a cell or two. Joint bilateral upsampling (Kopf et
al. 2007) mends that by averaging motion over neighbours of like colour. Here the *place* is averaged instead:
each fine pixel reads the motion at the mean position of its like-coloured neighbours, which for a pixel beside
an object's outline lies inside the object or inside the background, clear of the blurred edge. For motion that
is linear in the window both are equal, and the frame-by-frame cost is one bilinear look-up.
"""

from __future__ import annotations

import cv2
import numpy as np

# Window of the joint bilateral mean, as a share of the grid's long side: the prior blurs edges by about 1 %.
RADIUS = 0.02
# Colour distance (0…1) at which a neighbour counts e^-½.
COLOUR_SIGMA = 0.06
# … or, in textured places, this share of the colours' variance in the window, so that texture is no outline.
VARIANCE_SHARE = 0.1
# The mean of a half disc lies 0.42 radii inside; reading farther in clears the blur of a whole window.
GAIN = 1.7
TAPS = 4  # neighbours sampled on each side of the window's centre


def look_up_positions(guide: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Where each fine pixel reads the motion: float32 [h, w, 2], (x, y) in fine pixels.

    guide: float32 [h, w, 3], the photo in perceptual values 0…1; motion: float32 [h, w], the motion magnitude
    upsampled smoothly. Inside an evenly moving region the position is the pixel's own.
    """
    h, w = motion.shape
    radius = max(1.0, RADIUS * max(h, w))
    offsets = np.linspace(-radius, radius, 2 * TAPS + 1)
    smooth = cv2.GaussianBlur(guide, (0, 0), max(radius / TAPS / 2, 0.5), borderType=cv2.BORDER_REPLICATE)
    total, shift = np.full((h, w), 1e-6, np.float32), np.zeros((h, w, 2), np.float32)
    narrowness = 1 / (2 * np.maximum(COLOUR_SIGMA**2, VARIANCE_SHARE * _variance(guide, radius)))
    rows, columns = np.mgrid[0:h, 0:w].astype(np.float32)
    for dy in np.rint(offsets):
        for dx in np.rint(offsets):
            if dx * dx + dy * dy > radius * radius + 1:
                continue
            neighbour = _shifted(smooth, int(dx), int(dy))
            distance = np.square(neighbour - guide).sum(-1)
            weight = np.exp(-distance * narrowness)
            total += weight
            # Clipped at the frame, so that border pixels are not drawn inwards by a lopsided window.
            shift[..., 0] += weight * dx
            shift[..., 1] += weight * dy
    shift *= GAIN / total[..., None]
    shift *= _edge_share(motion, radius)[..., None]
    positions = shift + np.dstack([columns, rows])
    return np.clip(positions, 0, np.float32([w - 1, h - 1]))


# Share of a stretch that counts as tearing where the photo has no outline.
WITHIN = 0.3
OUTLINE_CONTRAST = 0.15  # colour difference (0…1) of a full outline


def outlines(guide: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Does colour change across a step to the next pixel? float32 WITHIN…1, downwards [h-1, w], right [h, w-1].

    guide: float32 [h, w, 3]. Compared are the pixels two before and two behind the step: outlines are soft.
    """
    smooth = cv2.GaussianBlur(guide, (0, 0), 1)
    result = []
    for dx, dy in ((0, 1), (1, 0)):
        contrast = _shifted(smooth, 3 * dx, 3 * dy) - _shifted(smooth, -2 * dx, -2 * dy)
        share = np.minimum(np.sqrt(np.square(contrast).sum(-1)) / OUTLINE_CONTRAST, 1)
        result.append(WITHIN + (1 - WITHIN) * share[: share.shape[0] - dy, : share.shape[1] - dx])
    return tuple(result)


def _variance(guide: np.ndarray, radius: float) -> np.ndarray:
    """Variance of the colours in the window, summed over the channels: float32 [h, w]."""
    mean, mean_square = (cv2.GaussianBlur(image, (0, 0), radius / 2) for image in (guide, guide * guide))
    return np.maximum(mean_square - mean * mean, 0).sum(-1)


def _shifted(image: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """image[y + dy, x + dx], the border repeated."""
    h, w = image.shape[:2]
    rows, columns = np.clip(np.arange(h) + dy, 0, h - 1), np.clip(np.arange(w) + dx, 0, w - 1)
    return image[rows][:, columns]


def _edge_share(motion: np.ndarray, radius: float) -> np.ndarray:
    """1 where the motion differs much within the window (an outline), 0 where it is even (the inside)."""
    size = 2 * round(radius) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    highest, lowest = cv2.dilate(motion, kernel), cv2.erode(motion, kernel)
    contrast = (highest - lowest) / (highest + 1e-9)
    share = np.clip((contrast - 0.25) / 0.35, 0, 1)
    share = share * share * (3 - 2 * share)
    return cv2.GaussianBlur(share, (0, 0), radius / 2)
