"""The files of a plane: `//gid/FOLDER/…` beside the .blend file, or the user's folder while there is none."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..core import paths
from ..core.engine import GidError
from . import compat


def absolute(path: str, owner: bpy.types.ID | None = None) -> Path:
    """A path as kept in the file ("//…" or absolute) as a place on the disk."""
    return Path(bpy.path.abspath(path, library=owner.library if owner else None))


def stored(path: Path) -> str:
    """A path as the file keeps it: relative where a .blend file exists and lies on the same drive."""
    if not bpy.data.filepath:
        return str(path)
    try:
        return bpy.path.relpath(str(path))
    except ValueError:  # another drive of Windows
        return str(path)


def plane_folder(plane: bpy.types.Object) -> Path:
    """The plane's own folder, made and proven writable. GidError otherwise."""
    others = [o.gid.folder.casefold() for o in bpy.data.objects if o != plane and o.gid.folder]
    saved = bool(bpy.data.filepath)
    if not plane.gid.folder or plane.gid.folder.casefold() in others:  # new, or a duplicate of another plane
        plane.gid.folder = paths.folder_name(plane.name, others, unique=not saved)
    return paths.writable_folder((_beside_file() if saved else _unsaved()) / plane.gid.folder)


def photo_path(plane: bpy.types.Object) -> Path:
    """The plane's photo. GidError where the file is gone."""
    return _existing(plane, plane.gid.photo, "photo", "Put it back, or choose the photo's path in the panel.")


def motion_path(plane: bpy.types.Object) -> Path:
    """The plane's motion file. GidError where the file is gone."""
    return _existing(plane, plane.gid.motion, "motion file", "Predict the motion again.")


def _existing(plane: bpy.types.Object, path: str, what: str, action: str) -> Path:
    found = absolute(path, plane)
    if not found.is_file():
        raise GidError(f"{what.split()[0]}_missing", f"The {what} {found} does not exist.", action)
    return found


def log_file() -> Path:
    return compat.user_folder("logs") / "engine.log"


def _beside_file() -> Path:
    return Path(bpy.path.abspath("//")) / "gid"


def _unsaved() -> Path:
    chosen = getattr(compat.preferences(), "cache_folder", "")
    return Path(bpy.path.abspath(chosen)) if chosen else compat.user_folder("unsaved")


def not_a_photo(plane: bpy.types.Object) -> GidError:
    return GidError(
        "not_a_photo",
        f"{plane.name} has lost the material that its photo came with.",
        "Import the photo again.",
    )
