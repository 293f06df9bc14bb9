"""Touches of the photo: add and remove."""

import bpy
from bpy.props import FloatProperty, FloatVectorProperty, IntProperty

from ..adapters import pointer, preview
from .base import UNDOABLE, PhotoPoll, photo_of

# A drag says how hard to push; farther than this, in photo widths, the picture tears before it sways.
_FARTHEST = 0.06


class GID_OT_add_impulse(PhotoPoll, bpy.types.Operator):
    """Add a touch at the current frame: something pushes a place of the photo and lets go"""

    bl_idname = "gid.add_impulse"
    bl_label = "Add Touch"
    bl_options = UNDOABLE

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
        name="Radius", description="In widths of the photo", default=0.08, min=0.001, max=2, precision=3
    )

    def execute(self, context):
        gid = photo_of(context).gid
        impulse = gid.impulses.add()
        impulse.frame = context.scene.frame_current
        for name in ("location", "direction", "strength", "radius"):
            setattr(impulse, name, getattr(self, name))
        gid.impulse_index = len(gid.impulses) - 1
        preview.refresh(photo_of(context), context.scene)
        return {"FINISHED"}


class GID_OT_draw_impulse(PhotoPoll, bpy.types.Operator):
    """Add a touch at the current frame by dragging over the photo, from the place that is pushed"""

    bl_idname = "gid.draw_impulse"
    bl_label = "Draw Touch"
    bl_options = UNDOABLE

    @classmethod
    def poll(cls, context):
        if not PhotoPoll.poll.__func__(cls, context):
            return False
        if context.area is None or context.area.type != "VIEW_3D":
            cls.poll_message_set("Only in a 3D viewport")
            return False
        return True

    def invoke(self, context, event):
        self._area = pointer.Viewport.of(context.area)
        self._start = self._end = None
        self._drawing = self._area.draw(lambda: (self._start, self._end))
        context.window.cursor_modal_set("CROSSHAIR")
        context.workspace.status_text_set("Drag over the photo, from the place that is pushed. Esc cancels")
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        mouse = event.mouse_x, event.mouse_y
        if event.type in {"ESC", "RIGHTMOUSE"}:
            self.cancel(context)
            return {"CANCELLED"}
        if event.type == "MOUSEMOVE" and self._start:
            self._end = mouse
            self._area.redraw()
        elif event.type == "LEFTMOUSE" and event.value == "PRESS":
            self._start = mouse
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._start:
            self.cancel(context)
            return self._add(context, self._start, mouse)
        return {"RUNNING_MODAL"} if self._start or event.type == "LEFTMOUSE" else {"PASS_THROUGH"}

    def _add(self, context, start, end):
        plane = photo_of(context)
        surface = pointer.Surface(plane)
        places = [surface.hit(*self._area.ray(mouse)) for mouse in (start, end)]
        if None in places or not all(0 <= c <= 1 for c in places[0]):
            self.report({"ERROR"}, "That is beside the photo: start the drag on it.")
            return {"CANCELLED"}
        angle, length = pointer.push(*places, plane.gid.photo_size)
        if not length:
            self.report({"INFO"}, "Nothing was pushed: drag a little further.")
            return {"CANCELLED"}
        return bpy.ops.gid.add_impulse(location=places[0], direction=angle, strength=min(length, _FARTHEST))

    def cancel(self, context):
        self._area.stop_drawing(self._drawing)
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)


class GID_OT_remove_impulse(PhotoPoll, bpy.types.Operator):
    """Remove the selected touch"""

    bl_idname = "gid.remove_impulse"
    bl_label = "Remove Touch"
    bl_options = UNDOABLE

    index: IntProperty(name="Touch", description="-1 is the selected one", default=-1, min=-1)

    @classmethod
    def poll(cls, context):
        if not PhotoPoll.poll.__func__(cls, context):
            return False
        if not photo_of(context).gid.impulses:
            cls.poll_message_set("There is no touch")
            return False
        return True

    def execute(self, context):
        gid = photo_of(context).gid
        index = gid.impulse_index if self.index < 0 else self.index
        if not 0 <= index < len(gid.impulses):
            self.report({"ERROR"}, f"There is no touch number {index + 1}.")
            return {"CANCELLED"}
        gid.impulses.remove(index)
        gid.impulse_index = min(index, len(gid.impulses) - 1)
        preview.refresh(photo_of(context), context.scene)
        return {"FINISHED"}


CLASSES = (GID_OT_add_impulse, GID_OT_draw_impulse, GID_OT_remove_impulse)
