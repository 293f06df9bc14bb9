"""Photos: any still picture a person has, upright, at its own bit depth, with its alpha and colour space."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms

from ..errors import GidError
from .exr import MAGIC as EXR_MAGIC
from .exr import exr_size, read_exr

MAX_SIDE = 16384
MAX_PIXELS = 134_217_728  # 16384 × 8192
MIN_SIDE = 16
_MAX_BYTES = 4 << 30
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
_ORIENTATION = 0x0112
_SAVE_AS = "Save it as PNG, JPEG, TIFF, WebP, BMP or EXR."


@dataclass(frozen=True)
class Photo:
    """A photo, upright.

    pixels: [H, W, 3 | 4], RGB(A): uint8 or uint16 with straight alpha, or float32 scene-linear with premultiplied
    alpha (EXR). sha256: of the file's bytes. icc: its RGB colour profile. chromaticities, half: of an EXR.
    """

    pixels: np.ndarray = field(repr=False)
    sha256: str = ""
    path: Path | None = None
    icc: bytes | None = field(default=None, repr=False)
    chromaticities: tuple | None = None
    half: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def has_alpha(self) -> bool:
        return self.pixels.shape[2] == 4


def load_photo(path: str | os.PathLike) -> Photo:
    """Read PNG, JPEG, TIFF, WebP, BMP or EXR. Sizes are checked before anything is decoded.

    Grey, palette and CMYK become RGB (CMYK and grey by their profile into sRGB); the EXIF rotation is applied. In
    an EXR, values that are not finite become 0. Raises GidError naming the file.
    """
    path = Path(path)
    data = _read(path, "photo")
    if data[:4] == EXR_MAGIC:
        photo = _load_exr(path)
    else:
        pixels, icc = _decode(path, data, "photo")
        photo = Photo(pixels, icc=icc)
    return replace(photo, sha256=hashlib.sha256(data).hexdigest(), path=path)


def photo_from_array(pixels: np.ndarray) -> Photo:
    """A photo of an array [H, W, 3 | 4] (uint8, uint16 or float32), for pictures that are not in a file."""
    pixels = np.ascontiguousarray(pixels)
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise ValueError(
            f"a photo must be uint8, uint16 or float32 [H, W, 3 | 4], not {pixels.dtype} {pixels.shape}"
        )
    return Photo(pixels, sha256=hashlib.sha256(pixels.tobytes()).hexdigest())


def resize_photo(photo: Photo, long_side: int) -> Photo:
    """The photo reduced (by area) to a long side in pixels; as it is where it is already no larger."""
    width, height = photo.size
    scale = long_side / max(width, height)
    if scale >= 1:
        return photo
    size = max(1, round(width * scale)), max(1, round(height * scale))
    pixels = photo.pixels
    if not photo.has_alpha or pixels.dtype == np.float32:
        return replace(photo, pixels=cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    # Straight alpha: colours are averaged by how much of them is seen.
    alpha = pixels[..., 3:].astype(np.float32)
    reduced = cv2.resize(np.dstack([pixels[..., :3] * alpha, alpha]), size, interpolation=cv2.INTER_AREA)
    reduced[..., :3] /= np.maximum(reduced[..., 3:], 1e-6)
    return replace(photo, pixels=np.rint(reduced).astype(pixels.dtype))


def load_mask(path: str | os.PathLike, size: tuple[int, int]) -> np.ndarray:
    """A grey picture as float32 [h, w] in 0…1 (white = moves), resized to size = (w, h) by area.

    Of a picture with colours the luma is taken; a transparent place counts as black.
    """
    path = Path(path)
    data = _read(path, "mask")
    if data[:4] == EXR_MAGIC:
        grey = np.clip(_luma(_load_exr(path).pixels), 0, 1)
    else:
        pixels, _ = _decode(path, data, "mask")
        unit = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
        grey = _luma(unit) * (unit[..., 3] if unit.shape[2] == 4 else 1)
    return np.clip(cv2.resize(np.ascontiguousarray(grey), size, interpolation=cv2.INTER_AREA), 0, 1)


def _luma(rgb: np.ndarray) -> np.ndarray:
    return rgb[..., :3] @ np.float32([0.2126, 0.7152, 0.0722])


def _read(path: Path, noun: str) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a file"
            raise GidError(f"{noun}_not_file", f"The {noun} {path} is {kind}.", "Choose a picture file.")
        if not status.st_size:
            raise GidError(f"{noun}_empty", f"The {noun} {path} is empty.", "Choose another file.")
        if status.st_size > _MAX_BYTES:
            raise GidError(f"{noun}_too_large", f"The {noun} {path} is larger than 4 GiB.", "Scale it down.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise GidError(f"{noun}_missing", f"There is no {noun} at {path}.", "Check the path.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GidError(
            f"{noun}_unreadable",
            f"The {noun} {path} could not be read: {reason}.",
            "Check the path and its rights.",
        ) from error


def _check_size(path: Path, size: tuple[int, int], noun: str) -> None:
    width, height = size
    if max(size) > MAX_SIDE or width * height > MAX_PIXELS:
        raise _too_large(path, f"has {width} × {height} pixels", noun)
    if min(size) < MIN_SIDE and noun == "photo":
        raise GidError(
            "photo_too_small",
            f"The photo {path} has {width} × {height} pixels, and at least {MIN_SIDE} a side are needed.",
            "Choose a larger photo.",
        )


def _too_large(path: Path, how: str, noun: str) -> GidError:
    return GidError(
        f"{noun}_too_large",
        f"The {noun} {path} {how}; the limit is {MAX_SIDE} a side and {MAX_PIXELS // 10**6} megapixels.",
        "Scale it down first.",
    )


def _damaged(path: Path, noun: str) -> GidError:
    return GidError(
        f"{noun}_damaged", f"The {noun} {path} is damaged or cut short.", "Fetch the file anew, or save it again."
    )


def _unsupported(path: Path, noun: str, what: str) -> GidError:
    return GidError(f"{noun}_unsupported", f"The {noun} {path} {what}.", _SAVE_AS)


def _load_exr(path: Path) -> Photo:
    _check_size(path, exr_size(path), "photo")
    picture, chromaticities = read_exr(path)
    finite = np.isfinite(picture)
    if not finite.any():
        raise GidError("photo_not_finite", f"No value of the photo {path} is a number.", "Choose another file.")
    pixels = np.where(finite, picture, 0).astype(np.float32)
    return Photo(pixels, chromaticities=chromaticities, half=picture.dtype == np.float16)


def _decode(path: Path, data: bytes, noun: str) -> tuple[np.ndarray, bytes | None]:
    """(uint8 or uint16 [H, W, 3 | 4] upright, its RGB profile or None)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large or oddly tagged pictures; what matters is checked here
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                _check_size(path, image.size, noun)
                icc = _rgb_profile(image)
                if _bits(path, data, image, noun) == 16:
                    return _decode_16(path, data, image, noun), icc
                return _upright(np.asarray(_to_rgb(path, image, noun)), _orientation(image)), icc
    except Image.DecompressionBombError as error:
        raise _too_large(path, f"has more than {MAX_PIXELS // 10**6} megapixels", noun) from error
    except Image.UnidentifiedImageError as error:
        raise GidError(
            f"{noun}_not_image", f"The {noun} {path} is not a picture of a kind that can be read.", _SAVE_AS
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, KeyError, IndexError, TypeError) as error:
        raise _damaged(path, noun) from error  # what Pillow's readers raise on broken files


