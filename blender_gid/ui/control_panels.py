"""The panels of what an artist steers: motion, wind, touches, the hand, pins and regions."""

import bpy

from ..adapters import regions
from ..operators.base import photo_of
from .panels import ObjectData, Sidebar, Sub
from .presets import GID_PT_presets


class _Motion(Sub):
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
        column = layout.column(align=True)
        column.prop(gid, "loop_frames")
        column.prop(gid, "loop_offset")
        column.prop(gid, "rest_frame")
        column = layout.column(align=True)
        column.prop(gid, "gain_low")
        column.prop(gid, "gain_mid")
        column.prop(gid, "gain_high")
        column = layout.column()
        column.prop(gid, "stiffness")
        column.prop(gid, "damping")
        layout.operator("gid.update_preview", icon="FILE_REFRESH")


class _Wind(Sub):
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
        column.prop(gid, "wind_speed")
        column.prop(gid, "wind_seed", text="Seed")


class _Touches(Sub):
    bl_label = "Touches"

    def draw(self, context):
        layout = self.layout
        gid = photo_of(context).gid
        layout.operator("gid.draw_impulse", icon="HAND")
        column = _draw_list(layout, gid, "impulses", "impulse_index", "impulse")
        column.operator("gid.duplicate_impulse", text="", icon="DUPLICATE")
        column.operator("gid.jump_to_impulse", text="", icon="TIME")
        if 0 <= gid.impulse_index < len(gid.impulses):
            impulse = gid.impulses[gid.impulse_index]
            layout.use_property_split = True
            layout.prop(impulse, "kind")
            column = layout.column(align=True)
            column.prop(impulse, "frame")
            if impulse.kind == "DRAG":
                column.prop(impulse, "duration")
            for name in ("location", "direction", "strength", "radius"):
                layout.prop(impulse, name)


class _Hand(Sub):
    bl_label = "Hand"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender reads it so

    def draw(self, context):
        layout = self.layout
        gid = photo_of(context).gid
        row = layout.row(align=True)
        row.prop(gid, "hand", text="")
        row.operator("gid.add_hand", text="", icon="ADD")
        layout.use_property_split = True
        column = layout.column()
        column.active = gid.hand is not None
        column.prop(gid, "hand_radius")
        column.prop(gid, "hand_strength")


class _Pins(Sub):
    bl_label = "Pins"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender reads it so

    def draw(self, context):
        layout = self.layout
        gid = photo_of(context).gid
        layout.operator("gid.draw_pin", icon="PINNED")
        _draw_list(layout, gid, "pins", "pin_index", "pin")
        if 0 <= gid.pin_index < len(gid.pins):
            layout.use_property_split = True
            for name in ("location", "radius"):
                layout.prop(gid.pins[gid.pin_index], name)


class _Regions(Sub):
    bl_label = "Regions"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender reads it so

    def draw(self, context):
        layout = self.layout
        plane = photo_of(context)
        gid = plane.gid
        layout.operator("gid.draw_region", icon="SELECT_SET")
        _draw_list(layout, gid, "regions", "region_index", "region")
        region = regions.selected(plane)
        if region is None:
            return
        painting = plane.mode == "TEXTURE_PAINT"
        layout.operator("gid.paint_region", text="End Painting" if painting else "Paint", icon="BRUSH_DATA")
        layout.use_property_split = True
        column = layout.column()
        column.prop(region, "source")
        if region.source == "IMAGE":
            column.prop(region, "image")
        elif region.source == "GROUP":
            column.prop_search(region, "vertex_group", plane, "vertex_groups")
        else:
            column.prop(region, "silhouette")
        column.prop(region, "feather")
        column = layout.column()
        for name in ("amplitude", "stiffness", "damping", "phase"):
            column.prop(region, name)


def _draw_list(layout, gid, collection: str, index: str, kind: str):
    """A list with buttons to add and remove; the column of the buttons."""
    row = layout.row()
    row.template_list(f"GID_UL_{collection}", "", gid, collection, gid, index, rows=3)
    column = row.column(align=True)
    column.operator(f"gid.add_{kind}", text="", icon="ADD")
    column.operator(f"gid.remove_{kind}", text="", icon="REMOVE")
    return column


class GID_UL_impulses(bpy.types.UIList):
    def draw_item(self, context, layout, data, item, icon, active_data, active_property):
        layout.label(text=f"Frame {item.frame}", icon="HAND" if item.kind == "DRAG" else "FORCE_FORCE")
        layout.label(text=f"{item.location[0]:.0%}, {item.location[1]:.0%}")


class GID_UL_pins(bpy.types.UIList):
    def draw_item(self, context, layout, data, item, icon, active_data, active_property):
        layout.label(text=f"{item.location[0]:.0%}, {item.location[1]:.0%}", icon="PINNED")


class GID_UL_regions(bpy.types.UIList):
    def draw_item(self, context, layout, data, item, icon, active_data, active_property):
        row = layout.row(align=True)
        swatch = row.row()
        swatch.scale_x = 0.3
        swatch.prop(item, "color", text="")
        row.prop(item, "name", text="", emboss=False)
        row.prop(item, "amplitude", text="", emboss=False)


def _panels() -> list[type]:
    """Each mixin as a panel of the sidebar and as one of the object's data."""
    made = []
    for mixin in (_Motion, _Wind, _Touches, _Hand, _Pins, _Regions):
        name = mixin.__name__[1:].lower()
        for prefix, place in (("", Sidebar), ("data_", ObjectData)):
            parts = (mixin, place, bpy.types.Panel)
            made.append(type(f"GID_PT_{prefix}{name}", parts, {"bl_parent_id": f"GID_PT_{prefix}main"}))
    return made


CLASSES = (GID_UL_impulses, GID_UL_pins, GID_UL_regions, *_panels())
