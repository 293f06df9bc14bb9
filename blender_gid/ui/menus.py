"""Menu entries, and photos dropped into the viewport."""

import bpy

from ..adapters import compat
from ..operators.photo import EXTENSIONS, GID_OT_import_photo


def _import_entry(self, context):
    self.layout.operator(GID_OT_import_photo.bl_idname, text="Photo to Animate", icon="FORCE_WIND")


def _clip_entry(self, context):
    self.layout.operator("gid.analyse_clip", text="Motion of a Clip", icon="FILE_MOVIE")


_MENUS = (bpy.types.TOPBAR_MT_file_import, bpy.types.VIEW3D_MT_image_add)


class GID_FH_photo(bpy.types.FileHandler):
    """Photos dropped into a 3D viewport. Blender has a use for them too, and asks which one is meant."""

    bl_idname = "GID_FH_photo"
    bl_label = "Photo to Animate"
    bl_import_operator = GID_OT_import_photo.bl_idname
    bl_file_extensions = ";".join(EXTENSIONS)

    @classmethod
    def poll_drop(cls, context):
        wanted = getattr(compat.preferences(), "drop_photos", True)
        return wanted and context.area is not None and context.area.type == "VIEW_3D"


def append() -> None:
    for menu in _MENUS:
        menu.append(_import_entry)
        menu.append(_clip_entry)


def remove() -> None:
    for menu in _MENUS:
        menu.remove(_import_entry)
        menu.remove(_clip_entry)


CLASSES = (GID_FH_photo,)
