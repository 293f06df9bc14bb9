"""Pictures of Blender as arrays and files: masks for the engine, and the photo that guides their edges."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import bpy

from ..core import engine
from ..core.engine import GidError
from ..core.photo_file import exif_orientation
from . import files, material

_TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}


def painted(image: bpy.types.Image):
    """The image's red channel as it is painted now: float32 [h, w], top row first. GidError if it is empty."""
    if not all(image.size):
        raise GidError("mask_unreadable", f"The mask {image.name} has no pixels.", "Choose another image.")
    return _pixels(image)[..., 0].clip(0, 1)


def _pixels(image: bpy.types.Image):
    """float32 [h, w, channels], top row first."""
    import numpy as np  # Blender's own; missing in some builds, see core.engine

    width, height = image.size
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, image.channels)[::-1]


def save(image: bpy.types.Image, path: Path) -> Path:
    """Write the image's red channel as a greyscale PNG; the path."""
    from ..core.masks import mask_png

    engine.write_file(path, mask_png(painted(image)))
    return path


def load(path: Path):
    """A mask that was written for the engine: float32 [h, w], the same array until the file changes."""
    try:
        facts = path.stat()
        return _load(path, facts.st_mtime_ns, facts.st_size)
    except (OSError, ValueError) as error:
        raise GidError("mask_missing", f"The mask {path} can't be read.", "Press Update Preview.") from error


@lru_cache(maxsize=32)
def _load(path: Path, modified: int, size: int):
    from ..core.masks import read_mask_png

    return read_mask_png(path.read_bytes())


def guide(plane: bpy.types.Object, size: tuple[int, int]):
    """The plane's upright photo as float32 [h, w] in 0…1, perceived brightness."""
    path = files.photo_path(plane)
    facts = path.stat()
    return _guide(path, facts.st_mtime_ns, facts.st_size, material.photo_image(plane).name, size)


@lru_cache(maxsize=4)
def _guide(path: Path, modified: int, length: int, name: str, size: tuple[int, int]):
    import numpy as np

    turns, mirrored = _TURNS.get(exif_orientation(path), (0, False))
    small = bpy.data.images[name].copy()
    try:
        small.scale(*(size if turns % 2 == 0 else size[::-1]))
        pixels = _pixels(small)
        brightness = pixels[..., : min(3, small.channels)].mean(-1).clip(0, 1)
        brightness = np.sqrt(brightness) if small.is_float else brightness  # scene-linear
    finally:
        bpy.data.images.remove(small)
    upright = np.rot90(brightness, turns)
    return np.ascontiguousarray(upright[:, ::-1] if mirrored else upright)
