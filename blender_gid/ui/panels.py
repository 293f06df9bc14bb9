"""The panels of an animated photo: in the viewport's sidebar, and with the object's data."""

import textwrap

import bpy

from ..adapters import compat, engine_setup, jobs, variations
from ..adapters.material import photo_image
from ..core.engine import problem
from ..operators.base import photo_of, time_text


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


class Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Animate Photo"


class ObjectData:
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "data"

    @classmethod
    def poll(cls, context):
        return photo_of(context) is not None


class Sub:
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
        _draw_variations(layout, plane)
        if not bpy.data.filepath:
            _wrapped(layout, "Save the file to keep motion and frames beside it.", "INFO")
        if gid.status:
            _wrapped(layout, gid.status, "ERROR" if gid.failed else "INFO")
        if context.scene.view_settings.view_transform != "Standard":
            layout.operator("gid.standard_view", icon="COLOR")


def _draw_variations(layout, plane) -> None:
    """Thumbnails to choose a motion by."""
    if not plane.gid.variations:
        return
    grid = layout.grid_flow(row_major=True, columns=min(4, len(plane.gid.variations)), even_columns=True)
    for index, variation in enumerate(plane.gid.variations):
        cell = grid.column(align=True)
        cell.template_icon(icon_value=variations.thumbnail(plane, index), scale=3)
        chosen = variation.seed == plane.gid.seed
        button = cell.operator("gid.choose_variation", text=str(variation.seed), depress=chosen, translate=False)
        button.index = index


class _Files(Sub):
    bl_label = "Prediction and Files"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender reads it so

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        gid = photo_of(context).gid
        layout.prop(gid, "seed")
        layout.operator("gid.predict_variations", icon="IMGDISPLAY")
        layout.template_ID(gid, "mask", new="image.new", open="image.open")
        if image := photo_image(gid.id_data):
            layout.prop(image, "filepath", text="Photo")
        layout.prop(gid, "motion")
        layout.operator("gid.analyse_clip", text="Take Motion from a Clip", icon="FILE_MOVIE").onto = True
        layout.operator("gid.link_sequence", icon="FILE_IMAGE")


class GID_PT_main(_Main, Sidebar, bpy.types.Panel):
    pass


class GID_PT_files(_Files, Sidebar, bpy.types.Panel):
    bl_parent_id = "GID_PT_main"


class GID_PT_data_main(_Main, ObjectData, bpy.types.Panel):
    pass


class GID_PT_data_files(_Files, ObjectData, bpy.types.Panel):
    bl_parent_id = "GID_PT_data_main"


CLASSES = (GID_PT_main, GID_PT_data_main)
LAST = (GID_PT_files, GID_PT_data_files)  # below the controls
