"""Previews follow what is keyed, driven and painted, a moment after the last change.

Sliders reach the preview by themselves (see `parts`); what is edited elsewhere, in the Graph Editor, the NLA or
Texture Paint, is only told by Blender's dependency graph. Nothing is done while Blender plays, renders or works
for us.
"""

from __future__ import annotations

import time

import bpy

from ..core import engine
from ..core.engine import GidError
from . import compat, jobs, preview, regions
from .controls import needs_stepping

_PAUSE = 0.2  # seconds without a change before the preview follows
_PATIENCE = 0.5  # seconds that stepping through the scene for a driver or an NLA strip may take

_last_change = 0.0
_painted: set[str] = set()  # names of changed datablocks that a region may be made from
_too_slow: set[int] = set()  # planes whose scenes took longer: while they need stepping, they wait for the button


def look_after(scene: bpy.types.Scene, changed: set[str] = frozenset()) -> int:
    """Bring all previews of the scene that may be shown in line with their controls; how many were not.

    changed: names of datablocks from which the masks of regions are to be made anew.
    """
    count = 0
    for plane in scene.objects:
        if not _is_followed(plane):
            continue
        try:
            if plane.mode != "TEXTURE_PAINT" and regions.end_painting(plane):
                regions.hand_over_all(plane)
            for region in plane.gid.regions:
                if changed & _sources(plane, region):
                    regions.hand_over(plane, region)
            count += preview.refresh(plane, scene, _PATIENCE)
            if compat.session_uid(plane) in _too_slow:  # it no longer is
                resume(plane)
                plane.gid.status, plane.gid.failed = "", False
        except GidError as error:
            if error.code == "slow_scene":
                _too_slow.add(compat.session_uid(plane))
            if plane.gid.status != str(error):
                plane.gid.status, plane.gid.failed = str(error), True
    return count


def resume(plane: bpy.types.Object) -> None:
    """Follow the plane again, though it was too slow to step through."""
    _too_slow.discard(compat.session_uid(plane))


def _is_followed(plane: bpy.types.Object) -> bool:
    if plane.type != "MESH" or plane.gid.display == "BAKED" or plane.library is not None:
        return False
    return plane.mode != "EDIT" and not (compat.session_uid(plane) in _too_slow and needs_stepping(plane))


def _sources(plane: bpy.types.Object, region) -> set[str]:
    if region.source == "GROUP":
        return {plane.name, plane.data.name}
    made_from = region.image if region.source == "IMAGE" else region.silhouette
    return {made_from.name} if made_from else set()


_TOLD = (bpy.types.Action, bpy.types.Object, bpy.types.Image, bpy.types.Mesh)


@bpy.app.handlers.persistent
def _changed(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    names = {update.id.name for update in depsgraph.updates if isinstance(update.id, _TOLD)}
    if names and not bpy.app.background:
        _wait(names)


@bpy.app.handlers.persistent
def _stepped_back(*_args) -> None:
    if not bpy.app.background:
        _wait(set())


def _wait(names: set[str]) -> None:
    global _last_change
    _last_change = time.monotonic()
    _painted.update(names)
    if not bpy.app.timers.is_registered(_follow):
        bpy.app.timers.register(_follow, first_interval=_PAUSE)


def _follow() -> float | None:
    """The timer: seconds until it is to look again, None once all is done."""
    if engine.motion is None:
        return None
    if time.monotonic() - _last_change < _PAUSE or jobs.running() or _is_busy():
        return _PAUSE
    changed = set(_painted)
    _painted.clear()
    look_after(bpy.context.scene, changed)
    return None


def _is_busy() -> bool:
    if bpy.app.is_job_running("RENDER"):
        return True
    return any(window.screen.is_animation_playing for window in bpy.context.window_manager.windows)


@bpy.app.handlers.persistent
def _forget(*_args) -> None:
    _too_slow.clear()
    _painted.clear()


_HANDLERS = (
    ("depsgraph_update_post", _changed),
    ("undo_post", _stepped_back),
    ("redo_post", _stepped_back),
    ("load_post", _forget),
)


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    if bpy.app.timers.is_registered(_follow):
        bpy.app.timers.unregister(_follow)
