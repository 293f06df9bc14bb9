"""OpenEXR: scene-linear pictures, displacement and motion vectors, ST-maps.

In displacement and ST-map files y and v point **up**, as Blender and Nuke have it; the engine's own arrays have y
down (docs/ARCHITECTURE.md), and the writers here turn it. Signs and channel names are those of Blender 4.5: its
Cycles writes the same Vector pass, and its Displace and Map UV nodes give the expected warp to the last bit.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import OpenEXR

from ..errors import GidError
from .safe_write import safe_write

MAGIC = b"\x76\x2f\x31\x01"


def exr_size(path: Path) -> tuple[int, int]:
    """(width, height) of the display window, from the header alone."""
    header = _open(path, header_only=True).header()
    width, height = _extent(header["displayWindow"])
    if max(_extent(header["dataWindow"])) > 4 * max(width, height):
        raise _damaged(path)
    return width, height


def read_exr(path: Path) -> tuple[np.ndarray, tuple | None]:
    """The picture of an EXR, float32 or float16 [H, W, 3 | 4], premultiplied, and its chromaticities or None.

    Takes R, G, B (and A), or Y, of the unnamed layer, else of the first layer that has them (a `Combined` pass
    first). The data window is placed in the display window; pixels outside of it are 0.
    """
    file = _open(path)
    header, channels = file.header(), {name: c.pixels for name, c in file.channels().items()}
    planes = [channels[name] for name in _picture_channels(path, channels)]
    if any(p.shape != planes[0].shape or p.dtype.kind != "f" for p in planes):
        raise GidError(
            "photo_unsupported",
            f"{path} stores its channels in a way that is not supported (subsampled or whole numbers).",
            "Save it as an RGB EXR with half or float channels.",
        )
    picture = np.stack(planes if len(planes) > 1 else planes * 3, axis=-1)
    return _in_display_window(picture, header), _chromaticities(header)


def write_exr(path: str | os.PathLike, pixels: np.ndarray, chromaticities: tuple | None = None) -> None:
    """Write float32 or float16 [H, W, 3 | 4] as R, G, B (A) without loss."""
    header = {} if chromaticities is None else {"chromaticities": chromaticities}
    write_channels(path, dict(zip("RGBA", np.moveaxis(pixels, -1, 0), strict=False)), header)


def write_displacement_exr(
    path: str | os.PathLike,
    forward: np.ndarray,
    backward: np.ndarray | None = None,
    motion: np.ndarray | None = None,
    hole: np.ndarray | None = None,
) -> None:
    """Write one frame's displacement as a multilayer EXR (float32) that Blender opens as layer `Photo`.

    forward: [H, W, 2], how far the photo's pixel at this place has gone, in pixels, (x right, y down).
    backward: [H, W, 2], how far what is seen at this pixel has come; pass it to Blender's Displace node, which
    takes out(x) = in(x − d).
    motion: [H, W, 4], at the frame's own pixels: (x, y) where it was one frame before minus where it is, (x, y)
    where it is minus where it will be one frame later; Blender's Vector pass, for Vector Blur.
    hole: [H, W], 1 where nothing of the photo is seen.

    Channels: `Photo.Displacement.X/Y/Z`, `Photo.Backward.X/Y/Z`, `Photo.Motion.X/Y/Z/W`, `Photo.Hole.V`; Z of the
    first two is 0; y points up in all.
    """
    channels = _vector("Photo.Displacement", forward)
    if backward is not None:
        channels |= _vector("Photo.Backward", backward)
    if motion is not None:
        upwards = np.asarray(motion, np.float32) * np.float32([1, -1, 1, -1])
        channels |= {f"Photo.Motion.{c}": upwards[..., i] for i, c in enumerate("XYZW")}
    if hole is not None:
        channels["Photo.Hole.V"] = np.asarray(hole, np.float32)
    write_channels(path, channels)


def write_stmap(path: str | os.PathLike, source: np.ndarray) -> None:
    """Write an ST-map (float32 RGB EXR): R, G = the (u, v) of the photo seen at each pixel, v up, B = 1.

    source: [H, W, 2], the place in the photo that each pixel of the frame shows, (x right, y down) in pixels, the
    centre of the top left one at (0, 0). Pixel centres lie at (j + ½)/W, so that stillness is the identity map of
    Nuke's STMap and Blender's Map UV, which takes B as coverage.
    """
    height, width = source.shape[:2]
    u = (source[..., 0].astype(np.float64) + 0.5) / width
    v = 1 - (source[..., 1].astype(np.float64) + 0.5) / height
    write_channels(path, {"R": u, "G": v, "B": np.ones((height, width))})


def write_channels(path: str | os.PathLike, channels: dict[str, np.ndarray], header: dict | None = None) -> None:
    """Write named channels [H, W] to one EXR part, lossless; float16 stays half, all else becomes float32."""
    planes = {
        name: np.ascontiguousarray(plane, np.float16 if plane.dtype == np.float16 else np.float32)
        for name, plane in channels.items()
    }
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **(header or {})}
    with safe_write(path) as part:
        try:
            OpenEXR.File(header, planes).write(str(part))
        except RuntimeError as error:
            reasons = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EACCES)  # OpenEXR passes on the text alone
            number = next((n for n in reasons if os.strerror(n) in str(error)), errno.EIO)
            raise OSError(number, str(error)) from error


def _vector(name: str, displacement: np.ndarray) -> dict[str, np.ndarray]:
    x, y = np.moveaxis(np.asarray(displacement, np.float32), -1, 0)
    return {f"{name}.X": x, f"{name}.Y": -y, f"{name}.Z": np.zeros_like(x)}


def _open(path: Path, **options) -> OpenEXR.File:
    try:
        file = OpenEXR.File(str(path), separate_channels=True, **options)
        if not file.parts:  # how OpenEXR shows pixels that could not be decoded
            raise _damaged(path)
        return file
    except (RuntimeError, ValueError, TypeError, OSError, MemoryError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> GidError:
    return GidError(
        "photo_damaged", f"{path} is damaged or not a picture that OpenEXR can read.", "Choose another file."
    )


def _picture_channels(path: Path, channels: dict) -> list[str]:
    layers = [name[:-1] for name in channels if name.endswith(("R", "Y")) and name[:-1][-1:] in ("", ".")]
    for layer in sorted(layers, key=lambda layer: (layer != "", "Combined" not in layer, layer)):
        if all(layer + c in channels for c in "RGB"):
            return [layer + c for c in "RGBA" if layer + c in channels]
        if layer + "Y" in channels and layer + "RY" not in channels:
            return [layer + "Y"]
    raise GidError(
        "photo_unsupported",
        f"{path} has no channels R, G, B.",
        "Save the picture as an RGB EXR.",
    )


def _extent(window) -> tuple[int, int]:
    low, high = np.asarray(window[0], np.int64), np.asarray(window[1], np.int64)
    width, height = high - low + 1
    return int(width), int(height)


def _in_display_window(picture: np.ndarray, header: dict) -> np.ndarray:
    (left, top), (x0, y0) = (np.asarray(header[k][0], int) for k in ("displayWindow", "dataWindow"))
    width, height = _extent(header["displayWindow"])
    if (left, top, height, width) == (x0, y0, *picture.shape[:2]):
        return picture
    whole = np.zeros((height, width, picture.shape[2]), picture.dtype)
    y, x = y0 - top, x0 - left
    rows = slice(max(y, 0), min(y + picture.shape[0], height))
    columns = slice(max(x, 0), min(x + picture.shape[1], width))
    if rows.start < rows.stop and columns.start < columns.stop:
        whole[rows, columns] = picture[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    return whole


def _chromaticities(header: dict) -> tuple | None:
    value = header.get("chromaticities")
    return None if value is None else tuple(value)
