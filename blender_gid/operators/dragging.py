"""What operators share that are used by dragging over the photo in a viewport."""

from ..adapters import pointer
from .base import PhotoPoll, photo_of


class DragOnPhoto(PhotoPoll):
    """A drag over the active photo, from any angle; Esc and the right button leave everything as it was.

    A subclass gives `released(context, start, end, event)`, and may give `pressed`, `moved` and `ended`. Places
    are (u, v), v up; `end` may lie beside the photo.
    """

    shape = "ARROW"
    hint = "Drag over the photo"

    @classmethod
    def poll(cls, context):
        if not PhotoPoll.poll.__func__(cls, context):
            return False
        if context.area is None or context.area.type != "VIEW_3D":
            cls.poll_message_set("Only in a 3D viewport")
            return False
        return True

    def pressed(self, context, start) -> None:
        """The drag begins."""

    def moved(self, context, start, end) -> None:
        """The mouse has moved."""

    def ended(self) -> None:
        """The drag is over, one way or the other: take back what was shown meanwhile."""

    def invoke(self, context, event):
        self._viewport = pointer.Viewport.of(context.area)
        self._from = self._to = self._start = None
        self._drawing = self._viewport.draw(self.shape, lambda: (self._from, self._to))
        context.window.cursor_modal_set("CROSSHAIR")
        context.workspace.status_text_set(f"{self.hint}. Esc cancels")
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        mouse = event.mouse_x, event.mouse_y
        if event.type in {"ESC", "RIGHTMOUSE"} or photo_of(context) is None:
            self.cancel(context)
            return {"CANCELLED"}
        if event.type == "LEFTMOUSE" and event.value == "PRESS" and self._start is None:
            self._start = self._place(context, mouse)
            if self._start is None or not all(0 <= c <= 1 for c in self._start):
                self.cancel(context)
                self.report({"ERROR"}, "That is beside the photo: start the drag on it.")
                return {"CANCELLED"}
            self._from = mouse
            self.pressed(context, self._start)
        elif event.type == "MOUSEMOVE" and self._start:
            self._to = mouse
            if (end := self._place(context, mouse)) is not None:
                self.moved(context, self._start, end)
            self._viewport.redraw()
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._start:
            start, end = self._start, self._place(context, mouse)
            self.cancel(context)
            if end is None:
                self.report({"ERROR"}, "The drag ended where the photo's plane can't be seen.")
                return {"CANCELLED"}
            return self.released(context, start, end, event)
        elif self._start is None and event.type != "LEFTMOUSE":
            return {"PASS_THROUGH"}  # the view can still be turned
        return {"RUNNING_MODAL"}

    def cancel(self, context):
        self._viewport.stop_drawing(self._drawing)
        self.ended()
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)

    def _place(self, context, mouse):
        return pointer.Surface(photo_of(context)).hit(*self._viewport.ray(mouse))
