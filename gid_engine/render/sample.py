"""Sampling the photo once, at the place the backward map names, in the photo's own kind of number."""

from __future__ import annotations

import cv2
import numpy as np


def sample_photo(photo: np.ndarray, source: np.ndarray) -> np.ndarray:
    """photo [H, W, C] read at source float32 [h, w, 2] (x, y in pixels, centres at whole numbers) -> [h, w, C].

    Bicubic. Alpha of 8 and 16 bit is straight and is premultiplied for the interpolation, so that a
    transparent pixel's colour does not leak. Float pixels (scene-linear, EXR) are kept between the smallest and
    largest of the 2×2 pixels around the place: an overshoot beside a light source could be negative.
    """
    if photo.dtype != np.float32 and photo.shape[2] == 3:
        return cv2.remap(photo, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    crop, source = _rows_needed(photo, source)
    if photo.dtype == np.float32:
        return _sample_clamped(crop, source)
    sampled = _sample_clamped(premultiplied(crop), source)
    return straight(sampled, photo.dtype)


def premultiplied(pixels: np.ndarray) -> np.ndarray:
    """float32 [..., C] in the photo's value range; colour times alpha where there is a straight alpha."""
    result = pixels.astype(np.float32)
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


def _rows_needed(photo: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first = max(0, int(np.floor(source[..., 1].min())) - 2)
    last = min(photo.shape[0], int(np.ceil(source[..., 1].max())) + 3)
    return photo[first:last], source - np.float32([0, first])


def _sample_clamped(pixels: np.ndarray, source: np.ndarray) -> np.ndarray:
    sampled = cv2.remap(pixels, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    corner = np.floor(source)
    square, anchor = np.ones((2, 2), np.uint8), (0, 0)
    for bound, filtered in ((np.maximum, cv2.erode), (np.minimum, cv2.dilate)):
        limit = filtered(pixels, square, anchor=anchor, borderType=cv2.BORDER_REPLICATE)
        limit = cv2.remap(limit, corner, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        bound(sampled, limit, out=sampled)
    return sampled
