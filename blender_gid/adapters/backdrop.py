"""A plane that fills what a camera sees: a child of the camera, scaled to its view at a distance."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
from mathutils import Matrix, Vector

from ..core.engine import GidError
from . import compat

_RAYS = ("diffuse", "glossy", "transmission", "volume_scatter", "shadow")
_TRANSFORM = ("location", "scale", "rotation_euler")


def fit(plane: bpy.types.Object, scene: bpy.types.Scene, distance: float, cover: bool, only_seen: bool) -> float:
    """Let the plane fill the scene camera's view; the distance. GidError where there is no such camera.

    distance: in front of the camera, 0 for behind everything that the camera sees; cover: fill the view and let
    the photo be cut, else show all of the photo; only_seen: neither light nor shadow nor reflection comes of it.
    A camera whose lens is animated gets a keyframe a frame.
    """
    camera = scene.camera
    if camera is None or camera.type != "CAMERA":
        raise GidError("no_camera", "The scene has no camera.", "Add one, and set it as the scene's camera.")
    if camera.data.type == "PANO":
        raise GidError(
            "panorama", f"{camera.name} is panoramic: a plane can't fill its view.", "Use another camera."
        )
    near, far = camera.data.clip_start, camera.data.clip_end
    distance = distance or min(_behind_all(plane, camera, scene), 0.98 * far)
    if not near < distance < far:
        raise GidError(
            "not_seen",
            f"{camera.name} shows what is {near:g} to {far:g} away, and the plane would be at {distance:g}.",
            "Choose another distance, or change the camera's clipping.",
        )
    _attach(plane, camera)
    animated = camera.data.animation_data is not None
    for frame in _frames(scene) if animated else (None,):
        plane.matrix_basis = _placed(plane, camera, scene, distance, cover)
        if frame is not None:
            plane.keyframe_insert("location", frame=frame)
            plane.keyframe_insert("scale", frame=frame)
    for ray in _RAYS if only_seen else ():
        setattr(plane, f"visible_{ray}", False)
    return distance


def camera_distance(plane: bpy.types.Object, scene: bpy.types.Scene) -> float:
    """How far before the scene's camera the plane was fitted; 0 where it never was."""
    fitted = scene.camera is not None and plane.parent == scene.camera
    return max(0.0, -plane.matrix_basis.translation.z) if fitted else 0.0


def _attach(plane: bpy.types.Object, camera: bpy.types.Object) -> None:
    if plane.animation_data is not None:
        for curve in compat.fcurves(plane):
            if curve.data_path in _TRANSFORM:  # of an earlier fit, or in the way of this one
                compat.remove_fcurve(plane, curve)
    plane.parent, plane.parent_type = camera, "OBJECT"
    # A camera's scale does not count for what it sees, but would for its child.
    place, turn, _ = camera.matrix_world.decompose()
    rigid = Matrix.LocRotScale(place, turn, None)
    plane.matrix_parent_inverse = camera.matrix_world.inverted_safe() @ rigid
    plane.rotation_mode = "XYZ"


def _placed(plane, camera, scene, distance: float, cover: bool) -> Matrix:
    """The plane's transform in the camera's space."""
    from ..core.preview import surface_frame
    from .preview import vertices

    right, up, corner = (Vector(row) for row in surface_frame(*vertices(plane.data)))
    seen = camera.data.view_frame(scene=scene)
    reach = 1.0 if camera.data.type == "ORTHO" else distance / -seen[0].z
    low = Vector((min(c.x for c in seen), min(c.y for c in seen))) * reach
    high = Vector((max(c.x for c in seen), max(c.y for c in seen))) * reach
    scales = [(high.x - low.x) / right.length, (high.y - low.y) / up.length]
    scale = max(scales) if cover else min(scales)
    turn = Matrix((right.normalized(), up.normalized(), right.cross(up).normalized())).to_4x4()
    centre = Vector((*((low + high) / 2), -distance))
    middle = corner + (right + up) / 2
    return Matrix.Translation(centre) @ turn @ Matrix.Scale(scale, 4) @ Matrix.Translation(-middle)


def _frames(scene: bpy.types.Scene) -> Iterator[int]:
    current, subframe = scene.frame_current, scene.frame_subframe
    try:
        for frame in range(scene.frame_start, scene.frame_end + 1):
            scene.frame_set(frame)
            yield frame
    finally:
        scene.frame_set(current, subframe=subframe)


def _behind_all(plane: bpy.types.Object, camera: bpy.types.Object, scene: bpy.types.Scene) -> float:
    """Farther away than everything solid in front of the camera; 10 where there is nothing."""
    to_camera = camera.matrix_world.inverted_safe()
    depths = [
        -(to_camera @ other.matrix_world @ Vector(corner)).z
        for other in scene.objects
        if other != plane and other.type in {"MESH", "CURVE", "SURFACE", "FONT", "META"} and not other.hide_render
        for corner in other.bound_box
    ]
    return max((depth * 1.1 for depth in depths if depth > 0), default=10.0)
