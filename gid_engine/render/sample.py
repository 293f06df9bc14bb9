"""Sampling the photo once, at the place the backward map names, in the photo's own kind of number."""

from __future__ import annotations

import cv2
import numpy as np


def keeps_still_bits(photo: np.ndarray) -> bool:
    """Does sample_photo give a pixel's own bits within STILL_PX of its own place? In 8 bit without alpha the
    difference rounds away."""
    return photo.dtype == np.uint8 and photo.shape[2] == 3


def sample_photo(photo: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """photo [H, W, C] read at x, y float32 [h, w] (pixels, centres at whole numbers) -> [h, w, C].

    Bicubic. Alpha of 8 and 16 bit is straight and is premultiplied for the interpolation, so that a
    transparent pixel's colour does not leak. Float pixels (scene-linear, EXR) are kept between the smallest and
    largest of the 2×2 pixels around the place: an overshoot beside a light source could be negative.
    """
    if photo.dtype != np.float32 and photo.shape[2] == 3:
        return cv2.remap(photo, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    # Only the rows the band needs become float.
    first = max(0, int(y.min()) - 2)
    last = min(photo.shape[0], int(y.max()) + 4)
    return straight(_sample_clamped(premultiplied(photo[first:last]), x, y - np.float32(first)), photo.dtype)


def premultiplied(pixels: np.ndarray) -> np.ndarray:
    """float32 [..., C] in the photo's value range; colour times alpha where there is a straight alpha."""
    result = pixels.astype(np.float32, copy=False)
    if pixels.shape[-1] == 4 and pixels.dtype != np.float32:
        result[..., :3] *= result[..., 3:] * np.float32(1 / np.iinfo(pixels.dtype).max)
    return result


def straight(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The inverse of premultiplied: float32 [..., C] -> dtype."""
    if dtype == np.float32:
        return pixels
    limit = np.float32(np.iinfo(dtype).max)
    if pixels.shape[-1] == 4:
        alpha = pixels[..., 3:]
        colour = pixels[..., :3] * (limit / np.maximum(alpha, np.float32(1e-3)))
        pixels = np.concatenate([colour, alpha], -1)
    return np.rint(np.clip(pixels, 0, limit)).astype(dtype)


def perceptual(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Colours 0…1 in which equal steps look about equal, float32 [..., 3]; scene-linear values are rolled off.

    pixels: float32 [..., C] in the value range of dtype, the photo's.
    """
    colour = pixels[..., :3]
    if dtype == np.float32:
        colour = np.nan_to_num(np.maximum(colour, 0), posinf=1e6)
        return np.sqrt(colour / (1 + colour))
    return colour / np.float32(np.iinfo(dtype).max)


def from_perceptual(colour: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The inverse of perceptual, float32."""
    if dtype == np.float32:
        square = np.square(np.clip(colour, 0, 0.9995))
        return square / (1 - square)
    return np.clip(colour, 0, 1) * np.float32(np.iinfo(dtype).max)


def _sample_clamped(pixels: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    sampled = cv2.remap(pixels, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    square, anchor = np.ones((2, 2), np.uint8), (0, 0)
    corner = np.floor(x), np.floor(y)
    for bound, extreme in ((np.maximum, cv2.erode), (np.minimum, cv2.dilate)):
        limit = extreme(pixels, square, anchor=anchor, borderType=cv2.BORDER_REPLICATE)
        limit = cv2.remap(limit, *corner, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        bound(sampled, limit, out=sampled)
    return sampled
