"""What an animated photo has several of: touches, pins, regions, variations; and how a control is declared."""

import contextlib
from collections.abc import Iterator

import bpy
from bpy.props import (
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..core.engine import GidError
from . import compat, preview, regions
from .controls import needs_stepping

_held = False


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """Several controls change as one: the preview does not follow each."""
    global _held
    _held = True
    try:
        yield
    finally:
        _held = False


def _replay(self, context) -> None:
    """A control was changed by hand: let the preview follow at once. Keyframes don't come here, and stepping
    through the scene would take too long for a slider: both are left to `follow`."""
    plane = self.id_data
    if _held or needs_stepping(plane):
        return
    try:
        preview.refresh(plane, context.scene)
    except GidError as error:
        plane.gid.status, plane.gid.failed = str(error), True


def _remask(self, context) -> None:
    """What a region is made from was changed by hand."""
    if _held:
        return
    plane = self.id_data
    try:
        regions.hand_over(plane, self)
    except GidError as error:
        plane.gid.status, plane.gid.failed = str(error), True
    _replay(self, context)


FIXED = {"options": set(), "override": {"LIBRARY_OVERRIDABLE"}}
PATH = {**FIXED, "subtype": "FILE_PATH", "options": compat.RELATIVE_PATH}
CONTROL = {**FIXED, "update": _replay}
KEYABLE = {**CONTROL, "options": {"ANIMATABLE"}}
_MASK = {**FIXED, "update": _remask}
_PLACE = {"size": 2, "default": (0.5, 0.5), "min": 0, "max": 1, **CONTROL}
_RADIUS = {"min": 0.001, "max": 2, "soft_max": 0.5, "precision": 3, **CONTROL}


class GID_PG_impulse(bpy.types.PropertyGroup):
    """A touch: at a frame, something pushes a place of the photo, or pulls it and lets go."""

    kind: EnumProperty(
        name="Kind",
        description="How the photo is touched",
        items=(
            ("PUSH", "Push", "Poked at a frame, and left to ring"),
            ("DRAG", "Drag", "Pulled from a frame on, slowly, and then let go"),
        ),
        **CONTROL,
    )
    frame: IntProperty(
        name="Frame", description="Frame at which the push comes, or the pull begins", default=1, **CONTROL
    )
    duration: IntProperty(
        name="Duration",
        description="Frames from the beginning of the pull until it is let go",
        default=12,
        min=1,
        soft_max=120,
        **CONTROL,
    )
    location: FloatVectorProperty(
        name="Place",
        description="What is touched: 0 to 1 from left to right and from bottom to top of the photo",
        **_PLACE,
    )
    direction: FloatProperty(
        name="Direction",
        description="Where the touch goes: 0° is right, 90° is up",
        subtype="ANGLE",
        default=0,
        **CONTROL,
    )
    strength: FloatProperty(
        name="Strength",
        description="How far the place gets, in widths of the photo",
        default=0.02,
        min=0,
        max=1,
        soft_max=0.1,
        precision=3,
        **CONTROL,
    )
    radius: FloatProperty(
        name="Radius",
        description="How large the touched place is, in widths of the photo",
        default=0.08,
        **_RADIUS,
    )


class GID_PG_pin(bpy.types.PropertyGroup):
    """A pin: a place of the photo that is held still."""

    location: FloatVectorProperty(
        name="Place",
        description="What is held: 0 to 1 from left to right and from bottom to top of the photo",
        **_PLACE,
    )
    radius: FloatProperty(
        name="Radius",
        description="How far from the pin the motion is back, in widths of the photo",
        default=0.05,
        **_RADIUS,
    )


class GID_PG_region(bpy.types.PropertyGroup):
    """A region: a part of the photo with a character of its own."""

    color: FloatVectorProperty(
        name="Colour",
        description="Colour of the region while it is painted",
        subtype="COLOR",
        size=3,
        min=0,
        max=1,
        **FIXED,
    )
    source: EnumProperty(
        name="From",
        description="What the region is made from",
        items=(
            ("IMAGE", "Paint", "An image: white is the region. Painted in Texture Paint, or made by a box"),
            ("GROUP", "Vertex Group", "The weights of a vertex group of the plane"),
            ("OBJECT", "Silhouette", "The outline of another object, as seen along the plane's normal"),
        ),
        **_MASK,
    )
    image: PointerProperty(
        name="Image", description="White is the region, black is not", type=bpy.types.Image, **_MASK
    )
    vertex_group: StringProperty(name="Vertex Group", description="Weight 1 is the region, 0 is not", **_MASK)
    silhouette: PointerProperty(
        name="Object", description="Object whose outline is the region", type=bpy.types.Object, **_MASK
    )
    feather: FloatProperty(
        name="Feather",
        description="How softly the region ends, in widths of the photo; its edge is drawn to edges in the photo",
        default=0.02,
        min=0,
        max=0.5,
        soft_max=0.1,
        precision=3,
        **_MASK,
    )
    amplitude: FloatProperty(
        name="Amplitude",
        description="How far the region moves, compared with the rest; 0 stays still",
        default=1,
        min=0,
        max=100,
        soft_max=4,
        **KEYABLE,
    )
    stiffness: FloatProperty(
        name="Stiffness",
        description="Stiffer things sway faster; 4 doubles the tempo of the region",
        default=1,
        min=0.01,
        max=100,
        soft_max=9,
        **CONTROL,
    )
    damping: FloatProperty(
        name="Damping",
        description="How soon the region's ringing dies down, compared with the rest",
        default=1,
        min=0.01,
        max=100,
        soft_max=10,
        **CONTROL,
    )
    phase: FloatProperty(
        name="Phase",
        description="Shifts the region's sway against the rest, in turns of the slowest sway",
        default=0,
        min=-100,
        max=100,
        soft_min=-1,
        soft_max=1,
        **CONTROL,
    )
    file: StringProperty(name="File", description="The region's mask as the engine reads it", **PATH)


class GID_PG_variation(bpy.types.PropertyGroup):
    """A motion that was predicted to choose from."""

    seed: IntProperty(name="Seed", description="What it was predicted from", **FIXED)
    motion: StringProperty(name="Motion", description="Its motion file", **PATH)


CLASSES = (GID_PG_impulse, GID_PG_pin, GID_PG_region, GID_PG_variation)
