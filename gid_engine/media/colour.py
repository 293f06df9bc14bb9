"""From a photo's own colours to 8-bit sRGB: for the network, for video, for JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from .photo import Photo


class DisplayTransform:
    """Turns a photo's pixels, or a frame's of the same kind, into uint8 sRGB [H, W, 3].

    Made once a photo, so that all frames of a video get the same treatment. Alpha is laid over a background
    (0…1, as displayed). ICC profiles are converted to sRGB. Scene-linear pixels go through the sRGB curve, and
    what is brighter than white is cut, as in Blender's "Standard" view; with fit_highlights the picture is first
    darkened so that all but its brightest hundredth stays below white.
    """

    def __init__(self, photo: Photo, background: float = 0.0, fit_highlights: bool = False):
        self.background, self.gain = background, 1.0
        if fit_highlights and photo.pixels.dtype == np.float32:
            self.gain = 1 / max(1.0, float(np.percentile(photo.pixels[..., :3], 99)))
        self._convert = _to_srgb(photo.icc)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        if pixels.dtype == np.float32:
            return self._from_linear(pixels)
        rgb = _to_8_bit(pixels[..., :3])
        if self._convert is not None:
            image = Image.fromarray(np.ascontiguousarray(rgb))
            rgb = np.asarray(ImageCms.applyTransform(image, self._convert))
        if pixels.shape[2] == 4:
            alpha = pixels[..., 3:] / np.float32(np.iinfo(pixels.dtype).max)
            rgb = np.rint(rgb * alpha + (255 * self.background) * (1 - alpha)).astype(np.uint8)
        return np.ascontiguousarray(rgb)

    def _from_linear(self, pixels: np.ndarray) -> np.ndarray:
        linear = pixels[..., :3] * np.float32(self.gain)
        if pixels.shape[2] == 4:
            linear = linear + linear_from_srgb(np.float32(self.background)) * (1 - np.clip(pixels[..., 3:], 0, 1))
        return np.rint(srgb_from_linear(linear) * 255).astype(np.uint8)


class LinearMean:
    """The mean of frames of one photo in linear light with premultiplied alpha: what a camera sees while its
    shutter is open. Pixels that are the photo's in every frame keep its bits.

    8 and 16 bit count as sRGB, whatever profile they carry.
    """

    def __init__(self, photo: np.ndarray):
        self._photo, self._count = photo, 0
        self._total = np.zeros(photo.shape, np.float32)
        self._moved = np.zeros(photo.shape[:2], bool)
        if photo.dtype != np.float32:
            steps = np.iinfo(photo.dtype).max
            self._linear = linear_from_srgb(np.arange(steps + 1) / steps).astype(np.float32)

    def add(self, frame: np.ndarray) -> None:
        self._count += 1
        self._moved |= (frame != self._photo).any(-1)
        if frame.dtype == np.float32:
            self._total += frame
            return
        linear = self._linear[frame[..., :3]]
        if frame.shape[2] == 4:
            alpha = frame[..., 3:] / np.float32(len(self._linear) - 1)
            linear *= alpha
            self._total[..., 3:] += alpha
        self._total[..., :3] += linear

    def pixels(self) -> np.ndarray:
        """The mean, in the photo's shape and dtype."""
        result = self._photo.copy()
        moved = self._total[self._moved] / np.float32(self._count)
        if result.dtype != np.float32:
            if moved.shape[1] == 4:
                moved[:, :3] /= np.maximum(moved[:, 3:], np.float32(1e-8))
            moved[:, :3] = srgb_from_linear(moved[:, :3])
            moved = np.rint(moved * (len(self._linear) - 1))
        result[self._moved] = moved.astype(result.dtype)
        return result


def as_srgb8(photo: Photo) -> np.ndarray:
    """What the network sees: uint8 sRGB [H, W, 3], alpha over mid-grey, highlights of an EXR kept below white."""
    return DisplayTransform(photo, background=0.5, fit_highlights=True)(photo.pixels)


def _to_8_bit(rgb: np.ndarray) -> np.ndarray:
    # Exact for 16 bit: round(v / 257).
    return rgb if rgb.dtype == np.uint8 else ((rgb.astype(np.uint32) + 128) // 257).astype(np.uint8)


def srgb_from_linear(linear: np.ndarray) -> np.ndarray:
    """The sRGB curve (IEC 61966-2-1) on values cut to 0…1."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.power(linear, 1 / 2.4) - 0.055)


def linear_from_srgb(srgb: np.ndarray) -> np.ndarray:
    """The inverse of srgb_from_linear, on 0…1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, np.power((srgb + 0.055) / 1.055, 2.4))


def _to_srgb(icc: bytes | None):
    """A transform to sRGB, or None where there is nothing to do."""
    if icc is None:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return None
        return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    except ImageCms.PyCMSError:
        return None  # a damaged profile: the picture is shown as if it were sRGB, as browsers do
