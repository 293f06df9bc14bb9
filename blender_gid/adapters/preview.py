"""The moving grid: modes as attributes of the mesh, summed by Geometry Nodes, the score as F-curves of the group.

It plays without Python and without the add-on, alike in Cycles, EEVEE and Workbench. The score is keyed on Value
nodes of the group itself, so that the object's own action stays the artist's.
"""

from __future__ import annotations

import bpy

MODIFIER = "GID Preview"


def enable(plane: bpy.types.Object, on: bool) -> None:
    """Show or hide the moving grid, in the viewport and in renders."""
    modifier = plane.modifiers.get(MODIFIER)
    if modifier is not None:
        modifier.show_viewport = modifier.show_render = on


def build(plane: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Build the moving grid of the plane's motion, and key its score."""


def refresh(plane: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Key the score anew where the plane has a moving grid."""
