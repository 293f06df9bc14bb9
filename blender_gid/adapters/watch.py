"""Baked planes are looked after when a file is opened or saved and when a render starts.

Missing frames are held, so that none is rendered magenta, and bakes that no longer fit their controls are marked.
"""

from __future__ import annotations

import threading

import bpy

from . import bakes, material, sequence

_PATIENCE = 10.0  # seconds that a render with missing frames waits for a main thread which is busy otherwise
_STALE = "GID Baked (out of date)"


def look_after(scene: bpy.types.Scene) -> list[str]:
    """What is wrong with the scene's baked planes, told on the console; missing frames are held."""
    told = []
    for plane in scene.objects:
        if not _is_baked(plane):
            continue
        if plane.library is None and plane.active_material.library is None:
            if error := sequence.hold(plane, scene):
                plane.gid.status, plane.gid.failed = str(error), True
                told.append(f"{plane.name}: {error}")
            if mark(plane, scene):
                told.append(f"{plane.name}: its controls have changed since it was baked.")
    for line in told:
        print(f"GID: {line}")
    return told


def _is_baked(plane: bpy.types.Object) -> bool:
    return plane.type == "MESH" and plane.gid.display == "BAKED" and plane.active_material is not None


def mark(plane: bpy.types.Object, scene: bpy.types.Scene) -> bool:
    """Whether the plane's bake is out of date; the label of the material's node says so, too."""
    node = material.image_node(plane.active_material, material.BAKED)
    stale = node is not None and bakes.out_of_date(plane, scene)
    label = _STALE if stale else material.BAKED
    if node is not None and node.label != label:
        node.label = label
    return stale


@bpy.app.handlers.persistent
def _all_scenes(*_args) -> None:
    for scene in bpy.data.scenes:
        look_after(scene)


@bpy.app.handlers.persistent
def _before_rendering(scene: bpy.types.Scene, _=None) -> None:
    if threading.current_thread() is threading.main_thread():
        look_after(scene)
        return
    # A render from the window runs beside the main thread, which alone may change data: that is asked to.
    if not any(sequence.missing(plane) for plane in scene.objects if _is_baked(plane)):
        return
    done, name = threading.Event(), scene.name

    def look() -> None:
        try:
            if name in bpy.data.scenes:
                look_after(bpy.data.scenes[name])
        finally:
            done.set()

    bpy.app.timers.register(look, first_interval=0)
    done.wait(_PATIENCE)


_HANDLERS = (("load_post", _all_scenes), ("save_pre", _all_scenes), ("render_init", _before_rendering))


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
