"""Panels, menus, lists and preferences."""

import bpy

from . import menus, output_panel, panels, preferences

_CLASSES = (*preferences.CLASSES, *panels.CLASSES, *output_panel.CLASSES, *menus.CLASSES)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    menus.append()
    output_panel.append()


def unregister() -> None:
    output_panel.remove()
    menus.remove()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
