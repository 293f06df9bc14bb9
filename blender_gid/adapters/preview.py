"""The moving grid: modes as attributes of the mesh, summed by Geometry Nodes, the score as F-curves of the group.

It plays without Python and without the add-on, alike in Cycles, EEVEE and Workbench. The score is keyed on nodes
of the group itself, so that the object's own action stays the artist's. What the maps and the F-curves were made
from is noted on the group, where an undo takes it back together with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from operator import is_
from pathlib import Path

import bpy

from ..core import engine
from ..core.controls import Controls, fingerprint
from ..core.engine import GidError
from . import compat, files, masks, regions
from .controls import preview_frames, read_controls
from .ownership import make_single_user, shared

MODIFIER = "GID Preview"
_PREFIX = "gid_"  # of the mesh's attributes: gid_x_m00, gid_y_m00 …
_FACTOR = "gid_q_"  # of the nodes that multiply them
_MODES, _PLACES, _PULL = "m", "t", "pull"  # what follows in both: modes, touched places, the hand of the mouse
_MAPS, _TOUCHED, _KEPT, _SCORE = "gid_maps", "gid_touched", "gid_kept", "gid_score"  # notes on the group


def build(plane: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Make the moving grid of the plane's motion, and key its score. GidError if the motion can't be read."""
    regions.hand_over_all(plane)
    controls = read_controls(plane, scene)
    performance = _perform(plane, controls)
    _refuse_edit_mode(plane)
    make_single_user(plane)
    modifier = plane.modifiers.get(MODIFIER) or plane.modifiers.new(MODIFIER, "NODES")
    group = modifier.node_group
    if group is None or group.users > 1 or group.library:  # a duplicate shares its original's group
        group = modifier.node_group = bpy.data.node_groups.new(f"{MODIFIER} {plane.name}", "GeometryNodeTree")
    group.nodes.clear()
    group[_MAPS] = ""
    _write(plane, group, controls, performance)
    _key(group, controls, performance, scene)


def refresh(plane: bpy.types.Object, scene: bpy.types.Scene, patience: float = math.inf) -> bool:
    """Bring the plane's moving grid in line with its controls, where it has one; whether that changed anything.

    patience: as of `read_controls`.
    """
    group = group_of(plane)
    if group is None or not plane.gid.motion or engine.motion is None:
        return False
    controls = read_controls(plane, scene, patience)
    if group.get(_SCORE) == _note(controls, scene) and group.get(_MAPS) == _source(plane, controls):
        return False
    if group.users > 1 or group.library or shared(plane.data):
        build(plane, scene)
        return True
    performance = _perform(plane, controls)
    _write(plane, group, controls, performance)
    _key(group, controls, performance, scene)
    return True


def group_of(plane: bpy.types.Object) -> bpy.types.NodeTree | None:
    """The nodes of the plane's moving grid, if it has one."""
    modifier = plane.modifiers.get(MODIFIER)
    return modifier.node_group if modifier else None


def enable(plane: bpy.types.Object, on: bool) -> None:
    """Show or hide the moving grid, in the viewport and in renders."""
    modifier = plane.modifiers.get(MODIFIER)
    if modifier is not None:
        modifier.show_viewport = modifier.show_render = on


def _refuse_edit_mode(plane: bpy.types.Object) -> None:
    if plane.mode == "EDIT":
        raise GidError("edit_mode", f"{plane.name} is being edited.", "Leave Edit Mode first.")


# --- what is played ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Played:
    modes: object
    pictures: tuple
    performance: object


_last: dict[str, _Played] = {}  # by the plane's name: what is slow to compute is kept from one change to the next


def _perform(plane: bpy.types.Object, controls: Controls):
    """The engine's Performance of the controls on the plane's motion."""
    modes, score = motion_of(plane), controls.score()
    pictures = tuple(masks.load(Path(area.mask)) for area in controls.areas)
    last = _last.pop(plane.name, None)
    if (
        last
        and last.modes is modes
        and len(last.pictures) == len(pictures)
        and all(map(is_, last.pictures, pictures))
    ):
        performance = last.performance.with_score(score)
    else:
        performance = engine.motion.Performance(score, modes, pictures)
    _last[plane.name] = _Played(modes, pictures, performance)
    while len(_last) > 8:
        del _last[next(iter(_last))]
    return performance


