"""Bake the motion to an image sequence, and show a sequence on the plane."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..adapters import controls, files, jobs, sequence
from ..core.engine import GidError
from ..core.sequence import Sequence, find_sequence
from .base import UNDOABLE, JobOperator, PhotoPoll, note, photo_of, refuse


class GID_OT_bake(JobOperator, PhotoPoll, bpy.types.Operator):
    """Render the frames of the motion and show them on the plane. Frames that are up to date are kept"""

    bl_idname = "gid.bake"
    bl_label = "Bake Frames"
    bl_options = UNDOABLE

    @classmethod
    def poll(cls, context):
        if not (PhotoPoll.poll.__func__(cls, context) and cls.job_poll()):
            return False
        if not photo_of(context).gid.motion:
            cls.poll_message_set("Predict the motion first")
            return False
        return True

    def begin(self, context):
        plane = photo_of(context)
        values = controls.read_controls(plane, context.scene)
        frames = controls.bake_range(values, context.scene)
        score = values.score()
        photo, motion = files.photo_path(plane), files.motion_path(plane)
        folder = files.plane_folder(plane)
        score.save(folder / "score.json")
        out, name = folder / "frames", plane.gid.folder
        reference = jobs.PlaneRef.of(plane)

        def finish(result: dict) -> str:
            baked = Sequence(out, name, result["suffix"], frames.first, frames.last, frames.cyclic)
            sequence.link(reference.find(), baked)
            kept, same = result["skipped"], "it was" if result["skipped"] == 1 else "they were"
            kept = f", {kept} of them as {same}" if kept else ""
            return f"Frames {baked.first} to {baked.last} are baked{kept}, to {baked.folder}."

        return jobs.start(
            "Baking frames",
            plane,
            finish,
            "render",
            photo=str(photo),
            motion=str(motion),
            score=score.to_dict(),
            frames={"first": frames.first, "last": frames.last},
            out_dir=str(out),
            name=name,
            **jobs.device_fields(),
        )


class GID_OT_link_sequence(PhotoPoll, bpy.types.Operator, ImportHelper):
    """Show frames on the plane that were rendered elsewhere: by the command line or a farm"""

    bl_idname = "gid.link_sequence"
    bl_label = "Link Baked Sequence"
    bl_options = UNDOABLE

    filter_glob: StringProperty(default="*.png;*.exr;*.jpg;*.tif", options={"HIDDEN"})
    cyclic: BoolProperty(name="Loop", description="The first frame follows on the last", default=True)

    def execute(self, context):
        plane = photo_of(context)
        try:
            found = find_sequence(Path(bpy.path.abspath(self.filepath)), self.cyclic)
            sequence.link(plane, found)
        except GidError as error:
            return refuse(self, error, plane)
        note(plane, f"Frames {found.first} to {found.last} are linked.")
        return {"FINISHED"}


CLASSES = (GID_OT_bake, GID_OT_link_sequence)
