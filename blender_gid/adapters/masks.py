"""A mask painted in Blender, as a file for the engine."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..core import engine
from ..core.engine import GidError
from ..core.photo_file import grey_png


def save(image: bpy.types.Image, path: Path) -> Path:
    """Write the image's red channel, as it is painted right now, as a greyscale PNG; the path."""
    width, height = image.size
    if not (width and height):
        raise GidError("mask_unreadable", f"The mask {image.name} has no pixels.", "Choose another image.")
    import numpy as np  # Blender's own; missing in some builds, see core.engine

    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    grey = pixels.reshape(height, width, image.channels)[::-1, :, 0]
    rows = np.round(np.clip(grey, 0, 1) * 255).astype(np.uint8)
    engine.write_file(path, grey_png(width, height, rows.tobytes()))
    return path
