"""Where the engine is, how it is installed, and where unsaved files keep their frames."""

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from ..adapters import compat, engine_setup
from ..core.engine import problem
from .panels import draw_job

# What there is to do in each state of the engine: operators, the first of them the one to begin with.
_ACTIONS = {
    "MISSING": (("gid.install_engine", "Install Engine", "IMPORT"),),
    "INCOMPLETE": (
        ("gid.install_engine", "Go On Installing", "IMPORT"),
        ("gid.remove_engine", "Remove", "TRASH"),
    ),
    "OUTDATED": (
        ("gid.install_engine", "Update Engine", "FILE_REFRESH"),
        ("gid.remove_engine", "Remove", "TRASH"),
    ),
    "READY": (
        ("gid.test_engine", "Test", "CHECKMARK"),
        ("gid.repair_engine", "Check and Repair", "TOOL_SETTINGS"),
        ("gid.install_engine", "Install Again", "FILE_REFRESH"),
        ("gid.remove_engine", "Remove", "TRASH"),
    ),
    "OTHER": (("gid.test_engine", "Test", "CHECKMARK"),),
}


class GID_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = compat.ADDON

    engine_folder: StringProperty(
        name="Engine Folder",
        description="Where the engine is installed: some gigabytes, shared by all versions of Blender. "
        "Empty is a folder of your user account",
        subtype="DIR_PATH",
    )
    backend: EnumProperty(
        name="Backend",
        description="What the engine is installed for",
        items=(
            ("auto", "Automatic", "The graphics card if there is one that suits, else the processor"),
            ("cpu", "CPU", "The processor: works everywhere, slower. 3 GB"),
            (
                "cuda",
                "NVIDIA CUDA",
                "Graphics cards of NVIDIA's from the 16 series on, driver 580 or newer. 12 GB",
            ),
            ("cuda126", "NVIDIA CUDA 12.6", "Older graphics cards or drivers of NVIDIA's. 12 GB"),
            ("rocm", "AMD ROCm", "Graphics cards of AMD's under Linux. 24 GB"),
            ("mps", "Apple Metal", "Apple's own processors. 2 GB"),
        ),
        default="auto",
    )
    wheels_folder: StringProperty(
        name="Packages Folder",
        description="Folder of downloaded packages (wheels) to install from without a network",
        subtype="DIR_PATH",
    )
    pytorch_index: StringProperty(
        name="PyTorch Index",
        description="Address of a package index to take PyTorch from. Empty is PyTorch's own for the backend. "
        "All other packages come from where pip is set up to find them",
    )
    base_python: StringProperty(
        name="Base Python",
        description="Python 3.11 or newer to build the environment on. Empty is Blender's own",
        subtype="FILE_PATH",
    )
    engine_python: StringProperty(
        name="Engine Python",
        description="Python of an environment of your own that has the engine's packages",
        subtype="FILE_PATH",
    )
    device: EnumProperty(
        name="Device",
        description="What the engine computes on",
        items=(
            ("auto", "Automatic", "The graphics card if the engine can use it, else the processor"),
            ("cuda", "CUDA or ROCm", "A graphics card of NVIDIA's or AMD's"),
            ("mps", "Metal", "Apple's graphics"),
            ("cpu", "CPU", "The processor"),
        ),
        default="auto",
    )
    idle_minutes: IntProperty(
        name="Release Memory After",
        description="Minutes after which an idle engine ends and gives its memory back, the GPU's too; 0 is never",
        default=2,
        min=0,
        soft_max=60,
    )
    cache_folder: StringProperty(
        name="Unsaved Files",
        description="Where motions and frames lie until the .blend file is saved. Empty is a user folder",
        subtype="DIR_PATH",
    )
    drop_photos: BoolProperty(
        name="Drop Photos into the Viewport",
        description="Offer to animate a photo that is dropped into a 3D viewport, beside what Blender offers",
        default=True,
    )

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        if problem:
            layout.label(text=problem, icon="ERROR")
        state, sentence = engine_setup.state()
        layout.label(text=sentence, icon="CHECKMARK" if state in ("READY", "OTHER") else "ERROR")
        row = layout.row(align=True)
        for operator, text, icon in _ACTIONS[state]:
            row.operator(operator, text=text, icon=icon)
        draw_job(layout)
        layout.separator()
        column = layout.column()
        column.prop(self, "backend")
        column.prop(self, "device")
        row = column.row()
        row.prop(self, "idle_minutes")
        row.operator("gid.stop_engine", text="", icon="CANCEL")
        column.prop(self, "cache_folder")
        column.prop(self, "drop_photos")
        header, body = layout.panel("gid_engine_places", default_closed=True)
        header.label(text="Where the Engine Comes From and Goes To")
        if body:
            for name in ("engine_folder", "wheels_folder", "pytorch_index", "base_python", "engine_python"):
                body.prop(self, name)


CLASSES = (GID_AP_preferences,)