def _bits(path: Path, data: bytes, image: Image.Image, noun: str) -> int:
    """Bits a channel: 16, or 8 for less and for all that Pillow reads as such."""
    if image.format == "PNG":
        return 16 if data[24] == 16 else 8
    if image.format != "TIFF":
        return 8
    bits, layout = max(image.tag_v2.get(258, (1,))), image.tag_v2.get(262)
    if bits > 16 or (bits == 16 and (layout not in (1, 2) or image.tag_v2.get(339, (1,))[0] != 1)):
        raise _unsupported(path, noun, "stores its colours in a way that is not supported")
    return 16 if bits == 16 else 8


def _decode_16(path: Path, data: bytes, image: Image.Image, noun: str) -> np.ndarray:
    """By OpenCV: Pillow has no 16-bit colour. Both formats' orientation is applied here, not by OpenCV."""
    if image.format == "PNG":
        image.verify()  # every chunk's checksum
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise _damaged(path, noun)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    if image.format == "TIFF" and image.tag_v2.get(338, (0,))[0] == 1:  # associated alpha
        alpha = np.maximum(pixels[..., 3:], 1) / np.float64(65535)
        pixels[..., :3] = np.minimum(np.rint(pixels[..., :3] / alpha), 65535)
    return np.ascontiguousarray(pixels)


def _to_rgb(path: Path, image: Image.Image, noun: str) -> Image.Image:
    """Any 8-bit picture as RGB or RGBA."""
    mode, profile = image.mode, image.info.get("icc_profile")
    if mode in ("RGB", "RGBA") and "transparency" not in image.info:
        image.load()
        return image
    if mode in ("CMYK", "L") and profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except ImageCms.PyCMSError:
            return image.convert("RGB")  # a profile of another kind than its picture says nothing
    if mode in ("LA", "La", "PA", "RGBa", "RGBA") or "transparency" in image.info:
        return image.convert("RGBA")
    if mode in ("1", "L", "P", "CMYK", "YCbCr"):
        return image.convert("RGB")
    raise _unsupported(path, noun, f"stores its colours in a way that is not supported ({mode})")


def _rgb_profile(image: Image.Image) -> bytes | None:
    """The picture's profile where it describes RGB and the picture is RGB too."""
    profile = image.info.get("icc_profile")
    coloured = image.mode in ("RGB", "RGBA", "P", "PA", "RGBa")
    return profile if profile and coloured and profile[16:20] == b"RGB " else None


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1…8 that decoding has not applied yet (Pillow applies a TIFF's own)."""
    try:
        return 1 if image.format == "TIFF" else int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, SyntaxError, ValueError, TypeError, struct.error):
        return 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF 2.3, tag 274: quarter turns counter-clockwise, then a mirror from left to right."""
    turns, mirror = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True),
                     8: (1, False)}.get(orientation, (0, False))  # fmt: skip
    pixels = np.rot90(pixels, turns)
    return np.ascontiguousarray(pixels[:, ::-1] if mirror else pixels)
