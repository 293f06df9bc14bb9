"""What holds and what takes along places of the photo: pins, and an object as a hand."""

import bpy
from bpy.props import FloatProperty, FloatVectorProperty, IntProperty
from mathutils import Vector

from ..adapters import parts, pointer, preview
from ..core.engine import GidError
from .base import UNDOABLE, PhotoPoll, home_among, photo_of, refuse
from .dragging import DragOnPhoto

_RADIUS = 0.05


def refreshed(operator, context, plane) -> set[str]:
    """Let the preview follow; where it can't, say so: what was set is set."""
    try:
        preview.refresh(plane, context.scene)
    except GidError as error:
        refuse(operator, error, plane)
    return {"FINISHED"}


class GID_OT_add_pin(PhotoPoll, bpy.types.Operator):
    """Hold a place of the photo still"""

    bl_idname = "gid.add_pin"
    bl_label = "Add Pin"
    bl_options = UNDOABLE

    location: FloatVectorProperty(
        name="Place",
        description="0 to 1 from left to right and from bottom to top of the photo",
        size=2,
        default=(0.5, 0.5),
        min=0,
        max=1,
    )
    radius: FloatProperty(
        name="Radius", description="In widths of the photo", default=_RADIUS, min=0.001, max=2, precision=3
    )

    def execute(self, context):
        return _pin(self, context, self.location, self.radius)


def _pin(operator, context, location, radius: float) -> set[str]:
    plane = photo_of(context)
    with parts.at_once():
        pin = plane.gid.pins.add()
        pin.location, pin.radius = location, radius
    plane.gid.pin_index = len(plane.gid.pins) - 1
    return refreshed(operator, context, plane)


class GID_OT_draw_pin(DragOnPhoto, bpy.types.Operator):
    """Click on the photo to hold that place still; drag to tell how much of it"""

    bl_idname = "gid.draw_pin"
    bl_label = "Draw Pin"
    bl_options = UNDOABLE

    shape = "CIRCLE"
    hint = "Click on the place that is held; drag to tell how much of it"

    def released(self, context, start, end, event):
        _, radius = pointer.push(start, end, photo_of(context).gid.photo_size)
        return _pin(self, context, start, radius if radius > 0.005 else _RADIUS)


class GID_OT_remove_pin(PhotoPoll, bpy.types.Operator):
    """Remove the selected pin"""

    bl_idname = "gid.remove_pin"
    bl_label = "Remove Pin"
    bl_options = UNDOABLE

    index: IntProperty(name="Pin", description="-1 is the selected one", default=-1, min=-1)

    @classmethod
    def poll(cls, context):
        if not PhotoPoll.poll.__func__(cls, context):
            return False
        if not photo_of(context).gid.pins:
            cls.poll_message_set("There is no pin")
            return False
        return True

    def execute(self, context):
        plane = photo_of(context)
        gid = plane.gid
        index = gid.pin_index if self.index < 0 else self.index
        if not 0 <= index < len(gid.pins):
            self.report({"ERROR"}, f"There is no pin number {index + 1}.")
            return {"CANCELLED"}
        gid.pins.remove(index)
        gid.pin_index = min(index, len(gid.pins) - 1)
        return refreshed(self, context, plane)


class GID_OT_add_hand(PhotoPoll, bpy.types.Operator):
    """Add an Empty before the photo that takes along what it passes: move it, and key where it is"""

    bl_idname = "gid.add_hand"
    bl_label = "New Hand"
    bl_options = UNDOABLE

    def execute(self, context):
        plane = photo_of(context)
        to_world = pointer.Surface(plane).to_photo.inverted_safe()
        hand = bpy.data.objects.new(f"{plane.name} hand", None)
        hand.empty_display_type = "SPHERE"
        width = (to_world.to_3x3() @ Vector((1, 0, 0))).length
        hand.empty_display_size = plane.gid.hand_radius * width
        hand.location = to_world @ Vector((0.5, 0.5, 0))
        home_among(plane.users_collection, context).objects.link(hand)
        plane.gid.hand = hand
        return refreshed(self, context, plane)


CLASSES = (GID_OT_add_pin, GID_OT_draw_pin, GID_OT_remove_pin, GID_OT_add_hand)
