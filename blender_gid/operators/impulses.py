"""Touches of the photo: add, draw and remove."""

import bpy
from bpy.props import EnumProperty, FloatProperty, FloatVectorProperty, IntProperty

from ..adapters import parts, pointer, preview
from ..core.engine import GidError
from .base import UNDOABLE, PhotoPoll, photo_of, refuse
from .dragging import DragOnPhoto

# A drag says how hard to push; farther than this, in photo widths, the picture tears before it sways.
_FARTHEST = 0.06
_RADIUS = 0.08
_KINDS = (
    ("PUSH", "Push", "Something pushes the place at the current frame, and it rings"),
    ("DRAG", "Drag and Release", "Something pulls the place from the current frame on, and lets go"),
)


class GID_OT_add_impulse(PhotoPoll, bpy.types.Operator):
    """Add a touch at the current frame: something pushes a place of the photo and lets go"""

    bl_idname = "gid.add_impulse"
    bl_label = "Add Touch"
    bl_options = UNDOABLE

    kind: EnumProperty(name="Kind", description="How the photo is touched", items=_KINDS)
    location: FloatVectorProperty(
        name="Place",
        description="0 to 1 from left to right and from bottom to top of the photo",
        size=2,
        default=(0.5, 0.5),
        min=0,
        max=1,
    )
    direction: FloatProperty(name="Direction", description="0° is right, 90° is up", subtype="ANGLE")
    strength: FloatProperty(
        name="Strength", description="In widths of the photo", default=0.02, min=0, max=1, precision=3
    )
    radius: FloatProperty(
        name="Radius", description="In widths of the photo", default=_RADIUS, min=0.001, max=2, precision=3
    )

    def execute(self, context):
        names = ("kind", "location", "direction", "strength", "radius")
        return _add(self, context, **{name: getattr(self, name) for name in names})


def _add(operator, context, **settings) -> set[str]:
    plane = photo_of(context)
    gid = plane.gid
    with parts.at_once():
        impulse = gid.impulses.add()
        impulse.frame = context.scene.frame_current
        for name, value in settings.items():
            setattr(impulse, name, value)
    gid.impulse_index = len(gid.impulses) - 1
    return _refreshed(operator, context, plane)


def _refreshed(operator, context, plane) -> set[str]:
    try:
        preview.refresh(plane, context.scene)
    except GidError as error:
        refuse(operator, error, plane)  # the touch itself is there, and is baked
    return {"FINISHED"}


class GID_OT_draw_impulse(DragOnPhoto, bpy.types.Operator):
    """Drag over the photo to touch it at the current frame; the preview follows the mouse. With Ctrl it is pulled
    and let go, instead of pushed"""

    bl_idname = "gid.draw_impulse"
    bl_label = "Draw Touch"
    bl_options = UNDOABLE

    hint = "Drag over the photo, from the place that is pushed; with Ctrl, pulled and let go"
    _pull = None

    def pressed(self, context, start):
        plane = photo_of(context)
        if plane.gid.display == "PREVIEW" and preview.group_of(plane) is not None:
            try:
                self._pull = preview.Pull(plane, context.scene, start, _RADIUS)
            except GidError:
                self._pull = None  # the touch can be drawn without an answer

    def moved(self, context, start, end):
        if self._pull is not None:
            width, height = photo_of(context).gid.photo_size
            right, down = end[0] - start[0], (start[1] - end[1]) * height / width
            shrink = min(1.0, _FARTHEST / max((right**2 + down**2) ** 0.5, 1e-9))
            self._pull.to(right * shrink, down * shrink)

    def ended(self):
        if self._pull is not None:
            self._pull.end()
            self._pull = None

    def released(self, context, start, end, event):
        angle, length = pointer.push(start, end, photo_of(context).gid.photo_size)
        if not length:
            self.report({"INFO"}, "Nothing was pushed: drag a little further.")
            return {"CANCELLED"}
        kind = "DRAG" if event.ctrl else "PUSH"
        strength = min(length, _FARTHEST)
        return _add(self, context, kind=kind, location=start, direction=angle, strength=strength, radius=_RADIUS)


class _Touch(PhotoPoll):
    """Poll and choice of operators on a touch that is there."""

    @classmethod
    def poll(cls, context):
        if not PhotoPoll.poll.__func__(cls, context):
            return False
        if not photo_of(context).gid.impulses:
            cls.poll_message_set("There is no touch")
            return False
        return True

    def chosen(self, context) -> int | None:
        """Number of the touch; None, and a report, where there is no such touch."""
        gid = photo_of(context).gid
        index = gid.impulse_index if self.index < 0 else self.index
        if not 0 <= index < len(gid.impulses):
            self.report({"ERROR"}, f"There is no touch number {index + 1}.")
            return None
        return index


def _index() -> IntProperty:
    return IntProperty(name="Touch", description="-1 is the selected one", default=-1, min=-1)


class GID_OT_duplicate_impulse(_Touch, bpy.types.Operator):
    """Touch the photo once more at the current frame, just as the selected touch does"""

    bl_idname = "gid.duplicate_impulse"
    bl_label = "Duplicate Touch"
    bl_options = UNDOABLE

    index: _index()

    def execute(self, context):
        if (index := self.chosen(context)) is None:
            return {"CANCELLED"}
        model = photo_of(context).gid.impulses[index]
        names = ("kind", "duration", "location", "direction", "strength", "radius")
        values = {name: getattr(model, name) for name in names}
        return _add(self, context, **values | {"location": tuple(model.location)})


class GID_OT_jump_to_impulse(_Touch, bpy.types.Operator):
    """Go to the frame of the selected touch"""

    bl_idname = "gid.jump_to_impulse"
    bl_label = "Jump to Touch"
    bl_options = UNDOABLE

    index: _index()

    def execute(self, context):
        if (index := self.chosen(context)) is None:
            return {"CANCELLED"}
        context.scene.frame_set(photo_of(context).gid.impulses[index].frame)
        return {"FINISHED"}


class GID_OT_remove_impulse(_Touch, bpy.types.Operator):
    """Remove the selected touch"""

    bl_idname = "gid.remove_impulse"
    bl_label = "Remove Touch"
    bl_options = UNDOABLE

    index: _index()

    def execute(self, context):
        if (index := self.chosen(context)) is None:
            return {"CANCELLED"}
        gid = photo_of(context).gid
        gid.impulses.remove(index)
        gid.impulse_index = min(index, len(gid.impulses) - 1)
        return _refreshed(self, context, photo_of(context))


CLASSES = (
    GID_OT_add_impulse,
    GID_OT_draw_impulse,
    GID_OT_duplicate_impulse,
    GID_OT_jump_to_impulse,
    GID_OT_remove_impulse,
)
