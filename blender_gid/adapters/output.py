"""What a plane is baked to, and its versions, kept on its object as `object.gid.output`."""

from math import pi

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import compat

_FIXED = {"options": set(), "override": {"LIBRARY_OVERRIDABLE"}}


class GID_PG_version(bpy.types.PropertyGroup):
    """A baked sequence of a plane: where its files are, and what they were made from."""

    folder: StringProperty(
        name="Folder", description="Where its frames are", subtype="DIR_PATH", options=compat.RELATIVE_PATH
    )
    stem: StringProperty(name="Files", description="What its files' names start with", options=set())
    suffix: StringProperty(name="Format", options=set())
    first: IntProperty(name="First Frame", options=set())
    last: IntProperty(name="Last Frame", options=set())
    cyclic: BoolProperty(name="Loop", description="The first frame follows on the last", options=set())
    key: StringProperty(name="Key", description="Tells whether the controls have changed since", options=set())


def _switch(self, context) -> None:
    from . import bakes

    bakes.switch(self.id_data)


class GID_PG_output(bpy.types.PropertyGroup):
    """How the frames of a plane are baked, and the versions that are there."""

    file_format: EnumProperty(
        name="Format",
        description="File format of the baked frames",
        items=(
            ("AUTO", "As the Photo", "PNG in the photo's bit depth, or EXR for a photo that is one"),
            ("PNG", "PNG", "Without loss, in the photo's bit depth"),
            ("EXR", "OpenEXR", "Scene-linear floats, for compositing"),
            ("JPEG", "JPEG", "Small files without transparency"),
        ),
        default="AUTO",
        **_FIXED,
    )
    size: EnumProperty(
        name="Size",
        description="Size of the baked frames: smaller ones are proxies, kept beside the full size",
        items=(
            ("FULL", "Full", "The photo's own pixels"),
            ("HALF", "1/2", "Half the width and height"),
            ("QUARTER", "1/4", "A quarter of the width and height"),
        ),
        default="FULL",
        **_FIXED,
    )
    motion_blur: BoolProperty(
        name="Motion Blur",
        description="Blur what moves, as a camera's shutter does: takes longer to bake",
        **_FIXED,
    )
    shutter: FloatProperty(
        name="Shutter",
        description="How long each frame is exposed: 180° is half the time from frame to frame",
        subtype="ANGLE",
        default=pi,
        min=0,
        max=2 * pi,
        **_FIXED,
    )
    blur_samples: IntProperty(
        name="Samples",
        description="Moments of which each blurred frame is made: more are smoother, and take longer",
        default=8,
        min=2,
        max=64,
        **_FIXED,
    )
    video: BoolProperty(
        name="Video Too", description="Also write the frames as an MP4 video beside their folder", **_FIXED
    )
    cutout: PointerProperty(
        name="Cut-Out Mask",
        description="Image by which the photo is cut out: white stays, black becomes transparent. "
        "Empty is the photo's own transparency",
        type=bpy.types.Image,
        **_FIXED,
    )
    versions: CollectionProperty(type=GID_PG_version, override={"LIBRARY_OVERRIDABLE", "USE_INSERTION"})
    version_index: IntProperty(
        name="Shown Version", description="The version that the plane shows", default=-1, update=_switch, **_FIXED
    )


CLASSES = (GID_PG_version, GID_PG_output)
