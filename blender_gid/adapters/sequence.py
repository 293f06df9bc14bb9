"""A baked sequence on a plane's material."""

from __future__ import annotations

import bpy

from ..core.sequence import Sequence
from . import files, material
from .ownership import make_single_user, shared
from .plane import UPRIGHT_UV


def link(plane: bpy.types.Object, sequence: Sequence) -> None:
    """Show the sequence on the plane. GidError, and nothing changed, where a file is missing or cut off."""
    sequence.check()
    make_single_user(plane)
    surface = plane.active_material
    if material.image_node(surface, material.PHOTO) is None:
        raise files.not_a_photo(plane)
    image = _image(surface, sequence)
    node = material.set_baked(surface, image, UPRIGHT_UV)
    for name, value in sequence.image_user.items():
        setattr(node.image_user, name, value)
    node.image_user.use_auto_refresh = True
    gid = plane.gid
    gid.baked_first, gid.baked_last = sequence.first, sequence.last
    gid.display = "BAKED"


def _image(surface: bpy.types.Material, sequence: Sequence) -> bpy.types.Image:
    photo = material.image_node(surface, material.PHOTO).image
    node = material.image_node(surface, material.BAKED)
    path = sequence.path(sequence.first)
    image = node.image if node else None
    # Another format may keep its alpha another way: Blender decides when it loads the file.
    if image is None or shared(image) or not image.filepath.endswith(sequence.suffix):
        image = bpy.data.images.load(str(path))
    image.filepath = files.stored(path)
    image.source = "SEQUENCE"
    if photo is not None:
        image.colorspace_settings.name = photo.colorspace_settings.name
    image.reload()
    return image
