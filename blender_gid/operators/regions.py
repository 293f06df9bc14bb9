"""Regions of the photo with a character of their own: add, paint, select, remove."""

import bpy
from bpy.props import EnumProperty, FloatVectorProperty

from ..adapters import files, jobs, material, parts, regions
from ..core import paths
from ..core.engine import GidError
from .base import UNDOABLE, JobOperator, PhotoPoll, photo_of, refuse
from .dragging import DragOnPhoto
from .places import refreshed


class _Region(PhotoPoll):
    """Poll of operators that need a selected region."""

    @classmethod
    def poll(cls, context):
        if not PhotoPoll.poll.__func__(cls, context):
            return False
        if regions.selected(photo_of(context)) is None:
            cls.poll_message_set("There is no region: add one first")
            return False
        return True


class GID_OT_add_region(PhotoPoll, bpy.types.Operator):
    """Add a region: a part of the photo that moves more, less or otherwise than the rest"""

    bl_idname = "gid.add_region"
    bl_label = "Add Region"
    bl_options = UNDOABLE

    source: EnumProperty(
        name="From",
        description="What the region is made from",
        items=(
            ("IMAGE", "Paint", "An image that is painted, or made by a box"),
            ("GROUP", "Vertex Group", "The plane's active vertex group"),
            ("OBJECT", "Silhouette", "The outline of another object"),
        ),
    )

    @classmethod
    def poll(cls, context):
        if not PhotoPoll.poll.__func__(cls, context):
            return False
        if len(photo_of(context).gid.regions) >= regions.MOST:
            cls.poll_message_set(f"There are {regions.MOST} regions already, as many as there can be")
            return False
        return True

    def execute(self, context):
        plane = photo_of(context)
        try:
            with parts.at_once():
                region = regions.add(plane)
                region.source = self.source
                if self.source == "GROUP" and plane.vertex_groups.active is not None:
                    region.vertex_group = plane.vertex_groups.active.name
            regions.hand_over(plane, region)
        except GidError as error:
            return refuse(self, error, plane)
        return refreshed(self, context, plane)


class GID_OT_remove_region(_Region, bpy.types.Operator):
    """Remove the selected region, and its keyframes"""

    bl_idname = "gid.remove_region"
    bl_label = "Remove Region"
    bl_options = UNDOABLE

    def execute(self, context):
        plane = photo_of(context)
        regions.remove(plane, plane.gid.region_index)
        return refreshed(self, context, plane)


class GID_OT_paint_region(_Region, bpy.types.Operator):
    """Paint the selected region over the photo in Texture Paint: white is the region, black is not. Press again to
    end"""

    bl_idname = "gid.paint_region"
    bl_label = "Paint Region"
    bl_options = UNDOABLE

    def execute(self, context):
        plane = photo_of(context)
        if plane.mode == "TEXTURE_PAINT":
            bpy.ops.object.mode_set(mode="OBJECT")
            regions.end_painting(plane)
            _look(context, "SOLID")
            return self._hand_over(context, plane)
        region = regions.selected(plane)
        if region.image is None:
            with parts.at_once():
                region.image = regions.new_image(plane, region)
                region.source = "IMAGE"
        material.begin_painting(plane, region.image, region.color)
        paint = context.scene.tool_settings.image_paint
        paint.mode, paint.canvas = "IMAGE", region.image
        bpy.ops.object.mode_set(mode="TEXTURE_PAINT")
        if (brush := paint.brush) is not None:
            brush.color = (1, 1, 1)
        _look(context, "MATERIAL")
        return {"FINISHED"}

    def _hand_over(self, context, plane):
        try:
            regions.hand_over_all(plane)
        except GidError as error:
            return refuse(self, error, plane)
        return refreshed(self, context, plane)


def _look(context, shading: str) -> None:
    """Solid shading would show the mask alone, without the photo."""
    space = context.space_data
    if space is not None and space.type == "VIEW_3D":
        space.shading.type = shading


class GID_OT_select_region(JobOperator, PhotoPoll, bpy.types.Operator):
    """Find the thing in a box of the photo, and make it a region"""

    bl_idname = "gid.select_region"
    bl_label = "Select Thing"
    bl_options = UNDOABLE

    box: FloatVectorProperty(
        name="Box",
        description="Left, bottom, right and top in 0 to 1 of the photo; a very small one is a click on the thing",
        size=4,
        default=(0.25, 0.25, 0.75, 0.75),
        min=0,
        max=1,
    )

    @classmethod
    def poll(cls, context):
        return PhotoPoll.poll.__func__(cls, context) and cls.job_poll()

    def begin(self, context):
        plane = photo_of(context)
        region = regions.selected(plane)
        is_new = region is None
        name = regions.new_name(plane) if is_new else region.name
        out = files.plane_folder(plane) / f"{paths.file_name(name)}.png"
        left, bottom, right, top = self.box
        fields = {
            "photo": str(files.photo_path(plane)),
            "out": str(out),
            "box": [left, 1 - top, right, 1 - bottom],
        }
        reference = jobs.PlaneRef.of(plane)

        def finish(result: dict) -> str:
            plane = reference.find()
            region = plane.gid.regions.get(name)
            if region is None and not is_new:
                raise GidError("region_gone", f"{name} was removed meanwhile.", "Select the thing again.")
            with parts.at_once():
                region = region or regions.add(plane)
                region.image, region.source = regions.load_image(plane, region, out), "IMAGE"
            regions.hand_over(plane, region)
            refreshed(self, bpy.context, plane)
            return f"{name} covers {result['share']:.0%} of the photo."

        return jobs.start("Selecting", plane, finish, "select", **fields)


class GID_OT_draw_region(DragOnPhoto, bpy.types.Operator):
    """Drag a box around a thing in the photo, or click on it, to make it the selected region"""

    bl_idname = "gid.draw_region"
    bl_label = "Select by Box"
    bl_options = {"REGISTER"}  # noqa: RUF012 - Blender reads it so

    shape = "BOX"
    hint = "Drag a box around the thing, or click on it"

    @classmethod
    def poll(cls, context):
        return DragOnPhoto.poll.__func__(cls, context) and GID_OT_select_region.job_poll.__func__(cls)

    def released(self, context, start, end, event):
        left, right = sorted((start[0], end[0]))
        bottom, top = sorted((start[1], end[1]))
        box = [min(max(v, 0.0), 1.0) for v in (left, bottom, right, top)]
        bpy.ops.gid.select_region("INVOKE_DEFAULT", box=box)
        return {"FINISHED"}


CLASSES = (
    GID_OT_add_region,
    GID_OT_remove_region,
    GID_OT_paint_region,
    GID_OT_select_region,
    GID_OT_draw_region,
)
