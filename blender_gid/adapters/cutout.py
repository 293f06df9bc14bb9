"""A plant cut out of its photo: a mask becomes the photo's transparency, so that the edge moves along."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..core.engine import GidError
from ..core.photo_file import exif_orientation, stored_uv
from . import compat, display, files, material


def cut_out(plane: bpy.types.Object, mask: bpy.types.Image | None) -> None:
    """Make the plane transparent where the mask is black; None: by the photo's own transparency.

    The masked photo is a new file in the plane's folder, and becomes the plane's photo. GidError where there is
    nothing to go by.
    """
    surface = plane.active_material
    image = material.photo_image(plane)
    if image is None:
        raise files.not_a_photo(plane)
    if mask is not None:
        image = _masked(plane, image, mask)
        node = material.image_node(surface, material.PHOTO)
        node.image = image
        surface.node_tree.nodes[f"{material.PHOTO} UV"].uv_map = material.UPRIGHT_UV
    elif not material.has_alpha(image):
        raise GidError("no_alpha", f"{image.name} has no transparency.", "Choose a mask: white stays, black goes.")
    material.add_alpha(surface)
    compat.cut_out_transparency(surface)
    display.apply(plane)


def _masked(plane: bpy.types.Object, image: bpy.types.Image, mask: bpy.types.Image) -> bpy.types.Image:
    import numpy as np  # Blender's own; missing in some builds, see core.engine

    source = files.photo_path(plane)
    stored, grey = _pixels(image), _pixels(mask)[..., 0]
    width, height = plane.gid.photo_size
    u, v = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    pixels = _nearest(stored, *stored_uv(exif_orientation(source), u, v))
    alpha = pixels[..., 3] * np.clip(_bilinear(grey, u, v), 0, 1)
    if image.is_float:  # associated alpha, as in EXR
        share = np.divide(alpha, pixels[..., 3], out=np.zeros_like(alpha), where=pixels[..., 3] > 0)
        pixels[..., :3] *= share[..., None]
    pixels[..., 3] = alpha
    suffix = ".exr" if image.is_float else ".png"
    path = files.plane_folder(plane) / f"{plane.gid.folder} cut out{suffix}"
    return _saved(pixels, image, path)


def _saved(pixels, like: bpy.types.Image, path: Path) -> bpy.types.Image:
    height, width = pixels.shape[:2]
    result = bpy.data.images.new(path.stem, width, height, alpha=True, float_buffer=like.is_float)
    try:
        if not like.is_float:
            result.colorspace_settings.name = like.colorspace_settings.name
        result.pixels.foreach_set(pixels.ravel())
        result.file_format = "OPEN_EXR" if like.is_float else "PNG"
        result.filepath_raw = str(path)
        result.save()
    except RuntimeError as error:
        raise GidError("cannot_write", f"{path} could not be written.", "Free some space on the disk.") from error
    finally:
        bpy.data.images.remove(result)
    loaded = bpy.data.images.load(str(path))
    loaded.filepath = files.stored(path)
    if not like.is_float:
        loaded.colorspace_settings.name = like.colorspace_settings.name
    return loaded


def _pixels(image: bpy.types.Image):
    """float32 [H, W, 4], bottom row first. GidError where the image has none."""
    import numpy as np

    width, height = image.size
    if not (width and height):
        raise GidError("image_unreadable", f"The image {image.name} has no pixels.", "Choose another image.")
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    values = values.reshape(height, width, image.channels)
    if image.channels == 4:
        return values
    full = np.ones((height, width, 4), np.float32)
    full[..., : min(3, image.channels)] = values[..., :3]
    return full


def _nearest(pixels, u, v):
    height, width = pixels.shape[:2]
    return pixels[(v * height).astype(int).clip(0, height - 1), (u * width).astype(int).clip(0, width - 1)]


def _bilinear(values, u, v):
    import numpy as np

    height, width = values.shape
    x, y = np.clip(u * width - 0.5, 0, width - 1), np.clip(v * height - 0.5, 0, height - 1)
    x0, y0 = x.astype(int), y.astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    low = values[y0, x0] * (1 - (x - x0)) + values[y0, x1] * (x - x0)
    high = values[y1, x0] * (1 - (x - x0)) + values[y1, x1] * (x - x0)
    return low * (1 - (y - y0)) + high * (y - y0)
