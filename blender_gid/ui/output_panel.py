"""The panel of what is baked and where it appears, and the entries of the Render menu."""

import bpy

from ..adapters import bakes
from ..core.bake import size_text
from ..core.engine import problem
from ..operators.base import photo_of, photos_of


class _Output:
    bl_label = "Output"

    @classmethod
    def poll(cls, context):
        return not problem and photo_of(context) is not None

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        plane = photo_of(context)
        output = plane.gid.output
        column = layout.column()
        column.prop(output, "file_format")
        column.row().prop(output, "size", expand=True)
        column.prop(output, "video")
        column.prop(output, "motion_blur")
        if output.motion_blur:
            column.prop(output, "shutter")
            column.prop(output, "blur_samples")
        frames, size = bakes.estimate(plane, context.scene)
        layout.label(text=f"{frames} frames, about {size_text(size)}", icon="DISK_DRIVE")
        if bakes.out_of_date(plane, context.scene):
            column = layout.column(align=True)
            column.alert = True
            column.label(text="Changed since it was baked", icon="ERROR")
            column.operator("gid.bake", text="Bake Again", icon="FILE_REFRESH")
        _draw_versions(layout, output)
        column = layout.column(align=True)
        column.operator("gid.bake", text="Bake New Version", icon="ADD").new_version = True
        if len(photos_of(context, "SELECTED")) > 1:
            column.operator("gid.bake", text="Bake All Selected", icon="RENDER_ANIMATION").scope = "SELECTED"
        row = column.row(align=True)
        row.operator("gid.export_motion", text="Displacement").kind = "displacement"
        row.operator("gid.export_motion", text="ST-Map").kind = "stmap"
        column.operator("gid.check_farm", icon="CHECKMARK")
        column.operator("gid.gather_files", icon="FILE_FOLDER")


def _draw_versions(layout, output) -> None:
    if not output.versions:
        return
    row = layout.row()
    row.template_list("GID_UL_versions", "", output, "versions", output, "version_index", rows=2)
    row.operator("gid.delete_version", text="", icon="TRASH")


class _Place:
    bl_label = "Place"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender reads it so

    @classmethod
    def poll(cls, context):
        return not problem and photo_of(context) is not None

    def draw(self, context):
        layout = self.layout
        layout.operator("gid.fit_camera", icon="CAMERA_DATA")
        column = layout.column(align=True)
        column.template_ID(photo_of(context).gid.output, "cutout", new="image.new", open="image.open")
        column.operator("gid.cut_out", icon="IMAGE_ALPHA")
        column = layout.column(align=True)
        column.operator("gid.add_strip", icon="SEQUENCE")
        column.operator("gid.add_background", icon="NODE_COMPOSITING")


class GID_UL_versions(bpy.types.UIList):
    def draw_item(self, context, layout, data, item, icon, active_data, active_property):
        row = layout.split(factor=0.45)
        row.label(text=item.name, icon="RENDERLAYERS")
        row.label(text=f"{item.first}–{item.last} {item.suffix[1:]}")


class GID_PT_output(_Output, bpy.types.Panel):
    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Animate Photo"
    bl_parent_id = "GID_PT_main"


class GID_PT_place(_Place, bpy.types.Panel):
    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Animate Photo"
    bl_parent_id = "GID_PT_main"


class GID_PT_data_output(_Output, bpy.types.Panel):
    bl_space_type, bl_region_type, bl_context = "PROPERTIES", "WINDOW", "data"
    bl_parent_id = "GID_PT_data_main"


class GID_PT_data_place(_Place, bpy.types.Panel):
    bl_space_type, bl_region_type, bl_context = "PROPERTIES", "WINDOW", "data"
    bl_parent_id = "GID_PT_data_main"


def _render_entries(self, context):
    layout = self.layout
    layout.separator()
    layout.operator("gid.bake", text="Bake Animated Photos", icon="FORCE_WIND").scope = "ALL"
    layout.operator("gid.check_farm", icon="CHECKMARK")


def append() -> None:
    bpy.types.TOPBAR_MT_render.append(_render_entries)


def remove() -> None:
    bpy.types.TOPBAR_MT_render.remove(_render_entries)


CLASSES = (GID_UL_versions, GID_PT_output, GID_PT_place, GID_PT_data_output, GID_PT_data_place)
