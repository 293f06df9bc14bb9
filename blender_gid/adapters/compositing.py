"""A baked sequence without a plane: as a strip of the sequencer, or behind everything in the compositor."""

from __future__ import annotations

import bpy

from ..core.engine import GidError
from ..core.sequence import Sequence
from . import compat, files, material, sequence

_IMAGE, _SCALE, _OVER = "GID Background", "GID Background Size", "GID Over Background"


def baked(plane: bpy.types.Object) -> Sequence:
    """The plane's frames, all there. GidError otherwise."""
    found = sequence.shown(plane)
    if found is None:
        raise GidError("not_baked", f"{plane.name} is not baked yet.", "Bake its frames first.")
    found.check()
    return found


def add_strip(plane: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.ID:
    """The plane's frames as an image strip, in time with the scene; loops fill the scene's range."""
    found = baked(plane)
    frames = range(scene.frame_start, scene.frame_end + 1) if found.cyclic else range(found.first, found.last + 1)
    strips = compat.strips(scene)
    channel = max((strip.channel for strip in strips), default=0) + 1
    path = files.stored(found.path(found.shown_at(frames[0])))
    strip = strips.new_image(plane.name, path, channel, frames[0], fit_method="FILL")
    for frame in frames[1:]:
        strip.elements.append(found.path(found.shown_at(frame)).name)
    strip.frame_final_duration = len(frames)
    image = material.image_node(plane.active_material, material.BAKED).image
    strip.colorspace_settings.name = image.colorspace_settings.name
    return strip


def add_background(plane: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """The plane's frames behind the render, filling it; the render's own background becomes transparent."""
    found = baked(plane)
    tree, output = compat.compositor(scene)
    nodes, links = tree.nodes, tree.links
    image = nodes.get(_IMAGE)
    if image is None:
        image = _node(nodes, "CompositorNodeImage", _IMAGE)
        size = _node(nodes, "CompositorNodeScale", _SCALE)
        over = _node(nodes, "CompositorNodeAlphaOver", _OVER)
        compat.scale_to_render(size)
        back, front = compat.alpha_over_sockets(over)
        before = output.links[0].from_socket if output.links else _render(nodes).outputs["Image"]
        links.new(image.outputs["Image"], size.inputs["Image"])
        links.new(size.outputs["Image"], back)
        links.new(before, front)
        links.new(over.outputs["Image"], output)
        x, y = output.node.location
        for i, node in enumerate((image, size, over)):
            node.location = x - 660 + 220 * i, y - (260 if i < 2 else 0)
    image.image = material.image_node(plane.active_material, material.BAKED).image
    for name, value in found.image_user.items():
        setattr(image, name, value)
    scene.render.film_transparent = True
    scene.render.use_compositing = True


def _render(nodes) -> bpy.types.Node:
    return next((n for n in nodes if n.bl_idname == "CompositorNodeRLayers"), None) or nodes.new(
        "CompositorNodeRLayers"
    )


def _node(nodes, kind: str, name: str) -> bpy.types.Node:
    node = nodes.new(kind)
    node.name = node.label = name
    return node
