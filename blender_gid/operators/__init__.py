"""Operators: thin. Instant ones can be undone and adjusted; long ones run beside Blender and stop with Esc."""

import bpy

from . import bake, engine, impulses, photo, predict

_CLASSES = (*photo.CLASSES, *predict.CLASSES, *bake.CLASSES, *impulses.CLASSES, *engine.CLASSES)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
