"""The engine: install it, try it, stop it, and cancel what it does."""

from pathlib import Path

import bpy

from ..adapters import compat, jobs
from ..core.engine import GidError
from .base import JobOperator


class GID_OT_cancel(bpy.types.Operator):
    """Cancel the running job; finished frames are kept"""

    bl_idname = "gid.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context):
        if jobs.running() is None:
            cls.poll_message_set("Nothing is running")
            return False
        return True

    def execute(self, context):
        jobs.running().job.cancel()
        return {"FINISHED"}


class GID_OT_stop_engine(bpy.types.Operator):
    """End the engine's process: its memory, the GPU's too, is free at once. It starts again when needed"""

    bl_idname = "gid.stop_engine"
    bl_label = "Release Memory"

    def execute(self, context):
        jobs.stop_engine()
        return {"FINISHED"}


class GID_OT_test_engine(JobOperator, bpy.types.Operator):
    """Start the engine and let it report its version and device"""

    bl_idname = "gid.test_engine"
    bl_label = "Test Engine"

    @classmethod
    def poll(cls, context):
        return cls.job_poll()

    def begin(self, context):
        return jobs.start("Testing the engine", None, _greeting, "hello")


def _greeting(result: dict) -> str:
    if problem := result.get("problem"):
        raise GidError("engine_problem", str(problem), "Install the engine again.")
    if not result["weights"]:
        raise GidError(
            "weights_missing", "The engine works, but its weights are missing.", "Install the add-on again."
        )
    return f"The engine works: version {result['version']}, PyTorch {result['torch']}, device {result['device']}."


class GID_OT_install_engine(JobOperator, bpy.types.Operator):
    """Install the engine into the folder above: PyTorch and a few packages, in an environment of their own"""

    bl_idname = "gid.install_engine"
    bl_label = "Install Engine"

    @classmethod
    def poll(cls, context):
        return cls.job_poll()

    def begin(self, context):
        preferences = compat.preferences()
        wheels = getattr(preferences, "wheels_folder", "")
        if not wheels and not compat.online():
            raise GidError(
                "offline",
                "Blender may not use the network.",
                "Turn on Preferences > System > Network > Allow Online Access, or choose a folder of packages.",
            )
        return jobs.install(Path(bpy.path.abspath(wheels)) if wheels else None)


CLASSES = (GID_OT_cancel, GID_OT_stop_engine, GID_OT_test_engine, GID_OT_install_engine)
