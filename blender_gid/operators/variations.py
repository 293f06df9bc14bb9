"""Several motions of one photo: predict them, and choose."""

import bpy
from bpy.props import IntProperty

from ..adapters import jobs, variations
from ..core.engine import GidError
from .base import UNDOABLE, JobOperator, PhotoPoll, note, photo_of, refuse


class GID_OT_predict_variations(JobOperator, PhotoPoll, bpy.types.Operator):
    """Predict four motions, from this seed and the next three, to choose from"""

    bl_idname = "gid.predict_variations"
    bl_label = "Predict Variations"
    bl_options = UNDOABLE

    count: IntProperty(name="Count", description="How many", default=variations.COUNT, min=1, max=16)

    @classmethod
    def poll(cls, context):
        return PhotoPoll.poll.__func__(cls, context) and cls.job_poll()

    def begin(self, context):
        plane = photo_of(context)
        return jobs.start_batch(lambda: variations.predict(plane, self.count))


class GID_OT_choose_variation(PhotoPoll, bpy.types.Operator):
    """Let the photo move like this"""

    bl_idname = "gid.choose_variation"
    bl_label = "Choose Variation"
    bl_options = UNDOABLE

    index: IntProperty(name="Variation", description="Which one, from 0 on", min=0)

    @classmethod
    def description(cls, context, properties):
        plane = photo_of(context)
        if plane is None or properties.index >= len(plane.gid.variations):
            return cls.__doc__
        return f"Let the photo move like this: seed {plane.gid.variations[properties.index].seed}"

    def execute(self, context):
        plane = photo_of(context)
        if self.index >= len(plane.gid.variations):
            self.report({"ERROR"}, f"There is no variation number {self.index + 1}.")
            return {"CANCELLED"}
        try:
            variations.choose(plane, context.scene, self.index)
        except GidError as error:
            return refuse(self, error, plane)
        note(plane, f"The photo moves by seed {plane.gid.seed}.")
        return {"FINISHED"}


CLASSES = (GID_OT_predict_variations, GID_OT_choose_variation)
