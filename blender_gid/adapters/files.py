"""The files of a plane: `//gid/FOLDER/…` beside the .blend file, or the user's folder while there is none."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import bpy

from ..core import engine, paths
from ..core.engine import GidError
from . import compat, material


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


def clip_folder(name: str) -> Path:
    """A new folder, proven writable, for what is taken from a clip. GidError otherwise."""
    base = _beside_file() if bpy.data.filepath else _unsaved()
    taken = [path.name for path in base.iterdir()] if base.is_dir() else []
    return paths.writable_folder(base / paths.folder_name(name, taken, unique=not bpy.data.filepath))


def photo_path(plane: bpy.types.Object) -> Path:
    """The plane's photo as a file, written from the .blend where it is packed. GidError where there is none."""
    image = material.photo_image(plane)
    if image is None:
        raise not_a_photo(plane)
    path = absolute(image.filepath, image)
    if not path.is_file() and image.packed_file:
        path = plane_folder(plane) / paths.file_name(path.name)
        engine.write_file(path, image.packed_file.data)
    return _existing(path, "photo", "Put it back, or correct its path in the panel.")


def motion_path(plane: bpy.types.Object) -> Path:
    """The plane's motion file. GidError where the file is gone."""
    path = absolute(plane.gid.motion, plane)
    if not path.is_file() and _motion_is_the_librarys(plane):
        path = absolute(plane.gid.motion, plane.override_library.reference)
    return _existing(path, "motion file", "Predict the motion again.")


def _motion_is_the_librarys(plane: bpy.types.Object) -> bool:
    """Whether a library override has the motion of the plane that it overrides: "//" is that one's folder then."""
    override = plane.override_library
    return override is not None and override.reference.gid.motion == plane.gid.motion


def _existing(path: Path, what: str, action: str) -> Path:
    if not path.is_file():
        raise GidError(f"{what.split()[0]}_missing", f"The {what} {path} does not exist.", action)
    return path


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


def _rebase(old: str, new: str) -> None:
    """Relative paths of motions and versions that were meant from the folder of the file `old`, now from `new`'s.

    Blender does so for images when a file is saved elsewhere, but not for paths in properties.
    """
    before, after = (os.path.dirname(path) for path in (old, new))
    if not (before and after) or before == after:
        return
    for plane in bpy.data.objects:
        if plane.library is not None:
            continue
        own = () if _motion_is_the_librarys(plane) else ((plane.gid, "motion"),)
        listed = [(version, "folder") for version in plane.gid.output.versions]
        listed += [(region, "file") for region in plane.gid.regions]
        listed += [(variation, "motion") for variation in plane.gid.variations]
        for owner, name in (*own, *listed):
            if getattr(owner, name).startswith("//"):
                with contextlib.suppress(ValueError):  # another drive of Windows
                    place = bpy.path.abspath(getattr(owner, name), start=before)
                    setattr(owner, name, bpy.path.relpath(place, start=after))


@bpy.app.handlers.persistent
def _before_saving(target: str, _=None) -> None:
    _rebase(bpy.data.filepath, target)


@bpy.app.handlers.persistent
def _after_saving(target: str, _=None) -> None:
    _rebase(target, bpy.data.filepath)  # differs where a copy was saved, or saving failed


_HANDLERS = (("save_pre", _before_saving), ("save_post", _after_saving), ("save_post_fail", _after_saving))


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