def motion_of(plane: bpy.types.Object):
    """The engine's Modes of the plane. GidError where the motion file is gone or can't be read."""
    path = files.motion_path(plane)
    facts = path.stat()
    return _load(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=8)
def _load(path: Path, modified: int, size: int):
    return engine.motion.load_motion(path)


# --- maps -------------------------------------------------------------------------------------------------------


def _source(plane: bpy.types.Object, controls: Controls) -> str:
    """What the maps, but for those of touched places, are made from."""
    facts = files.motion_path(plane).stat()
    names = [Path(area.mask).name for area in controls.areas]  # they change with what is in the files
    return fingerprint(facts.st_mtime_ns, facts.st_size, controls.holds, names)


def _write(plane: bpy.types.Object, group: bpy.types.NodeTree, controls: Controls, performance) -> None:
    """Write those maps that the mesh lacks, and make the group's nodes for all of them."""
    from ..core.preview import kept_modes

    mesh, modes = plane.data, performance.modes
    count = performance.source.bands * (1 + len(performance.score.regions))
    source, touched = _source(plane, controls), fingerprint(controls.touches, controls.strokes)
    anew = group.get(_MAPS) != source or not all(f"{_PREFIX}x_{name}" in mesh.attributes for name in _names(group))
    if anew:
        group[_KEPT] = kept_modes(modes, count)
    kept = list(group[_KEPT])
    if anew or group.get(_TOUCHED) != touched:
        _refuse_edit_mode(plane)
        grid = _grid_maps(mesh, modes)
        if anew:
            _remove(mesh, "")
            _store(mesh, _MODES, grid.terms(modes.modes[kept]))
        _remove(mesh, _PLACES)
        _store(mesh, _PLACES, grid.terms(modes.modes[count:]))
        mesh.update()
        group[_MAPS], group[_TOUCHED] = source, touched
    names = [f"{_MODES}{i:02d}" for i in range(_groups(len(kept)))]
    names += [f"{_PLACES}{i:02d}" for i in range(_groups(modes.bands - count))]
    if names != _names(group):
        _build_group(group, names, mesh, modes.photo_size)


