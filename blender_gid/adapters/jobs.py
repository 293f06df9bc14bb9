"""The one engine process and the one job of this Blender, kept out of the reach of undo."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..core import engine, installer
from ..core.client import EngineClient, worker_command
from ..core.engine import GidError
from ..core.job import Batch, Job
from ..core.setup import Setup
from . import compat, files


@dataclass(frozen=True)
class PlaneRef:
    """A plane remembered by name and number: Blender's own references die with an undo."""

    name: str
    uid: int

    @classmethod
    def of(cls, plane: bpy.types.Object) -> PlaneRef:
        return cls(plane.name, compat.session_uid(plane))

    def find(self) -> bpy.types.Object:
        """The plane as it is now. GidError if it was deleted meanwhile."""
        if self.uid:
            for plane in bpy.data.objects:
                if plane.session_uid == self.uid:
                    return plane
        plane = bpy.data.objects.get(self.name)
        if plane is None:
            raise GidError("plane_gone", f"{self.name} was deleted meanwhile.", "Undo, or import the photo again.")
        return plane


@dataclass
class Running:
    """A job, the plane it is for (None: for none), and what to do with its result."""

    job: Job | Batch | Setup
    plane: PlaneRef | None
    finish: Callable[[dict], str]  # takes the result, returns the sentence to show


_client: EngineClient | None = None
_running: Running | None = None


def running() -> Running | None:
    """The job in flight, if any."""
    return _running if _running and not _running.job.finished else None


def engine_python() -> str:
    """The engine's Python: from the preferences, the environment, or our own installation. GidError if none."""
    preferences = compat.preferences()
    chosen = getattr(preferences, "engine_python", "") or os.environ.get("GID_ENGINE_PYTHON", "")
    if chosen:
        path = Path(bpy.path.abspath(chosen))
        if not path.is_file():
            raise GidError(
                "engine_missing", f"The engine's Python {path} does not exist.", "Correct it in the preferences."
            )
        return str(path)
    return str(installer.installed_python(engine_folder()))


def engine_folder() -> Path:
    """Where the engine's environment is, or would be, installed."""
    chosen = getattr(compat.preferences(), "engine_folder", "")
    return Path(bpy.path.abspath(chosen)) if chosen else installer.default_folder()


def start(
    title: str, plane: bpy.types.Object | None, finish: Callable[[dict], str], verb: str, **fields
) -> Running:
    """Send a request to the engine, starting it if need be. GidError if there is one in flight or no engine."""
    _refuse_a_second()
    return _keep(Running(request(title, verb, **fields), PlaneRef.of(plane) if plane else None, finish))


def request(title: str, verb: str, **fields) -> Job:
    """A job of the engine, which is started if need be. GidError without an engine."""
    return Job(_connect(), title, verb, **fields)


def start_batch(make: Callable[[], Batch]) -> Running:
    """Several jobs one after the other as the one in flight; each step tells its own plane."""
    _refuse_a_second()
    batch = make()
    return _keep(Running(batch, None, lambda result: batch.summary))


def _refuse_a_second() -> None:
    if current := running():
        raise GidError("busy", f"“{current.job.title}” is still running.", "Wait for it, or cancel it.")


def start_setup(make: Callable[[], Setup], finish: Callable[[dict], str]) -> Running:
    """Work on the engine's own folder as the one job in flight."""
    _refuse_a_second()
    stop_engine()  # Windows can't replace the files of a running program
    return _keep(Running(make(), None, finish))


def device_fields() -> dict[str, str]:
    """The device chosen in the preferences, as a request's field."""
    return {"device": getattr(compat.preferences(), "device", "auto")}


def _keep(run: Running) -> Running:
    global _running
    _running = run
    return run


def _connect() -> EngineClient:
    global _client
    if _client is None or not _client.alive:
        _client = EngineClient(worker_command(engine_python()), engine.ENGINE_ROOT, files.log_file())
    return _client


def stop_engine() -> None:
    """End the engine and whatever it is doing; its memory, the GPU's too, is free afterwards."""
    global _client
    if _running:
        _running.job.abandon()
    if _client:
        _client.stop()
        _client = None


def end_when_idle() -> None:
    """Start, or start anew, the wait after which an idle engine ends and gives its memory back."""
    if bpy.app.timers.is_registered(_end_idle):
        bpy.app.timers.unregister(_end_idle)
    minutes = getattr(compat.preferences(), "idle_minutes", 2)
    if minutes and not bpy.app.background:
        bpy.app.timers.register(_end_idle, first_interval=60.0 * minutes, persistent=True)


def _end_idle() -> None:
    if running() is None:
        stop_engine()


@bpy.app.handlers.persistent
def _on_load(*_args) -> None:
    if running():
        stop_engine()


def register() -> None:
    bpy.app.handlers.load_pre.append(_on_load)
    atexit.register(stop_engine)


def unregister() -> None:
    atexit.unregister(stop_engine)
    bpy.app.handlers.load_pre.remove(_on_load)
    if bpy.app.timers.is_registered(_end_idle):
        bpy.app.timers.unregister(_end_idle)
    stop_engine()
