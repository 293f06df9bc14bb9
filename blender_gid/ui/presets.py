"""Kinds of weather as Blender presets: files that set a photo's controls, in the menu of the panel Motion."""

from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

from ..operators.base import PhotoPoll

_SUBDIR = "blender_gid"
_FOLDER = str(Path(__file__).resolve().parents[1])  # holds presets/blender_gid
# What a kind of weather is; not where things are, how long a loop takes, or which of many motions it is.
VALUES = (
    "amplitude",
    "speed",
    "gain_low",
    "gain_mid",
    "gain_high",
    "stiffness",
    "damping",
    "wind_strength",
    "wind_gust",
)


class GID_PT_presets(PresetPanel, bpy.types.Panel):
    bl_label = "Weather"
    preset_subdir = _SUBDIR
    preset_operator = "script.execute_preset"
    preset_add_operator = "gid.preset_add"


class GID_OT_preset_add(AddPresetBase, PhotoPoll, bpy.types.Operator):
    """Keep the controls of the motion as a preset, or remove one"""

    bl_idname = "gid.preset_add"
    bl_label = "Add Weather Preset"
    preset_menu = "GID_PT_presets"
    preset_subdir = _SUBDIR
    preset_defines = ("gid = bpy.context.object.gid",)
    preset_values = tuple(f"gid.{name}" for name in VALUES)


def register() -> None:
    bpy.utils.register_preset_path(_FOLDER)


def unregister() -> None:
    bpy.utils.unregister_preset_path(_FOLDER)


CLASSES = (GID_PT_presets, GID_OT_preset_add)
