"""Baking planes: requests to the engine, versions in the planes' folders, and whether they are up to date."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from math import degrees
from pathlib import Path

import bpy

from ..core import bake, engine, paths
from ..core.bake import Ingredients
from ..core.controls import FrameRange
from ..core.engine import GidError
from ..core.job import Batch, Step
from ..core.photo_file import exif_orientation
from ..core.sequence import Sequence
from . import controls, files, jobs, material, sequence
from .controls import needs_stepping

_FORMATS = {"PNG": "png", "EXR": "exr", "JPEG": "jpg"}
_SHARE = {"FULL": 1, "HALF": 2, "QUARTER": 4}
_LABELS = {"frames_half": " 1/2", "frames_quarter": " 1/4"}
_EXPORTS = {"displacement": "Displacement", "stmap": "ST-Map"}

_seen: dict[Path, tuple[int, int]] = {}  # photos as they were last loaded: loading a large one takes a second


@dataclass(frozen=True)
class Plan:
    """A bake of a plane, ready to be asked for."""

    plane: jobs.PlaneRef
    version: str
    folder: Path  # of the version: //gid/PLANE/v001
    frames: FrameRange
    ingredients: Ingredients
    subfolder: str
    suffix: str
    video: bool

    @property
    def out(self) -> Path:
        return self.folder / self.subfolder

    @property
    def name(self) -> str:
        return self.folder.parent.name

    def request(self) -> dict:
        """Fields that renders and exports share."""
        return {
            "photo": str(self.ingredients.photo),
            "motion": str(self.ingredients.motion),
            "score": self.ingredients.score,
            "frames": {"first": self.frames.first, "last": self.frames.last},
            "name": self.name,
            **jobs.device_fields(),
        }


def batch(planes: Iterable[bpy.types.Object], scene: bpy.types.Scene, new_version=False, frames=None) -> Batch:
    """Bake planes one after the other. frames: (first, last) instead of what the controls ask for."""
    return Batch("Baking frames", [_bake_step(plane, scene, new_version, frames) for plane in planes])


def export(plane: bpy.types.Object, scene: bpy.types.Scene, kind: str) -> Batch:
    """Write the motion itself; kind: "displacement" or "stmap"."""
    reference = jobs.PlaneRef.of(plane)
    title = f"Exporting {_EXPORTS[kind]}"

    def start():
        planned = _plan(reference.find(), scene, False, None)
        out = planned.folder / kind
        return jobs.request(title, "export", kind=kind, out_dir=str(out), **planned.request())

    def finish(result: dict) -> str:
        return f"{_EXPORTS[kind]} of frames {result['first']} to {result['last']} is in {result['folder']}."

    return Batch(title, [Step(plane.name, start, finish, _teller(reference))])


def _bake_step(plane, scene: bpy.types.Scene, new_version: bool, frames: tuple[int, int] | None) -> Step:
    reference, planned = jobs.PlaneRef.of(plane), None

    def start():
        nonlocal planned
        planned = _plan(reference.find(), scene, new_version, frames)
        try:
            _require_space(reference.find(), planned)
            _save_score(planned)
        except GidError:
            with contextlib.suppress(OSError):
                planned.folder.rmdir()  # only where it is empty
            raise
        fields = planned.request() | planned.ingredients.options
        if planned.video:
            fields["video"] = str(planned.folder / f"{planned.name}{planned.subfolder.removeprefix('frames')}.mp4")
        return jobs.request("Baking frames", "render", out_dir=str(planned.out), **fields)

    def finish(result: dict) -> str:
        return _keep(planned, result, whole=frames is None)

    return Step(plane.name, start, finish, _teller(reference))


def _save_score(planned: Plan) -> None:
    """The score beside the frames, for the command line and for farms."""
    text = json.dumps(planned.ingredients.score, indent=1)
    engine.write_file(planned.folder / "score.json", text.encode())


def _teller(reference: jobs.PlaneRef):
    def tell(sentence: str, failed: bool) -> None:
        try:
            gid = reference.find().gid
        except GidError:
            return  # deleted meanwhile: the operator's report says so
        gid.status, gid.failed = sentence, failed

    return tell


def _plan(plane, scene: bpy.types.Scene, new_version: bool, frames: tuple[int, int] | None) -> Plan:
    """GidError where something that the bake needs is not there or does not fit."""
    if not plane.gid.motion:
        raise GidError("no_motion", f"{plane.name} has no motion yet.", "Predict the motion first.")
    _require_same_photo(plane)
    found, range_ = _ingredients(plane, scene, frames)
    folder = files.plane_folder(plane)
    shown, listed = _own_versions(plane, folder)
    version = shown if shown and not new_version else bake.next_version(folder, listed)
    folder = paths.writable_folder(folder / version)
    output = plane.gid.output
    suffix, reference = _suffix(output, found.photo.name), jobs.PlaneRef.of(plane)
    return Plan(reference, version, folder, range_, found, _subfolder(output), suffix, output.video)


def _ingredients(plane, scene: bpy.types.Scene, frames: tuple[int, int] | None) -> tuple[Ingredients, FrameRange]:
    values = controls.read_controls(plane, scene)
    range_ = controls.bake_range(values, scene) if frames is None else FrameRange(*frames, cyclic=False)
    output, options = plane.gid.output, {}
    if output.file_format in _FORMATS:
        options["format"] = _FORMATS[output.file_format]
    if output.size != "FULL":
        options["proxy"] = _SHARE[output.size]
    if output.motion_blur:
        options["shutter"], options["samples"] = degrees(output.shutter), output.blur_samples
    photo, motion = files.photo_path(plane), files.motion_path(plane)
    return Ingredients(values.score().to_dict(), photo, motion, options), range_


def _require_same_photo(plane: bpy.types.Object) -> None:
    """The photo's file may be replaced by a larger scan of the same picture, but not by one of another shape."""
    image = material.photo_image(plane)
    path = files.photo_path(plane)
    facts = path.stat()
    seen = facts.st_mtime_ns, facts.st_size
    if _seen.get(path) != seen and not image.is_dirty:  # painted on in Blender: then those pixels are the photo
        image.reload()
        _seen[path] = seen
    size = tuple(image.size) if exif_orientation(path) < 5 else (image.size[1], image.size[0])
    before = tuple(plane.gid.photo_size)
    if not all(size):
        raise GidError("photo_unreadable", f"{path} can't be read any more.", "Put the photo back.")
    if abs(size[0] / size[1] - before[0] / before[1]) > 1.5 / min(*size, *before):  # more than rounding
        raise GidError(
            "photo_changed",
            f"{path} is now {size[0]} × {size[1]} pixels, and the plane was made for {before[0]} × {before[1]}.",
            "Put the old photo back, or import the new one as a plane of its own.",
        )
    if size != before:
        plane.gid.photo_size = size


