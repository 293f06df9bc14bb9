"""Where the engine is, how it is installed, and where unsaved files keep their frames."""

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..adapters import compat, jobs
from ..core.engine import GidError, problem
from .panels import draw_job


class GID_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = compat.ADDON

    engine_folder: StringProperty(
        name="Engine Folder",
        description="Where the engine is installed: some gigabytes, shared by all versions of Blender. "
        "Empty is a folder of your user account",
        subtype="DIR_PATH",
    )
    engine_python: StringProperty(
        name="Engine Python",
        description="Python of an environment of your own that has the engine's packages",
        subtype="FILE_PATH",
    )
    base_python: StringProperty(
        name="Base Python",
        description="Python 3.11 or newer to build the environment on. Empty is Blender's own",
        subtype="FILE_PATH",
    )
    wheels_folder: StringProperty(
        name="Packages Folder",
        description="Folder of downloaded packages (wheels) to install from without a network",
        subtype="DIR_PATH",
    )
    cache_folder: StringProperty(
        name="Unsaved Files",
        description="Where motions and frames lie until the .blend file is saved. Empty is a user folder",
        subtype="DIR_PATH",
    )
    device: EnumProperty(
        name="Device",
        description="What the engine computes on",
        items=(
            ("auto", "Automatic", "The graphics card if there is one that suits, else the processor"),
            ("cuda", "CUDA", "A graphics card of NVIDIA's"),
            ("mps", "Metal", "Apple's graphics"),
            ("cpu", "CPU", "The processor"),
        ),
        default="auto",
    )
    drop_photos: BoolProperty(
        name="Drop Photos into the Viewport",
        description="Photos dropped into a 3D viewport become planes to animate instead of reference images",
    )

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        if problem:
            layout.label(text=problem, icon="ERROR")
        layout.label(text=_engine_state(), icon="SYSTEM")
        layout.prop(self, "engine_folder")
        layout.prop(self, "wheels_folder")
        layout.prop(self, "base_python")
        row = layout.row(align=True)
        row.operator("gid.install_engine", icon="IMPORT")
        row.operator("gid.test_engine", icon="CHECKMARK")
        row.operator("gid.stop_engine", icon="CANCEL")
        draw_job(layout)
        layout.separator()
        layout.prop(self, "engine_python")
        layout.prop(self, "device")
        layout.prop(self, "cache_folder")
        layout.prop(self, "drop_photos")


def _engine_state() -> str:
    try:
        return f"Engine: {jobs.engine_python()}"
    except GidError as error:
        return str(error)


CLASSES = (GID_AP_preferences,)
