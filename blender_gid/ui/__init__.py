"""Panels, menus, lists and preferences."""

import bpy

from . import menus, panels, preferences

_CLASSES = (*preferences.CLASSES, *panels.CLASSES, *menus.CLASSES)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    menus.append()


def unregister() -> None:
    menus.remove()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
