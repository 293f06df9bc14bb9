"""The controls of an animated photo, kept on its object as `object.gid`."""

from math import pi

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)

from . import display, output, parts
from .parts import CONTROL, FIXED, KEYABLE, PATH


def _show(self, context) -> None:
    display.apply(self.id_data)


_LIST = {"override": {"LIBRARY_OVERRIDABLE", "USE_INSERTION"}}


class GID_PG_photo(bpy.types.PropertyGroup):
    """An animated photo: its files, the controls of its motion, and what is shown."""

    photo_size: IntVectorProperty(
        name="Photo Size",
        description="Width and height of the upright photo in pixels; 0 for objects that show none",
        size=2,
        **FIXED,
    )
    folder: StringProperty(name="Folder", description="Name of this plane's folder of files", **FIXED)
    motion: StringProperty(name="Motion", description="The motion file: how this photo can move", **PATH)
    seed: IntProperty(
        name="Seed",
        description="Another seed predicts another motion; the same seed always the same",
        default=0,
        min=0,
        **FIXED,
    )
    mask: PointerProperty(
        name="Mask",
        description="Image that limits the motion: white moves, black stays still. Paint it in Texture Paint",
        type=bpy.types.Image,
        **FIXED,
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
        **FIXED,
    )

    loop_frames: IntProperty(
        name="Loop",
        description="Frames until the motion repeats without a seam; 0 never repeats",
        default=150,
        min=0,
        soft_max=600,
        **CONTROL,
    )
    rest_frame: IntProperty(
        name="Rest Frame", description="Frame at which the plane is exactly the photo", default=1, **CONTROL
    )
    loop_offset: IntProperty(
        name="Offset",
        description="Frames by which sway and gusts are shifted along the loop; the rest frame stays the photo",
        default=0,
        soft_min=-600,
        soft_max=600,
        **CONTROL,
    )
    amplitude: FloatProperty(
        name="Amplitude",
        description="How far everything sways and leans in the wind",
        default=1,
        min=0,
        max=100,
        soft_max=4,
        **KEYABLE,
    )
    speed: FloatProperty(
        name="Speed",
        description="How fast time passes for the sway",
        default=1,
        min=0,
        max=100,
        soft_max=4,
        **KEYABLE,
    )
    gain_low: FloatProperty(
        name="Low",
        description="Share of the slow sway of trunks and crowns",
        default=1,
        min=0,
        soft_max=4,
        **KEYABLE,
    )
    gain_mid: FloatProperty(
        name="Mid", description="Share of the middle tempo, of branches", default=1, min=0, soft_max=4, **KEYABLE
    )
    gain_high: FloatProperty(
        name="High", description="Share of the quick tremble of leaves", default=1, min=0, soft_max=4, **KEYABLE
    )
    stiffness: FloatProperty(
        name="Stiffness",
        description="Stiffer things sway faster; 4 doubles the tempo",
        default=1,
        min=0.01,
        max=100,
        soft_max=9,
        **KEYABLE,
    )
    damping: FloatProperty(
        name="Damping",
        description="How soon the ringing after a touch dies down",
        default=1,
        min=0.01,
        max=100,
        soft_max=10,
        **KEYABLE,
    )
    wind_direction: FloatProperty(
        name="Wind Direction",
        description="Where the wind blows to: 0° is right, 90° is up",
        subtype="ANGLE",
        default=0,
        min=-2 * pi,
        max=2 * pi,
        **KEYABLE,
    )
    wind_strength: FloatProperty(
        name="Wind Strength",
        description="Wind on top of the free sway; 1 leans about as far as the photo sways by itself",
        default=0,
        min=0,
        max=100,
        soft_max=4,
        **KEYABLE,
    )
    wind_gust: FloatProperty(
        name="Gusts",
        description="How unsteady the wind is: 0 is a steady lean",
        default=0.5,
        min=0,
        max=100,
        soft_max=2,
        **KEYABLE,
    )
    wind_speed: FloatProperty(
        name="Travel",
        description="Photo widths a second at which gusts pass over the picture; 0 brings them everywhere at once",
        default=0,
        min=0,
        max=100,
        soft_max=4,
        **CONTROL,
    )
    wind_seed: IntProperty(
        name="Wind Seed", description="Another seed brings the gusts at other times", default=0, min=0, **CONTROL
    )

    impulses: CollectionProperty(type=parts.GID_PG_impulse, **_LIST)
    impulse_index: IntProperty(
        name="Selected Touch", description="The touch whose settings are shown", options=set()
    )
    hand: PointerProperty(
        name="Hand",
        description="An object, an Empty for example, that takes along what it passes before in the photo",
        type=bpy.types.Object,
        **CONTROL,
    )
    hand_radius: FloatProperty(
        name="Radius",
        description="How large the hand is, in widths of the photo",
        default=0.05,
        min=0.001,
        max=2,
        soft_max=0.5,
        precision=3,
        **CONTROL,
    )
    hand_strength: FloatProperty(
        name="Strength",
        description="How far along the hand takes things; 1 is as far as it goes while it touches them",
        default=1,
        min=0,
        max=100,
        soft_max=2,
        **KEYABLE,
    )
    pins: CollectionProperty(type=parts.GID_PG_pin, **_LIST)
    pin_index: IntProperty(name="Selected Pin", description="The pin whose settings are shown", options=set())
    regions: CollectionProperty(type=parts.GID_PG_region, **_LIST)
    region_index: IntProperty(
        name="Selected Region", description="The region whose settings are shown", options=set()
    )
    variations: CollectionProperty(type=parts.GID_PG_variation, **_LIST)

    baked_first: IntProperty(name="First Baked Frame", options=set())
    baked_last: IntProperty(name="Last Baked Frame", options=set(), default=-1)
    output: PointerProperty(type=output.GID_PG_output, override={"LIBRARY_OVERRIDABLE"})
    status: StringProperty(name="Status", description="What happened last", options=set())
    failed: BoolProperty(name="Failed", description="Whether the last step failed", options=set())


_CLASSES = (*output.CLASSES, *parts.CLASSES, GID_PG_photo)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Object.gid = PointerProperty(type=GID_PG_photo, override={"LIBRARY_OVERRIDABLE"})


def unregister() -> None:
    del bpy.types.Object.gid
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
