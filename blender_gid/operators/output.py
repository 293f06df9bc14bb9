"""Where a photo appears: filling the camera's view, cut out, as a strip, or behind the render."""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty

from ..adapters import backdrop, compositing, cutout
from ..core.engine import GidError
from .base import UNDOABLE, PhotoPoll, note, photo_of, refuse


class GID_OT_fit_camera(PhotoPoll, bpy.types.Operator):
    """Let the photo fill what the scene's camera sees. Again after the lens or the format changed"""

    bl_idname = "gid.fit_camera"
    bl_label = "Fit to Camera"
    bl_options = UNDOABLE

    distance: FloatProperty(
        name="Distance",
        description="In front of the camera; 0 keeps an earlier one, or goes behind everything that is seen",
        subtype="DISTANCE",
        min=0,
        options={"SKIP_SAVE"},
    )
    method: EnumProperty(
        name="Method",
        description="Where photo and picture differ in shape",
        items=(
            ("FILL", "Fill", "Fill the picture and cut what is over"),
            ("FIT", "Fit", "Show all of the photo"),
        ),
    )
    only_seen: BoolProperty(
        name="Only Seen by the Camera",
        description="The photo gives neither light nor shadow nor reflection",
        default=True,
    )

    def execute(self, context):
        plane, scene = photo_of(context), context.scene
        try:
            distance = self.distance or backdrop.camera_distance(plane, scene)
            distance = backdrop.fit(plane, scene, distance, self.method == "FILL", self.only_seen)
        except GidError as error:
            return refuse(self, error, plane)
        self.distance = distance
        note(plane, f"{plane.name} fills the view of {scene.camera.name}, {distance:.4g} away.")
        return {"FINISHED"}


class GID_OT_cut_out(PhotoPoll, bpy.types.Operator):
    """Cut the photo out by the mask above, or by its own transparency: the edge moves along when it is baked"""

    bl_idname = "gid.cut_out"
    bl_label = "Cut Out"
    bl_options = UNDOABLE

    def execute(self, context):
        plane = photo_of(context)
        try:
            cutout.cut_out(plane, plane.gid.output.cutout)
        except GidError as error:
            return refuse(self, error, plane)
        note(plane, f"{plane.name} is cut out.")
        return {"FINISHED"}


class _BakedPoll(PhotoPoll):
    @classmethod
    def poll(cls, context):
        if not PhotoPoll.poll.__func__(cls, context):
            return False
        if photo_of(context).gid.baked_last < photo_of(context).gid.baked_first:
            cls.poll_message_set("Bake the frames first")
            return False
        return True


class GID_OT_add_strip(_BakedPoll, bpy.types.Operator):
    """Add the baked frames to the video sequencer as an image strip, in time with the scene"""

    bl_idname = "gid.add_strip"
    bl_label = "Add as Strip"
    bl_options = UNDOABLE

    def execute(self, context):
        plane = photo_of(context)
        try:
            strip = compositing.add_strip(plane, context.scene)
        except GidError as error:
            return refuse(self, error, plane)
        self.report(
            {"INFO"}, f"{strip.name} is in channel {strip.channel} of the sequencer, which is now rendered."
        )
        return {"FINISHED"}


class GID_OT_add_background(_BakedPoll, bpy.types.Operator):
    """Put the baked frames behind the render in the compositor, filling the picture"""

    bl_idname = "gid.add_background"
    bl_label = "Add as Background"
    bl_options = UNDOABLE

    def execute(self, context):
        plane = photo_of(context)
        try:
            compositing.add_background(plane, context.scene)
        except GidError as error:
            return refuse(self, error, plane)
        self.report({"INFO"}, f"{plane.name} is the background of the render; hide the plane itself from renders.")
        return {"FINISHED"}


CLASSES = (GID_OT_fit_camera, GID_OT_cut_out, GID_OT_add_strip, GID_OT_add_background)
