"""Every difference between Blender versions, found by asking "does it exist?"."""

from __future__ import annotations

from pathlib import Path

import bpy

#: The add-on's own name: "blender_gid" in the development tree, "bl_ext.REPOSITORY.blender_gid" installed.
ADDON = __package__.rpartition(".")[0]


#: Options of a string property that holds a path which may start with "//" (4.5 warns without it).
RELATIVE_PATH = (
    {"PATH_SUPPORTS_BLEND_RELATIVE"}
    if "is_path_supports_blend_relative" in bpy.types.Property.bl_rna.properties
    else set()
)


def fcurves(datablock: bpy.types.ID) -> list[bpy.types.FCurve]:
    """The F-curves that animate a datablock through its action (slotted from 4.4 on)."""
    data = datablock.animation_data
    if data is None or data.action is None:
        return []
    if hasattr(data.action, "layers") and getattr(data, "action_slot", None) is not None:
        bags = [
            bag
            for layer in data.action.layers
            for strip in layer.strips
            if hasattr(strip, "channelbag") and (bag := strip.channelbag(data.action_slot))
        ]
        return [curve for bag in bags for curve in bag.fcurves]
    return list(getattr(data.action, "fcurves", ()))


def new_fcurve(datablock: bpy.types.ID, action: bpy.types.Action, data_path: str, index: int = 0):
    """A new, empty F-curve of the datablock in the action that it already uses."""
    if hasattr(action, "fcurve_ensure_for_datablock"):
        return action.fcurve_ensure_for_datablock(datablock, data_path, index=index)
    return action.fcurves.new(data_path, index=index)


def remove_fcurve(datablock: bpy.types.ID, curve: bpy.types.FCurve) -> None:
    """Remove an F-curve from the datablock's action."""
    action = datablock.animation_data.action
    if hasattr(action, "fcurves"):
        action.fcurves.remove(curve)
        return
    for strip in (strip for layer in action.layers for strip in layer.strips):
        bag = strip.channelbag(datablock.animation_data.action_slot)
        if bag is not None and any(other == curve for other in bag.fcurves):
            bag.fcurves.remove(curve)
            return


def session_uid(datablock: bpy.types.ID) -> int:
    """A number that names the datablock until the file is closed, through undo and renames; 0 if unknown."""
    return getattr(datablock, "session_uid", 0)


def preferences():
    """The add-on's preferences, or None where it runs without being enabled (from a script)."""
    addon = bpy.context.preferences.addons.get(ADDON)
    return addon.preferences if addon else None


def user_folder(name: str) -> Path:
    """A folder of the user's for files that no .blend file holds yet."""
    try:
        return Path(bpy.utils.extension_path_user(ADDON, path=name, create=True))
    except ValueError:  # not installed as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path=f"blender_gid/{name}", create=True))


def blend_transparency(material: bpy.types.Material) -> None:
    """Let EEVEE blend the material's alpha instead of dithering it."""
    if hasattr(material, "surface_render_method"):
        material.surface_render_method = "BLENDED"
    elif hasattr(material, "blend_method"):
        material.blend_method = "BLEND"


def use_nodes(material: bpy.types.Material) -> None:
    """Give the material a node tree (from 5.0 on it always has one)."""
    if material.node_tree is None:
        material.use_nodes = True


def online() -> bool:
    return getattr(bpy.app, "online_access", True)
