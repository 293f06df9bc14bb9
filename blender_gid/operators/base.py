"""What operators share: the plane they act on, errors as reports, and long jobs."""

import time

import bpy

from ..adapters import jobs
from ..adapters.jobs import Running
from ..core.engine import GidError, problem

# bl_options of operators that can be undone and adjusted.
UNDOABLE = {"REGISTER", "UNDO"}


def photos_of(context, scope: str) -> list[bpy.types.Object]:
    """Imported photos of the scene that belong to this file. scope: "ACTIVE", "SELECTED" or "ALL"."""
    if scope == "ACTIVE":
        objects = [context.object] if context.object else []
    else:
        objects = context.selected_objects if scope == "SELECTED" else context.scene.objects
    return [o for o in objects if is_photo(o) and o.library is None]


def is_photo(thing: bpy.types.Object) -> bool:
    return thing.type == "MESH" and bool(thing.gid.photo_size[0])


def photo_of(context) -> bpy.types.Object | None:
    """The active object if it is an imported photo."""
    plane = context.object
    return plane if plane is not None and is_photo(plane) else None


def home_among(collections, context) -> bpy.types.Collection:
    """The first collection that takes new objects, as one of another file and an override of one do not; else the
    scene's own."""
    own = (c for c in collections if c.library is None and c.override_library is None)
    return next(own, context.scene.collection)


class PhotoPoll:
    """Poll of operators that need an imported photo as the active object."""

    @classmethod
    def poll(cls, context):
        if problem:
            cls.poll_message_set(problem)
            return False
        plane = photo_of(context)
        if plane is None:
            cls.poll_message_set("Select a photo plane first (File > Import > Photo to Animate)")
            return False
        if plane.library is not None:
            cls.poll_message_set("This plane is linked from another file: make a library override first")
            return False
        return True


def refuse(operator: bpy.types.Operator, error: GidError, plane: bpy.types.Object | None = None) -> set[str]:
    """Tell the user, in the report and in the panel; the operator's result."""
    sentence = str(error).strip()
    note(plane, sentence, failed=True)
    operator.report({"ERROR"}, sentence)
    return {"CANCELLED"}


def note(plane: bpy.types.Object | None, sentence: str, failed: bool = False) -> None:
    """Keep a sentence for the plane's panel."""
    if plane is not None:
        plane.gid.status, plane.gid.failed = sentence, failed


class JobOperator:
    """A long job: modal with a timer in a window, a plain loop without one (timers don't fire there).

    A subclass gives `begin(context) -> Running`.
    """

    _timer = None

    @classmethod
    def job_poll(cls) -> bool:
        if (current := jobs.running()) is not None:
            cls.poll_message_set(f"“{current.job.title}” is still running")
            return False
        return True

    def invoke(self, context, event):
        if bpy.app.background:
            return self.execute(context)
        try:
            self._run = self.begin(context)
        except GidError as error:
            return refuse(self, error, photo_of(context))
        self._timer = context.window_manager.event_timer_add(0.1, window=context.window)
        context.window_manager.modal_handler_add(self)
        self._show(context)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        job = self._run.job
        if event.type == "ESC" and event.value == "PRESS" and not job.finished:
            job.cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        changed = job.poll()
        if job.finished:
            self._stop_timer(context)
            return self._close(context)
        if changed:
            self._show(context)
        return {"PASS_THROUGH"}

    def execute(self, context):
        try:
            self._run = self.begin(context)
        except GidError as error:
            return refuse(self, error, photo_of(context))
        job = self._run.job
        try:
            while not job.finished:
                if job.poll():
                    print(f"GID: {describe(self._run)}", flush=True)
                time.sleep(0.02)
        except KeyboardInterrupt:
            job.abandon()
        return self._close(context)

    def cancel(self, context):
        """Blender ends the operator: a file is being opened, or the window closes."""
        self._stop_timer(context)
        self._run.job.abandon()

    def _show(self, context) -> None:
        context.workspace.status_text_set(f"{describe(self._run)}    Esc cancels")
        redraw()

    def _stop_timer(self, context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        for workspace in bpy.data.workspaces:
            workspace.status_text_set(None)
        redraw()

    def _close(self, context) -> set[str]:
        run, plane = self._run, None
        jobs.end_when_idle()
        try:
            plane = run.plane.find() if run.plane else None
            if run.job.state == "FAILED":
                raise run.job.error
            if run.job.state == "CANCELLED":
                note(plane, f"{run.job.title} was cancelled.")
                self.report({"INFO"}, f"{run.job.title} was cancelled.")
                return {"CANCELLED"}
            sentence = run.finish(run.job.result)
        except GidError as error:
            return refuse(self, error, plane)
        note(plane, sentence)
        self.report({"INFO"}, sentence)
        return {"FINISHED"}


def describe(run: Running) -> str:
    """A job in a line: what, how far, how long still."""
    job = run.job
    left = f", {time_text(job.seconds_left)} left" if job.seconds_left is not None else ""
    return f"{job.title}: {job.fraction:.0%}{left} – {job.message}"


def time_text(seconds: float) -> str:
    """A stretch of time as a person reads it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def redraw() -> None:
    """Let the panels that show a job's progress draw again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PROPERTIES", "PREFERENCES"}:
                area.tag_redraw()