def _require_space(plane: bpy.types.Object, planned: Plan) -> None:
    made = len(list(planned.out.glob(f"*_[0-9]*{planned.suffix}"))) if planned.out.is_dir() else 0
    due = max(0, len(planned.frames) - made)  # a frame that is made anew takes the room of the old one
    bake.require_space(planned.folder, due * _frame_bytes(plane, planned.out, planned.suffix))


def _frame_bytes(plane: bpy.types.Object, folder: Path | None, suffix: str) -> int:
    image, share = material.photo_image(plane), _SHARE[plane.gid.output.size]
    size = tuple(side // share for side in plane.gid.photo_size)
    return bake.frame_bytes(folder, suffix, size, image.depth // (32 if image.is_float else 8), image.is_float)


def _suffix(output, photo: str) -> str:
    automatic = "exr" if photo.lower().endswith(".exr") else "png"
    return f".{_FORMATS.get(output.file_format, automatic)}"


def estimate(plane: bpy.types.Object, scene: bpy.types.Scene) -> tuple[int, int]:
    """(frames, bytes) that a whole bake will about take, for the panel."""
    image, gid = material.photo_image(plane), plane.gid
    span = scene.frame_end - scene.frame_start + 1
    count = min(gid.loop_frames, span) if gid.loop_frames and not gid.impulses else span
    if image is None:
        return count, 0
    suffix, shown = _suffix(gid.output, image.filepath), sequence.shown(plane)
    same = shown is not None and shown.suffix == suffix and _subfolder(gid.output) == shown.folder.name
    return count, count * _frame_bytes(plane, shown.folder if same else None, suffix)


def _subfolder(output) -> str:
    return "frames" if output.size == "FULL" else f"frames_{output.size.lower()}"


# --- versions ---------------------------------------------------------------------------------------------------


def _own_versions(plane: bpy.types.Object, folder: Path) -> tuple[str, list[str]]:
    """(the version that the plane shows or "", all that it lists), of those in its own folder: "v001" …

    A duplicate lists its original's versions, too: those are not its own to bake into.
    """
    output = plane.gid.output
    places = [files.absolute(version.folder, plane).parent for version in output.versions]
    own = [place.name if place.parent == folder else "" for place in places]
    return (own[output.version_index] if 0 <= output.version_index < len(own) else ""), own


def _keep(planned: Plan, result: dict, whole: bool) -> str:
    """Link the frames and list their version; the sentence."""
    plane = planned.plane.find()
    kept, same = result["skipped"], "it was" if result["skipped"] == 1 else "they were"
    kept = f", {kept} of them as {same}" if kept else ""
    baked = Sequence(
        planned.out,
        planned.name,
        result["suffix"],
        planned.frames.first,
        planned.frames.last,
        planned.frames.cyclic,
    )
    sentence = f"Frames {baked.first} to {baked.last} are baked{kept}, to {files.stored(baked.folder)}."
    if not whole:  # a share of a farm's: the plane goes on showing what it does
        return sentence
    sequence.link(plane, baked)
    add_version(plane, planned.version, baked, planned.ingredients.key)
    if not bpy.data.filepath:
        sentence += " That is a folder of your user account: save the file, and bake again to have them beside it."
    return sentence


def add_version(plane: bpy.types.Object, version: str, baked: Sequence, key: str) -> None:
    """List the sequence as a version of the plane, in the place of the one with the same folder, and show it."""
    output = plane.gid.output
    name = version + _LABELS.get(baked.folder.name, "")
    folder = files.stored(baked.folder)
    index = next((i for i, v in enumerate(output.versions) if v.folder == folder), -1)
    if index < 0:
        index = len(output.versions)
        output.versions.add()
    item = output.versions[index]
    item.name, item.folder, item.key = name, folder, key
    for field in ("stem", "suffix", "first", "last", "cyclic"):
        setattr(item, field, getattr(baked, field))
    output.version_index = index


def sequence_of(plane: bpy.types.Object, item) -> Sequence:
    """The files of an entry of `plane.gid.output.versions`."""
    folder = files.absolute(item.folder, plane)
    return Sequence(folder, item.stem, item.suffix, item.first, item.last, item.cyclic)


def switch(plane: bpy.types.Object) -> None:
    """Show the version that is chosen in the list; where its files are gone, say so and show what was shown."""
    output = plane.gid.output
    if not 0 <= output.version_index < len(output.versions):
        return
    chosen = sequence_of(plane, output.versions[output.version_index])
    if plane.gid.display == "BAKED" and sequence.shown(plane) == chosen:
        return
    try:
        sequence.link(plane, chosen)
    except GidError as error:
        plane.gid.status, plane.gid.failed = str(error), True


def delete_version(plane: bpy.types.Object, index: int) -> str:
    """Delete a version's files and its entry; the sentence. GidError where they can't be deleted."""
    output = plane.gid.output
    item = output.versions[index]
    name, folder = item.name, files.absolute(item.folder, plane)
    if folder.parent.parent != files.plane_folder(plane):
        output.versions.remove(index)
        output.version_index = min(index, len(output.versions) - 1)
        return f"{name} is off the list; its files belong to another plane and are kept."
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
        if folder.parent.is_dir() and not any(folder.parent.glob("frames*")):
            shutil.rmtree(folder.parent)
    except OSError as error:
        raise GidError(
            "cannot_delete",
            f"{folder} can't be deleted: {error.strerror or error}.",
            "Close programs that have its files open.",
        ) from error
    output.versions.remove(index)
    sequence.unlink(plane)
    output.version_index = min(index, len(output.versions) - 1)
    return f"{name} is deleted."


# --- up to date -------------------------------------------------------------------------------------------------


def out_of_date(plane: bpy.types.Object, scene: bpy.types.Scene, step: bool = False) -> bool:
    """Whether the shown bake is of other controls than the plane has now.

    False too where that can't be known: frames from elsewhere, or controls by drivers and NLA strips, which take
    stepping through the scene; step: do so.
    """
    output = plane.gid.output
    if not 0 <= output.version_index < len(output.versions) or plane.gid.display != "BAKED":
        return False
    item = output.versions[output.version_index]
    if engine.motion is None or not item.key or (needs_stepping(plane) and not step):
        return False
    try:
        now, frames = _ingredients(plane, scene, None)
    except GidError:  # photo or motion are gone: nothing to bake anew from
        return False
    covered = item.cyclic or item.first <= frames.first <= frames.last <= item.last
    return now.key != item.key or not covered
