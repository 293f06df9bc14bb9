"""Operators: thin. Instant ones can be undone and adjusted; long ones run beside Blender and stop with Esc."""

import bpy

from . import bake, clip, engine, farm, impulses, output, photo, places, predict, regions, variations

_CLASSES = (
    *photo.CLASSES,
    *predict.CLASSES,
    *clip.CLASSES,
    *bake.CLASSES,
    *output.CLASSES,
    *farm.CLASSES,
    *impulses.CLASSES,
    *places.CLASSES,
    *regions.CLASSES,
    *variations.CLASSES,
    *engine.CLASSES,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    farm.register()


def unregister() -> None:
    farm.unregister()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
