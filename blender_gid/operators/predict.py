"""Predict how a photo can move, and keep its preview in step."""

import bpy

from ..adapters import files, follow, jobs, masks, preview
from ..core.engine import GidError
from .base import UNDOABLE, JobOperator, PhotoPoll, note, photo_of, refuse


class GID_OT_predict(JobOperator, PhotoPoll, bpy.types.Operator):
    """Predict from the photo how what it shows can move"""

    bl_idname = "gid.predict"
    bl_label = "Predict Motion"
    bl_options = UNDOABLE

    @classmethod
    def poll(cls, context):
        return PhotoPoll.poll.__func__(cls, context) and cls.job_poll()

    def begin(self, context):
        plane = photo_of(context)
        folder = files.plane_folder(plane)
        out = folder / f"{plane.gid.folder}.motion.safetensors"
        fields = {"photo": str(files.photo_path(plane)), "out": str(out), "seed": plane.gid.seed}
        if plane.gid.mask is not None:
            fields["mask"] = str(masks.save(plane.gid.mask, folder / "mask.png"))
        reference = jobs.PlaneRef.of(plane)

        def finish(result: dict) -> str:
            plane = reference.find()
            plane.gid.motion = files.stored(out)
            preview.build(plane, bpy.context.scene)
            plane.gid.display = "PREVIEW"
            return " ".join(["The motion is predicted; the preview plays.", *map(str, result.get("notes") or ())])

        return jobs.start("Predicting motion", plane, finish, "predict", **fields, **jobs.device_fields())


class GID_OT_update_preview(PhotoPoll, bpy.types.Operator):
    """Bring the moving grid in line with the controls and their keyframes"""

    bl_idname = "gid.update_preview"
    bl_label = "Update Preview"
    bl_options = UNDOABLE

    @classmethod
    def poll(cls, context):
        if not PhotoPoll.poll.__func__(cls, context):
            return False
        if not photo_of(context).gid.motion:
            cls.poll_message_set("Predict the motion first")
            return False
        return True

    def execute(self, context):
        plane = photo_of(context)
        try:
            preview.build(plane, context.scene)
        except GidError as error:
            return refuse(self, error, plane)
        follow.resume(plane)
        plane.gid.display = "PREVIEW"
        note(plane, "The preview is up to date.")
        return {"FINISHED"}


CLASSES = (GID_OT_predict, GID_OT_update_preview)
