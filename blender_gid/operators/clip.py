"""Motion taken from a clip: for the clip's own first frame, or for another photo."""

import contextlib
from pathlib import Path

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..adapters import files, jobs, masks, preview
from ..core.engine import GidError
from ..core.paths import file_name
from .base import UNDOABLE, JobOperator, is_photo, note, photo_of

_EXTENSIONS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")


class GID_OT_analyse_clip(JobOperator, bpy.types.Operator, ImportHelper):
    """Take the motion of something that sways in a clip: for the clip's first frame, which becomes a photo plane,
    or for the active photo"""

    bl_idname = "gid.analyse_clip"
    bl_label = "Analyse Clip"
    bl_options = UNDOABLE

    filter_glob: StringProperty(default=";".join(f"*{e}" for e in _EXTENSIONS), options={"HIDDEN"})
    onto: BoolProperty(
        name="Onto the Active Photo",
        description="Give the motion to the active photo, where its mask lets it move, instead of a new plane",
        default=False,
    )
    start: IntProperty(name="From Frame", description="Where in the clip to begin; its photo", default=0, min=0)
    seconds: FloatProperty(
        name="Seconds",
        description="How much of the clip to look at",
        default=5,
        min=1,
        max=20,
        subtype="TIME_ABSOLUTE",
    )
    stabilise: BoolProperty(name="Stabilise", description="Take a moving camera's motion out first", default=False)

    _run = None  # no job yet while the file browser is open
    _folder = None  # made for this clip

    @classmethod
    def poll(cls, context):
        if context.mode != "OBJECT":
            cls.poll_message_set("Switch to Object Mode first")
            return False
        return cls.job_poll()

    def invoke(self, context, event):
        return ImportHelper.invoke(self, context, event)

    def execute(self, context):
        # From the file browser: now the job starts, modal in a window.
        return (
            JobOperator.execute(self, context) if bpy.app.background else JobOperator.invoke(self, context, None)
        )

    def begin(self, context):
        clip = Path(bpy.path.abspath(self.filepath))
        if not clip.is_file():
            raise GidError("clip_missing", f"The clip {clip} does not exist.", "Choose another file.")
        fields = {"clip": str(clip), "start": self.start, "seconds": self.seconds, "stabilise": self.stabilise}
        plane = photo_of(context) if self.onto else None
        if self.onto:
            return self._onto(plane, fields)
        folder, name = files.clip_folder(clip.stem), file_name(clip.stem)
        self._folder = folder
        photo, motion = folder / f"{name}.png", folder / f"{name}.motion.safetensors"
        return jobs.start(
            "Analysing", None, lambda result: _play(_imported(photo, folder), motion, result), "observe",
            out=str(motion), photo_out=str(photo), **fields,
        )  # fmt: skip

    def _onto(self, plane, fields: dict):
        if plane is None or plane.library is not None:
            raise GidError(
                "no_photo", "No photo plane is active.", "Select one, or switch off Onto the Active Photo."
            )
        folder = files.plane_folder(plane)
        motion = folder / f"{plane.gid.folder}.motion.safetensors"
        fields["onto"] = str(files.photo_path(plane))
        if plane.gid.mask is not None:
            fields["mask"] = str(masks.save(plane.gid.mask, folder / "mask.png"))
        reference = jobs.PlaneRef.of(plane)
        return jobs.start(
            "Analysing", plane, lambda result: _play(reference.find(), motion, result), "observe",
            out=str(motion), **fields,
        )  # fmt: skip

    def _close(self, context):
        done = super()._close(context)
        self._sweep()
        return done

    def cancel(self, context):
        if self._run is not None:
            super().cancel(context)
        self._sweep()

    def _sweep(self) -> None:
        """Take away the new folder of a clip that gave nothing."""
        if self._folder is not None:
            with contextlib.suppress(OSError):  # there is something in it
                self._folder.rmdir()


def _imported(photo: Path, folder: Path) -> bpy.types.Object:
    """The clip's first frame as a plane whose folder is the clip's."""
    try:
        bpy.ops.gid.import_photo(filepath=str(photo))
    except RuntimeError as error:  # its reasons: another mode by now, an unreadable file
        raise GidError(
            "clip_photo", f"The clip's first frame {photo} could not be imported: {error}", "Import it yourself."
        ) from error
    bpy.context.object.gid.folder = folder.name
    return bpy.context.object


def _play(plane: bpy.types.Object, motion: Path, result: dict) -> str:
    if not is_photo(plane):
        raise GidError("no_photo", "The photo plane is gone.", "Analyse the clip again.")
    plane.gid.motion = files.stored(motion)
    preview.build(plane, bpy.context.scene)
    plane.gid.display = "PREVIEW"
    sentence = " ".join(["The motion of the clip plays.", *map(str, result.get("notes") or ())])
    note(plane, sentence)  # a plane that is new is not yet the job's
    return sentence


CLASSES = (GID_OT_analyse_clip,)
