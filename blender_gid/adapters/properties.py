"""The controls of an animated photo, kept on its object as `object.gid`."""

from math import pi

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)

from ..core.engine import GidError
from . import compat, display, output, preview
from .controls import needs_stepping


def _show(self, context) -> None:
    display.apply(self.id_data)


def _replay(self, context) -> None:
    """A control was changed by hand: let the preview follow. Keyframes don't come here, and stepping through
    the scene would take too long for a slider: both are left to Update Preview."""
    plane = self.id_data
    if needs_stepping(plane):
        return
    try:
        preview.refresh(plane, context.scene)
    except GidError as error:
        plane.gid.status, plane.gid.failed = str(error), True


_FIXED = {"options": set(), "override": {"LIBRARY_OVERRIDABLE"}}
_PATH = {**_FIXED, "subtype": "FILE_PATH", "options": compat.RELATIVE_PATH}
_CONTROL = {**_FIXED, "update": _replay}
_KEYABLE = {**_CONTROL, "options": {"ANIMATABLE"}}


class GID_PG_impulse(bpy.types.PropertyGroup):
    """A touch: at a frame, something pushes a place of the photo and lets go."""

    frame: IntProperty(name="Frame", description="Frame at which the push comes", default=1, **_CONTROL)
    location: FloatVectorProperty(
        name="Place",
        description="Where the push comes: 0 to 1 from left to right and from bottom to top of the photo",
        size=2,
        default=(0.5, 0.5),
        min=0,
        max=1,
        **_CONTROL,
    )
    direction: FloatProperty(
        name="Direction",
        description="Where the push goes: 0° is right, 90° is up",
        subtype="ANGLE",
        default=0,
        **_CONTROL,
    )
    strength: FloatProperty(
        name="Strength",
        description="How far the place gets, in widths of the photo",
        default=0.02,
        min=0,
        max=1,
        soft_max=0.1,
        precision=3,
        **_CONTROL,
    )
    radius: FloatProperty(
        name="Radius",
        description="How large the pushed place is, in widths of the photo",
        default=0.08,
        min=0.001,
        max=2,
        soft_max=0.5,
        precision=3,
        **_CONTROL,
    )


class GID_PG_photo(bpy.types.PropertyGroup):
    """An animated photo: its files, the controls of its motion, and what is shown."""

    photo_size: IntVectorProperty(
        name="Photo Size",
        description="Width and height of the upright photo in pixels; 0 for objects that show none",
        size=2,
        **_FIXED,
    )
    folder: StringProperty(name="Folder", description="Name of this plane's folder of files", **_FIXED)
    motion: StringProperty(name="Motion", description="The motion file: how this photo can move", **_PATH)
    seed: IntProperty(
        name="Seed",
        description="Another seed predicts another motion; the same seed always the same",
        default=0,
        min=0,
        **_FIXED,
    )
    mask: PointerProperty(
        name="Mask",
        description="Image that limits the motion: white moves, black stays still. Paint it in Texture Paint",
        type=bpy.types.Image,
        **_FIXED,
    )

    display: EnumProperty(
        name="Show",
        description="What the plane shows, in the viewport and in renders",
        items=(
            ("PHOTO", "Photo", "The still photo"),
            ("PREVIEW", "Preview", "The motion as a moving grid: instant, but it stretches at edges"),
            ("BAKED", "Baked", "The baked frames: the engine's full quality"),
        ),
        default="PHOTO",
        update=_show,
        **_FIXED,
    )

    loop_frames: IntProperty(
        name="Loop",
        description="Frames until the motion repeats without a seam; 0 never repeats",
        default=150,
        min=0,
        soft_max=600,
        **_CONTROL,
    )
    rest_frame: IntProperty(
        name="Rest Frame", description="Frame at which the plane is exactly the photo", default=1, **_CONTROL
    )
    amplitude: FloatProperty(
        name="Amplitude",
        description="How far everything sways and leans in the wind",
        default=1,
        min=0,
        max=100,
        soft_max=4,
        **_KEYABLE,
    )
    speed: FloatProperty(
        name="Speed",
        description="How fast time passes for the sway",
        default=1,
        min=0,
        max=100,
        soft_max=4,
        **_KEYABLE,
    )
    gain_low: FloatProperty(
        name="Low",
        description="Share of the slow sway of trunks and crowns",
        default=1,
        min=0,
        soft_max=4,
        **_CONTROL,
    )
    gain_mid: FloatProperty(
        name="Mid", description="Share of the middle tempo, of branches", default=1, min=0, soft_max=4, **_CONTROL
    )
    gain_high: FloatProperty(
        name="High", description="Share of the quick tremble of leaves", default=1, min=0, soft_max=4, **_CONTROL
    )
    stiffness: FloatProperty(
        name="Stiffness",
        description="Stiffer things sway faster; 4 doubles the tempo",
        default=1,
        min=0.01,
        max=100,
        soft_max=9,
        **_CONTROL,
    )
    damping: FloatProperty(
        name="Damping",
        description="How soon the ringing after a touch dies down",
        default=1,
        min=0.01,
        max=100,
        soft_max=10,
        **_CONTROL,
    )
    wind_direction: FloatProperty(
        name="Wind Direction",
        description="Where the wind blows to: 0° is right, 90° is up",
        subtype="ANGLE",
        default=0,
        min=-2 * pi,
        max=2 * pi,
        **_CONTROL,
    )
    wind_strength: FloatProperty(
        name="Wind Strength",
        description="Wind on top of the free sway; 1 leans about as far as the photo sways by itself",
        default=0,
        min=0,
        max=100,
        soft_max=4,
        **_KEYABLE,
    )
    wind_gust: FloatProperty(
        name="Gusts",
        description="How unsteady the wind is: 0 is a steady lean",
        default=0.5,
        min=0,
        max=100,
        soft_max=2,
        **_CONTROL,
    )
    wind_seed: IntProperty(
        name="Wind Seed", description="Another seed brings the gusts at other times", default=0, min=0, **_CONTROL
    )

    impulses: CollectionProperty(type=GID_PG_impulse, override={"LIBRARY_OVERRIDABLE", "USE_INSERTION"})
    impulse_index: IntProperty(
        name="Selected Touch", description="The touch whose settings are shown", options=set()
    )

    baked_first: IntProperty(name="First Baked Frame", options=set())
    baked_last: IntProperty(name="Last Baked Frame", options=set(), default=-1)
    output: PointerProperty(type=output.GID_PG_output, override={"LIBRARY_OVERRIDABLE"})
    status: StringProperty(name="Status", description="What happened last", options=set())
    failed: BoolProperty(name="Failed", description="Whether the last step failed", options=set())


_CLASSES = (*output.CLASSES, GID_PG_impulse, GID_PG_photo)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Object.gid = PointerProperty(type=GID_PG_photo, override={"LIBRARY_OVERRIDABLE"})


def unregister() -> None:
    del bpy.types.Object.gid
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
