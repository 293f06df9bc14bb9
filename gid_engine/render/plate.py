"""The background plate: what shows where the moving thing has gone away.

Push-pull interpolation (Gortler et al., The Lumigraph, SIGGRAPH 1996 §3.4): still pixels are averaged into ever
coarser images with their weights, and moving pixels take their colour from the finest level that knows one.
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
OUTLINE = 2  # cells around the moving thing that its antialiased outline has coloured


def background_plate(image: np.ndarray, motion: np.ndarray, reach: float) -> np.ndarray:
    """image float32 [h, w, C] (alpha premultiplied) with the moving pixels filled from the still ones.

    motion: float32 [h, w], motion magnitude; reach: how far, in pixels, the motion can uncover background.
    """
    return _push_pull(image, background_weight(motion, reach))


def background_weight(motion: np.ndarray, reach: float) -> np.ndarray:
    """How much a pixel is background for the places within reach of it, float32 [h, w], 0…1."""
    share = _share(motion, reach)
    stillest = cv2.erode(share, _window(reach))
    return np.exp((stillest - share) / STILLNESS) * np.maximum(_still(stillest), NOT_STILL)


def background_near(motion: np.ndarray, reach: float) -> np.ndarray:
    """Is there anything within reach that a plate could be made of: float32 [h, w], 0…1."""
    return _still(cv2.erode(_share(motion, reach), _window(reach)))


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
