"""A baked sequence on a plane's material, and what is shown where its files are missing."""

from __future__ import annotations

import bpy

from ..core.engine import GidError
from ..core.sequence import Sequence, missing_error, sequence_from
from . import compat, files, material
from .material import UPRIGHT_UV
from .ownership import make_single_user, shared


def link(plane: bpy.types.Object, sequence: Sequence) -> None:
    """Show the sequence on the plane. GidError, and nothing changed, where a file is missing or cut off."""
    sequence.check()
    make_single_user(plane)
    surface = plane.active_material
    if material.image_node(surface, material.PHOTO) is None:
        raise files.not_a_photo(plane)
    image = _image(surface, sequence)
    node = material.set_baked(surface, image, UPRIGHT_UV)
    release(plane)
    for name, value in sequence.image_user.items():
        setattr(node.image_user, name, value)
    node.image_user.use_auto_refresh = True
    gid = plane.gid
    gid.baked_first, gid.baked_last = sequence.first, sequence.last
    gid.display = "BAKED"


def unlink(plane: bpy.types.Object) -> None:
    """Forget the baked sequence: the plane shows its photo."""
    node = material.image_node(plane.active_material, material.BAKED)
    if node is not None:
        plane.gid.display = "PHOTO"
        release(plane)
        material.remove_baked(plane.active_material)
    plane.gid.baked_first, plane.gid.baked_last = 0, -1


def shown(plane: bpy.types.Object) -> Sequence | None:
    """The sequence that the material holds, or None."""
    node = material.image_node(plane.active_material, material.BAKED)
    if node is None or node.image is None:
        return None
    path = files.absolute(node.image.filepath, node.image)
    return sequence_from(path, node.image_user.frame_duration, node.image_user.use_cyclic)


def missing(plane: bpy.types.Object) -> list[int]:
    """Numbers of baked files that are gone; all of them where there is no bake."""
    sequence = shown(plane)
    return sequence.missing() if sequence else []


def hold(plane: bpy.types.Object, scene: bpy.types.Scene) -> GidError | None:
    """Show the nearest file in the place of each that is missing, the photo where all are; what was wrong.

    Blender shows magenta for a missing file. The holds are keyframes of the node: a farm knows them, too.
    """
    sequence = shown(plane)
    if sequence is None:
        return None
    gone = sequence.missing()
    surface = plane.active_material
    release(plane)
    if not gone:
        if surface.node_tree.nodes.active != material.image_node(surface, material.BAKED):
            material.show(surface, material.BAKED)  # files that were missing are back
        return None
    if len(gone) == len(sequence):
        material.show(surface, material.PHOTO)
        return missing_error(sequence, gone)
    node = material.image_node(surface, material.BAKED)
    offset = node.image_user.frame_offset
    for frame, shift in sequence.held(gone, range(scene.frame_start, scene.frame_end + 1)):
        node.image_user.frame_offset = offset + shift
        node.image_user.keyframe_insert("frame_offset", frame=frame)
    for curve in _holds(surface):
        for key in curve.keyframe_points:
            key.interpolation = "CONSTANT"
    node.image_user.frame_offset = offset
    return missing_error(sequence, gone)


def release(plane: bpy.types.Object) -> None:
    """Take away the keyframes of `hold`."""
    sequence, surface = shown(plane), plane.active_material
    for curve in _holds(surface):
        compat.remove_fcurve(surface.node_tree, curve)
        image_user = material.image_node(surface, material.BAKED).image_user
        image_user.frame_offset = sequence.image_user["frame_offset"]


def _holds(surface: bpy.types.Material) -> list[bpy.types.FCurve]:
    path = f'nodes["{material.BAKED}"].image_user.frame_offset'
    return [curve for curve in compat.fcurves(surface.node_tree) if curve.data_path == path]


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
    # Frames of the photo's kind keep its colour space; EXR from other photos and the reverse have Blender's own.
    if photo is not None and (sequence.suffix == ".exr") == photo.filepath.lower().endswith(".exr"):
        image.colorspace_settings.name = photo.colorspace_settings.name
    image.reload()
    return image
