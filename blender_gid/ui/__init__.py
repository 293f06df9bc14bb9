"""Panels, menus, lists and preferences."""

import bpy

from . import control_panels, menus, output_panel, panels, preferences, presets, translations

_CLASSES = (
    *preferences.CLASSES,
    *presets.CLASSES,
    *panels.CLASSES,
    *control_panels.CLASSES,
    *panels.LAST,
    *output_panel.CLASSES,
    *menus.CLASSES,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    menus.append()
    presets.register()
    translations.register()
    output_panel.append()


def unregister() -> None:
    output_panel.remove()
    translations.unregister()
    presets.unregister()
    menus.remove()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
