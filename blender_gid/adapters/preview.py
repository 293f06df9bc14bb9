"""The moving grid: modes as attributes of the mesh, summed by Geometry Nodes, the score as F-curves of the group.

It plays without Python and without the add-on, alike in Cycles, EEVEE and Workbench. The score is keyed on Value
nodes of the group itself, so that the object's own action stays the artist's.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import bpy

from ..core import engine
from ..core.engine import GidError
from . import compat, files
from .controls import preview_frames, read_controls
from .ownership import make_single_user

MODIFIER = "GID Preview"
_PREFIX = "gid_"  # of the mesh's attributes, which the group's Value nodes share their names with


def build(plane: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Make the moving grid of the plane's motion, and key its score. GidError if the motion can't be read."""
    if plane.mode == "EDIT":
        raise GidError("edit_mode", f"{plane.name} is being edited.", "Leave Edit Mode first.")
    modes = _modes(plane)
    make_single_user(plane)
    bands = _store_modes(plane, modes)
    modifier = plane.modifiers.get(MODIFIER) or plane.modifiers.new(MODIFIER, "NODES")
    group = modifier.node_group
    if group is None or group.users > 1 or group.library:  # a duplicate shares its original's group
        group = modifier.node_group = bpy.data.node_groups.new(f"{MODIFIER} {plane.name}", "GeometryNodeTree")
    _build_group(group, bands)
    _key_score(plane, scene, modes, group)


def refresh(plane: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Key the score anew where the plane has a moving grid; nothing otherwise."""
    modifier = plane.modifiers.get(MODIFIER)
    if modifier and modifier.node_group and plane.gid.motion and engine.motion:
        _key_score(plane, scene, _modes(plane), modifier.node_group)


def enable(plane: bpy.types.Object, on: bool) -> None:
    """Show or hide the moving grid, in the viewport and in renders."""
    modifier = plane.modifiers.get(MODIFIER)
    if modifier is not None:
        modifier.show_viewport = modifier.show_render = on


def _modes(plane: bpy.types.Object):
    path = files.motion_path(plane)
    facts = path.stat()
    return _load(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=4)
def _load(path: Path, modified: int, size: int):
    return engine.motion.load_motion(path)


def _store_modes(plane: bpy.types.Object, modes) -> list[str]:
    """Write the modes into the mesh; the names of the attributes, "gid_re_00", "gid_im_00", …"""
    import numpy as np  # Blender's own; missing in some builds, see core.engine

    from ..core.preview import liveliest_bands, offsets, sample_band, surface_frame

    mesh = plane.data
    uv, positions = vertices(mesh)
    right, up, _ = surface_frame(uv, positions)
    for name in [a.name for a in mesh.attributes if a.name.startswith(_PREFIX)]:
        mesh.attributes.remove(mesh.attributes[name])
    names = []
    for k in liveliest_bands(modes):
        sampled = sample_band(modes.modes[k], uv)
        # F = Re Σ S q = Σ Re S · Re q − Im S · Im q: the sign goes into the attribute.
        for part, values in (("re", sampled.real), ("im", -sampled.imag)):
            name = f"{_PREFIX}{part}_{k:02d}"
            attribute = mesh.attributes.new(name, "FLOAT_VECTOR", "POINT")
            vectors = offsets(values, right, up, modes.photo_size).astype(np.float32)
            attribute.data.foreach_set("vector", vectors.ravel())
            names.append(name)
    mesh.update()
    return names


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


def _build_group(group: bpy.types.NodeTree, names: list[str]) -> None:
    """position += Σ attribute · value."""
    group.nodes.clear()
    group.interface.clear()
    for direction in ("INPUT", "OUTPUT"):
        group.interface.new_socket("Geometry", in_out=direction, socket_type="NodeSocketGeometry")
    group.is_modifier = True
    nodes, links = group.nodes, group.links
    total = None
    for i, name in enumerate(names):
        attribute = _node(nodes, "GeometryNodeInputNamedAttribute", f"{name} map", 0, -160 * i)
        attribute.data_type = "FLOAT_VECTOR"
        attribute.inputs["Name"].default_value = name
        value = _node(nodes, "ShaderNodeValue", name, 0, -160 * i - 90)
        term = _node(nodes, "ShaderNodeVectorMath", f"{name} term", 200, -160 * i)
        term.operation = "MULTIPLY_ADD"
        links.new(next(s for s in attribute.outputs if s.enabled and s.name == "Attribute"), term.inputs[0])
        links.new(value.outputs[0], term.inputs[1])
        if total is not None:
            links.new(total, term.inputs[2])
        total = term.outputs[0]
    start = _node(nodes, "NodeGroupInput", "Input", 200, 200)
    move = _node(nodes, "GeometryNodeSetPosition", "Move", 400, 200)
    end = _node(nodes, "NodeGroupOutput", "Output", 600, 200)
    links.new(start.outputs[0], move.inputs["Geometry"])
    links.new(total, move.inputs["Offset"])
    links.new(move.outputs[0], end.inputs[0])


def _node(nodes, kind: str, name: str, x: float, y: float) -> bpy.types.Node:
    node = nodes.new(kind)
    node.name = node.label = name
    node.location = x, y
    return node


def _key_score(plane: bpy.types.Object, scene: bpy.types.Scene, modes, group: bpy.types.NodeTree) -> None:
    """An F-curve with a sample a frame on every Value node, repeating where the motion does."""
    import numpy as np

    from ..core.preview import coordinates

    controls = read_controls(plane, scene)
    frames, cyclic = preview_frames(controls, scene)
    q = coordinates(controls.score(), modes, frames)
    if not group.animation_data:
        group.animation_data_create()
    if group.animation_data.action:
        bpy.data.actions.remove(group.animation_data.action)
    action = group.animation_data.action = bpy.data.actions.new(group.name)
    keys = np.empty((len(frames), 2), np.float32)
    keys[:, 0] = frames
    for node in group.nodes:
        if node.bl_idname != "ShaderNodeValue":
            continue
        part, band = node.name.removeprefix(_PREFIX).split("_")
        keys[:, 1] = (q.real if part == "re" else q.imag)[:, int(band)]
        curve = compat.new_fcurve(group, action, f'nodes["{node.name}"].outputs[0].default_value')
        curve.keyframe_points.add(len(keys))
        curve.keyframe_points.foreach_set("co", keys.ravel())
        curve.keyframe_points.foreach_set("interpolation", np.full(len(keys), _LINEAR, np.int32))
        # Samples instead of keys: the timeline stays clear for the artist's own keys.
        curve.convert_to_samples(frames.start, frames.stop)
        if cyclic:
            curve.modifiers.new("CYCLES")
        curve.update()


_LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
