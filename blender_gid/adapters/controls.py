"""A plane's controls, keyframes and all, as plain values for `core.controls`."""

from __future__ import annotations

import math
import time

import bpy

from ..core.controls import Area, Controls, FrameRange, Hold, Stroke, Touch, Track, frame_range
from ..core.engine import GidError
from . import compat, files

KEYED = (
    "amplitude",
    "speed",
    "gain_low",
    "gain_mid",
    "gain_high",
    "stiffness",
    "damping",
    "wind_direction",
    "wind_strength",
    "wind_gust",
)


def read_controls(plane: bpy.types.Object, scene: bpy.types.Scene, patience: float = math.inf) -> Controls:
    """Everything set on the plane, sampled over the scene's frames and one loop.

    patience: seconds that stepping through the scene may take, where that is needed; GidError where it would take
    longer.
    """
    gid = plane.gid
    first = min(scene.frame_start, gid.rest_frame)
    last = max(scene.frame_end, gid.rest_frame + gid.loop_frames, scene.frame_start + gid.loop_frames)
    frames = range(first, last + 1)
    tracks = _step(plane, scene, frames, patience) if needs_stepping(plane) else _evaluate(plane, frames)
    return Controls(
        fps=scene.render.fps / scene.render.fps_base,
        loop_frames=gid.loop_frames,
        loop_offset=gid.loop_offset,
        rest_frame=gid.rest_frame,
        wind_speed=gid.wind_speed,
        wind_seed=gid.wind_seed,
        touches=tuple(_touch(impulse) for impulse in gid.impulses),
        strokes=_strokes(gid, tracks),
        holds=tuple(Hold(tuple(pin.location), pin.radius) for pin in gid.pins),
        areas=_areas(plane, tracks),
        **{name: tracks[f"gid.{name}"] for name in KEYED},
    )


def _touch(impulse) -> Touch:
    release = impulse.frame + impulse.duration if impulse.kind == "DRAG" else None
    place = tuple(impulse.location)
    return Touch(impulse.frame, place, impulse.direction, impulse.strength, impulse.radius, release)


def _strokes(gid, tracks: dict[str, Track]) -> tuple[Stroke, ...]:
    if gid.hand is None:
        return ()
    return (Stroke(tracks[_HAND_U], tracks[_HAND_V], gid.hand_radius, tracks["gid.hand_strength"]),)


def _areas(plane: bpy.types.Object, tracks: dict[str, Track]) -> tuple[Area, ...]:
    """The regions that have a mask."""
    return tuple(
        Area(
            region.name,
            str(files.absolute(region.file, plane)),
            tracks[f"gid.regions[{i}].amplitude"],
            region.stiffness,
            region.damping,
            region.phase,
        )
        for i, region in enumerate(plane.gid.regions)
        if region.file
    )


def bake_range(controls: Controls, scene: bpy.types.Scene) -> FrameRange:
    return frame_range(controls, scene.frame_start, scene.frame_end)


def preview_frames(controls: Controls, scene: bpy.types.Scene) -> tuple[range, bool]:
    """(frames to key, whether they repeat): one loop and the first frame again, or the scene's range."""
    if controls.repeats:
        return range(scene.frame_start, scene.frame_start + controls.loop_frames + 1), True
    return range(scene.frame_start, scene.frame_end + 1), False


# --- over frames ------------------------------------------------------------------------------------------------

_HAND_U, _HAND_V = "hand u", "hand v"


def keyed_paths(plane: bpy.types.Object) -> list[str]:
    """Data paths, from the plane, of all controls that may change over time."""
    names = [*KEYED, "hand_strength", *(f"regions[{i}].amplitude" for i in range(len(plane.gid.regions)))]
    return [f"gid.{name}" for name in names]


def needs_stepping(plane: bpy.types.Object) -> bool:
    """Whether F-curves alone tell the controls wrongly: a driver, the NLA or a parent has a say."""
    if _is_driven(plane, tuple(keyed_paths(plane))):
        return True
    hand = plane.gid.hand
    return hand is not None and (_is_led(hand) or _is_led(plane) or _turns(plane))


def _is_driven(thing: bpy.types.Object, paths: tuple[str, ...] | None = None) -> bool:
    """Whether drivers (of the paths, or any) or NLA tracks animate an object."""
    data = thing.animation_data
    if data is None:
        return False
    driven = any(paths is None or driver.data_path in paths for driver in data.drivers)
    return driven or (data.use_nla and any(not track.mute for track in data.nla_tracks))


def _is_led(thing: bpy.types.Object) -> bool:
    return thing.parent is not None or bool(thing.constraints) or _is_driven(thing)


def _turns(plane: bpy.types.Object) -> bool:
    return any(not curve.data_path.startswith("gid.") for curve in compat.fcurves(plane))


def _evaluate(plane: bpy.types.Object, frames: range) -> dict[str, Track]:
    """By the F-curves alone, without stepping through the scene."""
    curves = {curve.data_path: curve for curve in compat.fcurves(plane) if not curve.mute}
    tracks = {path: _along(plane, path, curves.get(path), frames) for path in keyed_paths(plane)}
    if hand := plane.gid.hand:
        from .pointer import Surface

        axes = {curve.array_index: curve for curve in compat.fcurves(hand) if curve.data_path == "location"}
        start, surface = hand.delta_location, Surface(plane)
        places = []
        for frame in frames if axes else frames[:1]:
            here = hand.location.copy()
            for axis, curve in axes.items():
                if not curve.mute:
                    here[axis] = curve.evaluate(frame)
            places.append(surface.foot(start + here))
        tracks |= _path(places, frames.start)
    return tracks


def _along(plane: bpy.types.Object, path: str, curve, frames: range) -> Track:
    if curve is None:
        return Track((plane.path_resolve(path),))
    owner, _, name = path.rpartition(".")
    prop = plane.path_resolve(owner).bl_rna.properties[name]
    values = (curve.evaluate(frame) for frame in frames)
    return Track(tuple(min(max(value, prop.hard_min), prop.hard_max) for value in values), frames.start)


def _path(places: list[tuple[float, float]], first: int) -> dict[str, Track]:
    u, v = zip(*places, strict=True)
    return {_HAND_U: Track(u, first), _HAND_V: Track(v, first)}


def _step(plane: bpy.types.Object, scene: bpy.types.Scene, frames: range, patience: float) -> dict[str, Track]:
    paths = keyed_paths(plane)
    values: dict[str, list[float]] = {path: [] for path in paths}
    places, surface = [], None
    if hand := plane.gid.hand:
        from .pointer import Surface

        surface = Surface(plane)
    current, subframe, start = scene.frame_current, scene.frame_subframe, time.monotonic()
    try:
        for done, frame in enumerate(frames):
            scene.frame_set(frame)
            for path in paths:
                values[path].append(plane.path_resolve(path))
            if surface:
                places.append(surface.foot(hand.matrix_world.translation))
            spent = time.monotonic() - start
            # Judged by a quarter of the patience at least: one slow frame says nothing of the others.
            if spent > patience / 4 and spent / (done + 1) * len(frames) > patience:
                raise GidError(
                    "slow_scene",
                    f"{plane.name} follows a driver, the NLA or a parent, and this scene is slow to step through.",
                    "Press Update Preview when you have changed it.",
                )
    finally:
        scene.frame_set(current, subframe=subframe)
    tracks = {path: Track(tuple(v), frames.start) for path, v in values.items()}
    return tracks | (_path(places, frames.start) if places else {})
