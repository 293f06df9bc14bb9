"""The engine: install, test, repair and remove it, stop it, and cancel what it does."""

import bpy

from ..adapters import compat, engine_setup, jobs
from ..core.engine import GidError
from .base import JobOperator


class GID_OT_cancel(bpy.types.Operator):
    """Cancel the running job; what it has finished is kept"""

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


class _EngineOperator(JobOperator):
    """Long work on the engine itself, one job at a time."""

    @classmethod
    def poll(cls, context):
        return cls.job_poll()


class GID_OT_test_engine(_EngineOperator, bpy.types.Operator):
    """Start the engine and let it say what it is, what it computes on, and what is wrong"""

    bl_idname = "gid.test_engine"
    bl_label = "Test Engine"

    def begin(self, context):
        return jobs.start("Testing the engine", None, _greeting, "hello")


def _greeting(result: dict) -> str:
    if problem := result.get("problem"):
        raise GidError("engine_problem", str(problem), "Repair the engine in the preferences.")
    if not result["weights"]:
        raise GidError(
            "weights_missing", "The engine works, but its weights are missing.", "Install the add-on again."
        )
    device, wanted = result["device"], getattr(compat.preferences(), "device", "auto")
    if wanted not in ("auto", "cpu", device):
        raise GidError(
            "device_missing",
            f"The engine works, but it can't compute on {wanted}: it has only {device}.",
            "Update the graphics driver, or choose another device or backend.",
        )
    return f"The engine works: version {result['version']}, PyTorch {result['torch']}, device {device}."


class GID_OT_install_engine(_EngineOperator, bpy.types.Operator):
    """Install the engine: PyTorch and a few packages, in an environment of their own. What is there stays in use \
until the new one works; what was interrupted goes on where it stopped"""

    bl_idname = "gid.install_engine"
    bl_label = "Install Engine"

    def begin(self, context):
        return engine_setup.install()


class GID_OT_repair_engine(_EngineOperator, bpy.types.Operator):
    """Check every file of the engine, and bring back what is missing or damaged"""

    bl_idname = "gid.repair_engine"
    bl_label = "Check and Repair"

    def begin(self, context):
        return engine_setup.repair()


class GID_OT_remove_engine(_EngineOperator, bpy.types.Operator):
    """Remove the engine from its folder; motions and baked frames stay"""

    bl_idname = "gid.remove_engine"
    bl_label = "Remove Engine"

    def begin(self, context):
        return engine_setup.remove()


CLASSES = (
    GID_OT_cancel,
    GID_OT_stop_engine,
    GID_OT_test_engine,
    GID_OT_install_engine,
    GID_OT_repair_engine,
    GID_OT_remove_engine,
)
