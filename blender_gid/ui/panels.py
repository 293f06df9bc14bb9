"""The panels of an animated photo: in the viewport's sidebar, and with the object's data."""

import textwrap

import bpy

from ..adapters import compat, engine_setup, jobs
from ..adapters.material import photo_image
from ..core.engine import problem
from ..operators.base import photo_of, time_text
from .presets import GID_PT_presets


def draw_job(layout) -> None:
    """The running job's progress and its cancel button, if there is one."""
    run = jobs.running()
    if run is None:
        return
    job = run.job
    row = layout.row(align=True)
    left = f" · {time_text(job.seconds_left)}" if job.seconds_left is not None else ""
    row.progress(factor=job.fraction, text=f"{job.title} {job.fraction:.0%}{left}")
    row.operator("gid.cancel", text="", icon="CANCEL")
    layout.label(text=job.message)


def _wrapped(layout, text: str, icon: str, width: int = 35) -> None:
    """A sentence over as many lines as a sidebar of the usual width needs; long paths are broken."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    for i, part in enumerate(textwrap.wrap(text, width)):
        column.label(text=part, icon=icon if i == 0 else "BLANK1")


class _Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Animate Photo"


class _ObjectData:
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "data"

    @classmethod
    def poll(cls, context):
        return photo_of(context) is not None


class _Sub:
    """A sub-panel: shown once there is a photo."""

    @classmethod
    def poll(cls, context):
        return photo_of(context) is not None


class _Main:
    bl_label = "Animate Photo"

    def draw(self, context):
        layout = self.layout
        if problem:
            _wrapped(layout, problem, "ERROR")
            return
        if engine_setup.state()[0] in ("MISSING", "INCOMPLETE", "OUTDATED"):
            layout.operator("preferences.addon_show", text="Set Up the Engine", icon="ERROR").module = compat.ADDON
        plane = photo_of(context)
        if plane is None:
            layout.operator("gid.import_photo", text="Import Photo", icon="IMAGE_DATA")
            draw_job(layout)
            return
        gid = plane.gid
        layout.row().prop(gid, "display", expand=True)
        column = layout.column(align=True)
        column.operator("gid.predict", icon="FORCE_WIND")
        column.operator("gid.bake", icon="RENDER_ANIMATION")
        draw_job(layout)
        if not bpy.data.filepath:
            _wrapped(layout, "Save the file to keep motion and frames beside it.", "INFO")
        if gid.status:
            _wrapped(layout, gid.status, "ERROR" if gid.failed else "INFO")
        if context.scene.view_settings.view_transform != "Standard":
            layout.operator("gid.standard_view", icon="COLOR")


class _Motion(_Sub):
    bl_label = "Motion"

    def draw_header_preset(self, context):
        GID_PT_presets.draw_panel_header(self.layout)

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        gid = photo_of(context).gid
        column = layout.column()
        column.prop(gid, "amplitude")
        column.prop(gid, "speed")
        column = layout.column()
        column.prop(gid, "loop_frames")
        column.prop(gid, "rest_frame")
        column = layout.column(align=True)
        column.prop(gid, "gain_low")
        column.prop(gid, "gain_mid")
        column.prop(gid, "gain_high")
        column = layout.column()
        column.prop(gid, "stiffness")
        column.prop(gid, "damping")
        layout.operator("gid.update_preview", icon="FILE_REFRESH")


class _Wind(_Sub):
    bl_label = "Wind"

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        gid = photo_of(context).gid
        layout.prop(gid, "wind_strength", text="Strength")
        column = layout.column()
        column.active = bool(gid.wind_strength) or gid.id_data.animation_data is not None
        column.prop(gid, "wind_direction", text="Direction")
        column.prop(gid, "wind_gust")
        column.prop(gid, "wind_seed", text="Seed")


class _Touches(_Sub):
    bl_label = "Touches"

    def draw(self, context):
        layout = self.layout
        gid = photo_of(context).gid
        layout.operator("gid.draw_impulse", icon="HAND")
        row = layout.row()
        row.template_list("GID_UL_impulses", "", gid, "impulses", gid, "impulse_index", rows=3)
        column = row.column(align=True)
        column.operator("gid.add_impulse", text="", icon="ADD")
        column.operator("gid.remove_impulse", text="", icon="REMOVE")
        if 0 <= gid.impulse_index < len(gid.impulses):
            impulse = gid.impulses[gid.impulse_index]
            layout.use_property_split = True
            for name in ("frame", "location", "direction", "strength", "radius"):
                layout.prop(impulse, name)


class _Files(_Sub):
    bl_label = "Prediction and Files"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender reads it so

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        gid = photo_of(context).gid
        layout.prop(gid, "seed")
        layout.template_ID(gid, "mask", new="image.new", open="image.open")
        if image := photo_image(gid.id_data):
            layout.prop(image, "filepath", text="Photo")
        layout.prop(gid, "motion")
        layout.operator("gid.link_sequence", icon="FILE_IMAGE")


class GID_UL_impulses(bpy.types.UIList):
    def draw_item(self, context, layout, data, item, icon, active_data, active_property):
        layout.label(text=f"Frame {item.frame}", icon="FORCE_FORCE")
        layout.label(text=f"{item.location[0]:.0%}, {item.location[1]:.0%}")


class GID_PT_main(_Main, _Sidebar, bpy.types.Panel):
    pass


class GID_PT_motion(_Motion, _Sidebar, bpy.types.Panel):
    bl_parent_id = "GID_PT_main"


class GID_PT_wind(_Wind, _Sidebar, bpy.types.Panel):
    bl_parent_id = "GID_PT_main"


class GID_PT_touches(_Touches, _Sidebar, bpy.types.Panel):
    bl_parent_id = "GID_PT_main"


class GID_PT_files(_Files, _Sidebar, bpy.types.Panel):
    bl_parent_id = "GID_PT_main"


class GID_PT_data_main(_Main, _ObjectData, bpy.types.Panel):
    pass


class GID_PT_data_motion(_Motion, _ObjectData, bpy.types.Panel):
    bl_parent_id = "GID_PT_data_main"


class GID_PT_data_wind(_Wind, _ObjectData, bpy.types.Panel):
    bl_parent_id = "GID_PT_data_main"


class GID_PT_data_touches(_Touches, _ObjectData, bpy.types.Panel):
    bl_parent_id = "GID_PT_data_main"


class GID_PT_data_files(_Files, _ObjectData, bpy.types.Panel):
    bl_parent_id = "GID_PT_data_main"


CLASSES = (
    GID_UL_impulses,
    GID_PT_main,
    GID_PT_motion,
    GID_PT_wind,
    GID_PT_touches,
    GID_PT_files,
    GID_PT_data_main,
    GID_PT_data_motion,
    GID_PT_data_wind,
    GID_PT_data_touches,
    GID_PT_data_files,
)