def _groups(modes: int) -> int:
    return -(-2 * modes // 3)


def _names(group: bpy.types.NodeTree) -> list[str]:
    """What the group's terms are called: "m00" … of modes, "t00" … of touched places."""
    return [node.name.removeprefix(_FACTOR) for node in group.nodes if node.name.startswith(_FACTOR)]


def _grid_maps(mesh: bpy.types.Mesh, modes):
    from ..core.preview import GridMaps

    return GridMaps(modes.grid, vertices(mesh)[0], modes.photo_size)


def _remove(mesh: bpy.types.Mesh, kind: str) -> None:
    starts = tuple(f"{_PREFIX}{axis}_{kind}" for axis in "xy") if kind else _PREFIX
    for name in [a.name for a in mesh.attributes if a.name.startswith(starts)]:
        mesh.attributes.remove(mesh.attributes[name])


def _store(mesh: bpy.types.Mesh, kind: str, terms) -> None:
    for i, axes in enumerate(terms):
        for axis, values in zip("xy", axes, strict=True):
            name = f"{_PREFIX}{axis}_{kind}" + (f"{i:02d}" if kind != _PULL else "")
            mesh.attributes.new(name, "FLOAT_VECTOR", "POINT").data.foreach_set("vector", values.ravel())


def vertices(mesh: bpy.types.Mesh):
    """(uv [n, 2] of the upright photo, position [n, 3]) of each vertex."""
    import numpy as np

    if not mesh.uv_layers or not mesh.vertices:
        raise GidError("no_uv", f"{mesh.name} has lost its UV map.", "Import the photo again.")
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    corner_uv = np.empty(len(mesh.loops) * 2, np.float32)
    mesh.uv_layers[0].data.foreach_get("uv", corner_uv)
    uv = np.zeros((len(mesh.vertices), 2), np.float32)
    uv[corners] = corner_uv.reshape(-1, 2)
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", positions)
    return uv, positions.reshape(-1, 3)


# --- nodes ------------------------------------------------------------------------------------------------------


def _build_group(group: bpy.types.NodeTree, names: list[str], mesh: bpy.types.Mesh, photo_size) -> None:
    """position += right · Σ x·q + down · Σ y·q, by the dot products of the names' attributes and factors."""
    from ..core.preview import surface_frame

    right, up, _ = surface_frame(*vertices(mesh))
    down = -up * photo_size[0] / photo_size[1]  # displacements are in photo widths
    group.nodes.clear()
    group.interface.clear()
    for direction in ("INPUT", "OUTPUT"):
        group.interface.new_socket("Geometry", in_out=direction, socket_type="NodeSocketGeometry")
    group.is_modifier = True
    nodes, links = group.nodes, group.links
    sums = {"x": None, "y": None}
    for i, name in enumerate(names):
        factor = _node(nodes, "ShaderNodeCombineXYZ", _FACTOR + name, 0, -320 * i)
        for axis in sums:
            sums[axis] = _add_product(group, factor, axis, name, sums[axis], -320 * i)
    start = _node(nodes, "NodeGroupInput", "Input", 600, 200)
    move = _node(nodes, "GeometryNodeSetPosition", "Move", 1200, 200)
    end = _node(nodes, "NodeGroupOutput", "Output", 1400, 200)
    links.new(start.outputs[0], move.inputs["Geometry"])
    if names:
        links.new(_along(group, sums, right, down), move.inputs["Offset"])
    links.new(move.outputs["Geometry"], end.inputs[0])


def _add_product(group: bpy.types.NodeTree, factor, axis: str, name: str, before, y: float):
    """before + attribute · factor, as a socket."""
    nodes, links = group.nodes, group.links
    y -= 160 * (axis == "y")
    attribute = _node(nodes, "GeometryNodeInputNamedAttribute", f"{_PREFIX}{axis}_{name}", 0, y - 60)
    attribute.data_type = "FLOAT_VECTOR"
    attribute.inputs["Name"].default_value = f"{_PREFIX}{axis}_{name}"
    product = _node(nodes, "ShaderNodeVectorMath", f"{axis} {name}", 200, y)
    product.operation = "DOT_PRODUCT"
    links.new(next(s for s in attribute.outputs if s.enabled and s.name == "Attribute"), product.inputs[0])
    links.new(factor.outputs[0], product.inputs[1])
    if before is None:
        return product.outputs["Value"]
    total = _node(nodes, "ShaderNodeMath", f"{axis} to {name}", 400, y)
    links.new(before, total.inputs[0])
    links.new(product.outputs["Value"], total.inputs[1])
    return total.outputs[0]


def _along(group: bpy.types.NodeTree, sums: dict, right, down):
    """right · x + down · y as a socket."""
    across = _node(group.nodes, "ShaderNodeVectorMath", "Across", 800, 0)
    across.operation, across.inputs[0].default_value = "SCALE", right
    group.links.new(sums["x"], across.inputs["Scale"])
    both = _node(group.nodes, "ShaderNodeVectorMath", "Down", 1000, 0)
    both.operation, both.inputs[0].default_value = "MULTIPLY_ADD", down
    group.links.new(sums["y"], both.inputs[1])
    group.links.new(across.outputs[0], both.inputs[2])
    return both.outputs[0]


def _node(nodes, kind: str, name: str, x: float, y: float) -> bpy.types.Node:
    node = nodes.new(kind)
    node.name = node.label = name
    node.location = x, y
    return node


# --- keys -------------------------------------------------------------------------------------------------------


def _note(controls: Controls, scene: bpy.types.Scene) -> str:
    """What the F-curves are made from, besides the modes."""
    return fingerprint(repr(controls), scene.frame_start, scene.frame_end)


def _key(group: bpy.types.NodeTree, controls: Controls, performance, scene: bpy.types.Scene) -> None:
    """An F-curve with a sample a frame on every factor, repeating where the motion does."""
    import numpy as np

    from ..core.preview import coordinates, real_terms

    frames, cyclic = preview_frames(controls, scene)
    q, kept = coordinates(performance, frames), list(group[_KEPT])
    count = performance.source.bands * (1 + len(performance.score.regions))
    values = {f"{_MODES}{i:02d}": v for i, v in enumerate(real_terms(q[:, kept]))}
    values |= {f"{_PLACES}{i:02d}": v for i, v in enumerate(real_terms(q[:, count:]))}
    if not group.animation_data:
        group.animation_data_create()
    if group.animation_data.action:
        bpy.data.actions.remove(group.animation_data.action)
    action = group.animation_data.action = bpy.data.actions.new(group.name)
    keys = np.empty((len(frames), 2), np.float32)
    keys[:, 0] = frames
    for name in _names(group):
        for i, keys[:, 1] in enumerate(values[name]):
            curve = compat.new_fcurve(group, action, f'nodes["{_FACTOR}{name}"].inputs[{i}].default_value')
            curve.keyframe_points.add(len(keys))
            curve.keyframe_points.foreach_set("co", keys.ravel())
            curve.keyframe_points.foreach_set("interpolation", np.full(len(keys), _LINEAR, np.int32))
            # Samples instead of keys: the timeline stays clear for the artist's own keys.
            curve.convert_to_samples(frames.start, frames.stop)
            if cyclic:
                curve.modifiers.new("CYCLES")
            curve.update()
    group[_SCORE] = _note(controls, scene)


_LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value


# --- the mouse's pull -------------------------------------------------------------------------------------------


class Pull:
    """A place of the moving grid that follows the mouse, on top of what plays, until `end`."""

    def __init__(self, plane: bpy.types.Object, scene: bpy.types.Scene, place: tuple[float, float], radius: float):
        """place: uv, v up; radius in photo widths. GidError where the motion can't be read."""
        group = self._group = group_of(plane)
        self._mesh = plane.data
        _refuse_edit_mode(plane)
        if group is None or "Across" not in group.nodes:
            raise GidError("no_preview", f"Nothing of {plane.name} moves.", "Predict its motion first.")
        touched = engine.motion.Performance(_pulled(place, radius), motion_of(plane))
        modes = touched.modes
        _store(self._mesh, _PULL, _grid_maps(self._mesh, modes).terms(modes.modes[touched.source.bands :]))
        self._mesh.update()
        # Nodes are only added: in Blender 4.2, those that are made anew lose their F-curves.
        nodes, links = group.nodes, group.links
        self._before = {"x": nodes["Across"].inputs["Scale"], "y": nodes["Down"].inputs[1]}
        self._before = {axis: (socket, socket.links[0].from_socket) for axis, socket in self._before.items()}
        self._kept = {node.name for node in nodes}
        factor = _node(nodes, "ShaderNodeCombineXYZ", _FACTOR + _PULL, 0, 320)
        for axis, (socket, source) in self._before.items():
            links.new(_add_product(group, factor, axis, _PULL, source, 320), socket)

    def to(self, right: float, down: float) -> None:
        """Let the place be this far from where it would be, in photo widths."""
        factor = self._group.nodes.get(_FACTOR + _PULL)
        factor.inputs[0].default_value, factor.inputs[1].default_value = right, down

    def end(self) -> None:
        for socket, source in self._before.values():
            self._group.links.new(source, socket)
        for node in [node for node in self._group.nodes if node.name not in self._kept]:
            self._group.nodes.remove(node)
        _remove(self._mesh, _PULL)
        self._mesh.update()


def _pulled(place: tuple[float, float], radius: float):
    """A score in which the place alone is pulled, by one photo width."""
    drag = engine.motion.Drag(0, 1, place[0], 1 - place[1], (1.0, 0.0), radius)
    return engine.motion.Score(drags=(drag,))
