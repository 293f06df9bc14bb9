"""A plane's own mesh and material: a duplicate shares its original's, a library override its library's."""

from __future__ import annotations

import bpy


def make_single_user(plane: bpy.types.Object) -> None:
    """Give the plane a mesh and a material of its own where it shares them."""
    if shared(plane.data):
        plane.data = plane.data.copy()
    surface = plane.active_material
    if surface is not None and shared(surface):
        plane.active_material = surface.copy()


def shared(datablock: bpy.types.ID) -> bool:
    """Whether a change of it would change another plane, or be lost with the next look into a library."""
    if datablock.library or datablock.override_library:
        return True
    return datablock.users - datablock.use_fake_user > 1
