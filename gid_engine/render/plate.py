"""The background plate: what shows where the moving thing has gone away.

Push-pull interpolation (Gortler et al., The Lumigraph, SIGGRAPH 1996 §3.4): still pixels are averaged into ever
coarser images with their weights, and moving pixels take their colour from the finest level that knows one. Flat
colour beside grass would show, so that the background is mirrored at the moving thing's outline and laid over it.
"""

from __future__ import annotations

import cv2
import numpy as np

# A pixel's weight falls by e with every such share of the strongest motion within reach …
STILLNESS = 0.08
# … and the stillest pixels within reach have the weight 1, or this where even they move: real background counts
# for more from afar, but where everything moves the plate is the least moving, blurred by a few cells.
NOT_STILL = 0.003
# Where even the stillest moves this share of the strongest there is no background to be seen, or there is.
UNKNOWN, KNOWN = 0.4, 0.2
TEXTURE = 0.6  # share of the mirrored background: all of it costs half a dB more, and looks no better
# Where the places that neighbours mirror lie apart, the mean way to them is shorter: trusted not at all, fully.
ASTRAY, AGREED = 0.6, 0.9
BESIDE = 4  # cells within which a moving thing's edge is sharp
OUTLINE = 2  # cells around the moving thing that its antialiased outline has coloured


def background_plate(image: np.ndarray, motion: np.ndarray, reach: float) -> np.ndarray:
    """image float32 [h, w, C] (alpha premultiplied) with the moving pixels filled from the still ones.

    motion: float32 [h, w], motion magnitude; reach: how far, in pixels, the motion can uncover background.
    """
    still = _still(_share(motion, reach))
    weight = np.maximum(background_weight(motion, reach), still)
    plate = _push_pull(image, weight)
    sure = still > 0.5
    if sure.all() or not sure.any():
        return plate
    source, trust = _mirror(sure, reach)
    mirrored = cv2.remap(image, source, None, cv2.INTER_LINEAR).reshape(image.shape)
    return plate + (mirrored - plate) * (TEXTURE * trust * (1 - still))[..., None]


def background_weight(motion: np.ndarray, reach: float) -> np.ndarray:
    """How much a pixel is background for the places within reach of it, float32 [h, w], 0…1."""
    share = _share(motion, reach)
    stillest = cv2.erode(share, _window(reach))
    return np.exp((stillest - share) / STILLNESS) * np.maximum(_still(stillest), NOT_STILL)


def ends_at_background(motion: np.ndarray, reach: float) -> np.ndarray:
    """Does the moving thing here end at what stands still beside it, rather than at a slower part of itself:
    float32 [h, w], 0…1."""
    return _still(cv2.erode(_share(motion, reach), np.ones((2 * BESIDE + 1,) * 2, np.uint8)))


def _mirror(background: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Mirrors a picture at the outline of its background, bool [h, w]: (the place that each pixel shows, (x, y) in
    pixels, float32 [h, w, 2]; how far it can be trusted, float32 [h, w])."""
    h, w = background.shape
    _, label = cv2.distanceTransformWithLabels(
        (~background).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    places = np.zeros((label.max() + 1, 2), np.float32)
    rows, columns = np.nonzero(background)
    places[label[rows, columns]] = np.stack([columns, rows], -1)
    rows, columns = np.mgrid[0:h, 0:w].astype(np.float32)
    home = np.dstack([columns, rows])
    way = places[label] - home  # to the nearest background
    mean = cv2.GaussianBlur(way, (0, 0), max(1, reach / 4))
    agreement = np.linalg.norm(mean, axis=-1) / np.maximum(np.linalg.norm(way, axis=-1), 1e-6)
    source = np.clip(home + 2 * mean, 0, np.float32([w - 1, h - 1]))
    # Near the outline its own colours say more.
    deep = np.minimum(3 / reach * np.linalg.norm(way, axis=-1), 1)
    there = cv2.remap(background.astype(np.float32), source, None, cv2.INTER_LINEAR)
    trust = deep * np.clip((agreement - ASTRAY) / (AGREED - ASTRAY), 0, 1) * np.clip(2 * there - 1, 0, 1)
    return source, trust.astype(np.float32)


def _still(share: np.ndarray) -> np.ndarray:
    return np.clip((UNKNOWN - share) / (UNKNOWN - KNOWN), 0, 1)


def _share(motion: np.ndarray, reach: float) -> np.ndarray:
    """Motion as a share of the strongest within reach, the outline's colours counted in."""
    share = motion / np.maximum(cv2.dilate(motion, _window(reach)), 1e-9)
    return cv2.dilate(share, np.ones((2 * OUTLINE + 1,) * 2, np.uint8))


def _window(reach: float) -> np.ndarray:
    return np.ones((2 * int(np.ceil(reach)) + 2 * OUTLINE + 1,) * 2, np.uint8)


def _push_pull(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    h, w = weight.shape
    if min(h, w) <= 2:
        mean = (image * weight[..., None]).sum((0, 1)) / weight.sum()
        coarse = np.broadcast_to(mean.astype(np.float32), image.shape)
    else:
        blurred_weight = cv2.pyrDown(weight)
        blurred = cv2.pyrDown(image * weight[..., None]).reshape(*blurred_weight.shape, -1)
        blurred /= np.maximum(blurred_weight, 1e-9)[..., None]
        # Four fine pixels meet in a coarse one: their weights add up.
        coarse = _push_pull(blurred, np.minimum(4 * blurred_weight, 1))
        coarse = cv2.pyrUp(coarse, dstsize=(w, h)).reshape(h, w, -1)
    sure = weight[..., None]
    return image * sure + coarse * (1 - sure)
