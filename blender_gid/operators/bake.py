"""Bake the motion to image sequences, keep versions of them, and show a sequence on the plane."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..adapters import bakes, jobs, sequence
from ..core.engine import GidError, problem
from ..core.sequence import find_sequence
from .base import UNDOABLE, JobOperator, PhotoPoll, note, photo_of, photos_of, refuse


class GID_OT_bake(JobOperator, bpy.types.Operator):
    """Render the frames of the motion and show them on the plane. Frames that are up to date are kept"""

    bl_idname = "gid.bake"
    bl_label = "Bake Frames"
    bl_options = UNDOABLE

    scope: EnumProperty(
        name="Planes",
        description="Which photos are baked, one after the other",
        items=(
            ("ACTIVE", "Active", "The active photo"),
            ("SELECTED", "Selected", "All selected photos"),
            ("ALL", "All", "All photos of the scene that have a motion"),
        ),
        options={"SKIP_SAVE"},
    )
    new_version: BoolProperty(
        name="New Version",
        description="Keep the frames that are there, and bake beside them",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context):
        if problem:
            cls.poll_message_set(problem)
            return False
        if not any(plane.gid.motion for plane in photos_of(context, "ALL")):
            active = photo_of(context)
            if active is not None and active.library:
                return PhotoPoll.poll.__func__(cls, context)
            cls.poll_message_set("Import a photo and predict its motion first")
            return False
        return cls.job_poll()

    @classmethod
    def description(cls, context, properties):
        if properties.scope == "ACTIVE":
            return (
                "Bake beside the frames that are there, which are kept" if properties.new_version else cls.__doc__
            )
        return "Bake these photos one after the other. Frames that are up to date are kept"

    def begin(self, context):
        planes = photos_of(context, self.scope)
        if self.scope != "ACTIVE":
            planes = [plane for plane in planes if plane.gid.motion]
        if not planes:
            raise GidError("no_photo", "No photo of this file is selected.", "Select a photo plane first.")
        return jobs.start_batch(lambda: bakes.batch(planes, context.scene, self.new_version))


class GID_OT_export_motion(JobOperator, PhotoPoll, bpy.types.Operator):
    """Write the motion itself beside the frames, for compositing in other programs"""

    bl_idname = "gid.export_motion"
    bl_label = "Export Motion"
    bl_options = UNDOABLE

    kind: EnumProperty(
        name="Kind",
        description="What the files hold",
        items=(
            ("displacement", "Displacement EXR", "Multilayer EXR: displacement, motion vectors, holes"),
            ("stmap", "ST-Map", "Absolute texture coordinates, for STMap and Map UV nodes"),
        ),
    )

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
        return jobs.start_batch(lambda: bakes.export(plane, context.scene, self.kind))


class GID_OT_delete_version(PhotoPoll, bpy.types.Operator):
    """Delete the shown version's frames from the disk. This can't be undone"""

    bl_idname = "gid.delete_version"
    bl_label = "Delete Version"

    index: IntProperty(default=-1, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context):
        if not PhotoPoll.poll.__func__(cls, context):
            return False
        output = photo_of(context).gid.output
        if not 0 <= output.version_index < len(output.versions):
            cls.poll_message_set("There is no baked version")
            return False
        return True

    def invoke(self, context, event):
        output = photo_of(context).gid.output
        name = output.versions[output.version_index].name
        message = f"The frames of {name} are deleted from the disk."
        return context.window_manager.invoke_confirm(
            self, event, title=self.bl_label, message=message, confirm_text="Delete", icon="WARNING"
        )

    def execute(self, context):
        plane = photo_of(context)
        index = self.index if self.index >= 0 else plane.gid.output.version_index
        if index >= len(plane.gid.output.versions):
            return {"CANCELLED"}
        try:
            note(plane, bakes.delete_version(plane, index))
        except GidError as error:
            return refuse(self, error, plane)
        return {"FINISHED"}


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
        bakes.add_version(plane, found.stem, found, "")
        note(plane, f"Frames {found.first} to {found.last} are linked.")
        return {"FINISHED"}


CLASSES = (GID_OT_bake, GID_OT_export_motion, GID_OT_delete_version, GID_OT_link_sequence)
