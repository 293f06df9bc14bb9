"""What a plane shows: the still photo, the moving grid, or the baked frames."""

from __future__ import annotations

import bpy

from . import material, preview, sequence
from .ownership import make_single_user


def apply(plane: bpy.types.Object) -> None:
    """Bring the plane's material, UV map and preview modifier in line with `plane.gid.display`."""
    shown = plane.gid.display
    make_single_user(plane)
    surface = plane.active_material
    name = material.BAKED if shown == "BAKED" and material.image_node(surface, material.BAKED) else material.PHOTO
    if surface is not None and surface.library is None and material.show(surface, name):
        # Workbench knows no UV Map node: it takes the active map.
        place = surface.node_tree.nodes.get(f"{name} UV")
        layers = plane.data.uv_layers
        if place and place.uv_map in layers and plane.data.library is None:
            layers.active = layers[place.uv_map]
            layers[place.uv_map].active_render = True
        if name == material.BAKED and (error := sequence.hold(plane, bpy.context.scene)):
            plane.gid.status, plane.gid.failed = str(error), True
    preview.enable(plane, shown == "PREVIEW")
