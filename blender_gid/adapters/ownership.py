"""A duplicated plane shares mesh and material with its original; a change of one must not change the other."""

from __future__ import annotations

import bpy


def make_single_user(plane: bpy.types.Object) -> None:
    """Give the plane a mesh and a material of its own where it shares them. Linked data stay as they are."""
    if shared(plane.data):
        plane.data = plane.data.copy()
    surface = plane.active_material
    if surface is not None and shared(surface):
        plane.active_material = surface.copy()


def shared(datablock: bpy.types.ID) -> bool:
    return datablock.library is None and datablock.users - datablock.use_fake_user > 1
