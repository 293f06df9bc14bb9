"""All files of a plane beside the .blend file, where a farm and another machine find them."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy

from ..core import bake
from ..core.engine import GidError
from . import bakes, compat, files, material, sequence


def gather(plane: bpy.types.Object) -> int:
    """Bring photo, motion and versions from outside the .blend file's folder into the plane's own, and name all of
    them from the .blend file; how many were brought.

    Files are copied, but moved where an unsaved file kept them for us. GidError where the .blend file is not
    saved, something is missing, or the disk is too small.
    """
    if not bpy.data.filepath:
        raise GidError("unsaved", "The file is not saved, so that nothing can lie beside it.", "Save it first.")
    home, folder = Path(bpy.data.filepath).resolve().parent, files.plane_folder(plane)
    image, gid = material.photo_image(plane), plane.gid
    brought = 0
    if image is not None and not image.packed_file:
        here = files.photo_path(plane)
        path = _bring(here, folder, home)
        brought += path != here
        image.filepath = files.stored(path)
    if gid.motion:
        here = files.motion_path(plane)
        path = _bring(here, folder, home)
        brought += path != here
        gid.motion = files.stored(path)
    shown = sequence.shown(plane)
    for version in gid.output.versions:
        frames = files.absolute(version.folder, plane)
        if frames.is_dir():
            was_shown = shown is not None and shown.folder.resolve() == frames.resolve()
            there = _bring(frames, folder / _version_name(version, folder), home)
            brought += there != frames
            version.folder = files.stored(there)
            if was_shown:
                sequence.link(plane, bakes.sequence_of(plane, version))
    return brought


def _version_name(version, folder: Path) -> str:
    name = version.name.split(" ")[0]
    return (
        name if name.startswith("v") and not (folder / name).exists() else bake.next_version(folder, _all(folder))
    )


def _all(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _bring(source: Path, folder: Path, home: Path) -> Path:
    """The file or folder, or its copy in `folder` where it lies outside home."""
    if source.resolve().is_relative_to(home):
        return source
    target = folder / source.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if source.is_relative_to(compat.user_folder("unsaved")):
            shutil.move(source, target)
        elif source.is_dir():
            bake.require_space(home, sum(path.stat().st_size for path in source.iterdir()))
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            bake.require_space(home, source.stat().st_size)
            shutil.copy2(source, target)
    except OSError as error:
        raise GidError(
            "cannot_write",
            f"{source} could not be brought to {folder}: {error.strerror or error}.",
            "Check the disk.",
        ) from error
    return target
