"""Runs in Blender: FOLDER. Installs the engine on Blender's own Python from a folder that lacks everything."""

import sys
from pathlib import Path

import bpy

ADDON = "bl_ext.user_default.blender_gid"
folder = Path(sys.argv[-1])
preferences = bpy.context.preferences.addons[ADDON].preferences
preferences.engine_folder, preferences.wheels_folder = str(folder / "engine"), str(folder / "wheels")
(folder / "wheels").mkdir(parents=True)
try:
    bpy.ops.gid.install_engine()
except RuntimeError as error:
    print("SAYS:", error)
print("STATE:", sys.modules[f"{ADDON}.adapters.engine_setup"].state())
