"""A plane's controls, keyframes and all, as plain values for `core.controls`."""

from __future__ import annotations

import bpy

from ..core.controls import Controls, FrameRange, Touch, Track, frame_range
from . import compat

_TRACKS = ("amplitude", "speed", "wind_strength")


def read_controls(plane: bpy.types.Object, scene: bpy.types.Scene) -> Controls:
    """Everything set on the plane, sampled over the scene's frames and one loop."""
    gid = plane.gid
    first = min(scene.frame_start, gid.rest_frame)
    last = max(scene.frame_end, gid.rest_frame + gid.loop_frames, scene.frame_start + gid.loop_frames)
    tracks = _sample(plane, scene, first, last)
    return Controls(
        fps=scene.render.fps / scene.render.fps_base,
        loop_frames=gid.loop_frames,
        rest_frame=gid.rest_frame,
        band_gain=(gid.gain_low, gid.gain_mid, gid.gain_high),
        stiffness=gid.stiffness,
        damping=gid.damping,
        wind_angle=gid.wind_direction,
        wind_gust=gid.wind_gust,
        wind_seed=gid.wind_seed,
        impulses=tuple(Touch(i.frame, tuple(i.location), i.direction, i.strength, i.radius) for i in gid.impulses),
        **tracks,
    )


def bake_range(controls: Controls, scene: bpy.types.Scene) -> FrameRange:
    return frame_range(controls, scene.frame_start, scene.frame_end)


def preview_frames(controls: Controls, scene: bpy.types.Scene) -> tuple[range, bool]:
    """(frames to key, whether they repeat): one loop and the first frame again, or the scene's range."""
    if controls.repeats:
        return range(scene.frame_start, scene.frame_start + controls.loop_frames + 1), True
    return range(scene.frame_start, scene.frame_end + 1), False


def _sample(plane: bpy.types.Object, scene: bpy.types.Scene, first: int, last: int) -> dict[str, Track]:
    curves = {curve.data_path: curve for curve in compat.fcurves(plane)}
    if needs_stepping(plane):
        return _step(plane, scene, first, last)
    tracks = {}
    for name in _TRACKS:
        curve = curves.get(f"gid.{name}")
        if curve is None or curve.mute:
            tracks[name] = Track((getattr(plane.gid, name),))
        else:
            prop = plane.gid.bl_rna.properties[name]
            values = (curve.evaluate(frame) for frame in range(first, last + 1))
            tracks[name] = Track(tuple(min(max(v, prop.hard_min), prop.hard_max) for v in values), first)
    return tracks


def needs_stepping(plane: bpy.types.Object) -> bool:
    """Whether F-curves alone tell the controls wrongly: a driver or the NLA has a say."""
    data = plane.animation_data
    if data is None:
        return False
    driven = any(d.data_path.removeprefix("gid.") in _TRACKS for d in data.drivers)
    return driven or (data.use_nla and any(not track.mute for track in data.nla_tracks))


def _step(plane: bpy.types.Object, scene: bpy.types.Scene, first: int, last: int) -> dict[str, Track]:
    values: dict[str, list[float]] = {name: [] for name in _TRACKS}
    current, subframe = scene.frame_current, scene.frame_subframe
    try:
        for frame in range(first, last + 1):
            scene.frame_set(frame)
            for name in _TRACKS:
                values[name].append(getattr(plane.gid, name))
    finally:
        scene.frame_set(current, subframe=subframe)
    return {name: Track(tuple(v), first) for name, v in values.items()}
