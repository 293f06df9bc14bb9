"""Import a photo as a plane."""

from math import pi
from pathlib import Path

import bpy
from bpy.props import CollectionProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..adapters import plane as planes
from ..core.engine import GidError
from .base import UNDOABLE, home_among, refuse

EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".webp", ".bmp")


class GID_OT_import_photo(bpy.types.Operator, ImportHelper):
    """Import a photo as a plane that can be brought to life"""

    bl_idname = "gid.import_photo"
    bl_label = "Import Photo to Animate"
    bl_options = UNDOABLE

    filter_glob: StringProperty(default=";".join(f"*{e}" for e in EXTENSIONS), options={"HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})

    align: EnumProperty(
        name="Align",
        description="How the plane stands",
        items=(
            ("UPRIGHT", "Upright", "Standing, facing the front view"),
            ("FLAT", "Flat", "Lying on the ground, facing up"),
            ("VIEW", "View", "Facing the viewport"),
        ),
        default="UPRIGHT",
    )
    height: FloatProperty(
        name="Height", description="Height of the plane", subtype="DISTANCE", default=1, min=0.001, soft_max=100
    )
    cells: IntProperty(
        name="Grid",
        description="Faces along the longer side: a finer grid previews finer motion, but plays slower",
        default=128,
        min=1,
        max=512,
        soft_max=256,
    )

    @classmethod
    def poll(cls, context):
        if context.mode != "OBJECT":
            cls.poll_message_set("Switch to Object Mode first")
            return False
        return True

    def invoke(self, context, event):
        if self.files:  # dropped into the viewport
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context):
        imported = []
        for path in self._paths():
            try:
                imported.append(planes.new_plane(path, self.height, self.cells))
            except GidError as error:
                refuse(self, error)
        if not imported:
            return {"CANCELLED"}
        for other in context.selected_objects:
            other.select_set(False)
        collection = home_among([context.collection], context)
        for i, plane in enumerate(imported):
            collection.objects.link(plane)
            plane.location = context.scene.cursor.location
            plane.location.x += sum(p.dimensions.x for p in imported[:i]) * 1.1
            plane.rotation_euler = self._rotation(context)
            plane.gid.rest_frame = context.scene.frame_start
            plane.select_set(True)
        context.view_layer.objects.active = imported[-1]
        return {"FINISHED"}

    def _paths(self) -> list[Path]:
        names = [file.name for file in self.files if file.name]
        folder = Path(bpy.path.abspath(self.directory))
        return [folder / name for name in names] if names else [Path(bpy.path.abspath(self.filepath))]

    def _rotation(self, context):
        view = getattr(context.space_data, "region_3d", None)
        if self.align == "VIEW" and view is not None:
            return view.view_rotation.to_euler()
        return (0, 0, 0) if self.align == "FLAT" else (pi / 2, 0, 0)


class GID_OT_standard_view(bpy.types.Operator):
    """Show the photo's colours as they are: set the scene's view transform to Standard"""

    bl_idname = "gid.standard_view"
    bl_label = "Keep the Photo's Colours"
    bl_options = UNDOABLE

    def execute(self, context):
        context.scene.view_settings.view_transform = "Standard"
        context.scene.view_settings.look = "None"
        return {"FINISHED"}


CLASSES = (GID_OT_import_photo, GID_OT_standard_view)
