"""Several motions of a photo to choose from, each from another seed, and their thumbnails."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..core import engine, paths
from ..core.job import Batch, Step
from . import files, jobs, masks, preview

COUNT = 4

_thumbnails = None  # of all variations that were shown, by their motion files


def predict(plane: bpy.types.Object, count: int = COUNT) -> Batch:
    """Predict from the plane's seed and those after it, one after the other; earlier variations are replaced."""
    folder = paths.writable_folder(files.plane_folder(plane) / "variations")
    mask = None if plane.gid.mask is None else str(masks.save(plane.gid.mask, folder.parent / "mask.png"))
    first = plane.gid.seed
    plane.gid.variations.clear()
    return Batch("Predicting variations", [_step(plane, folder, first + i, mask) for i in range(count)])


def _step(plane: bpy.types.Object, folder: Path, seed: int, mask: str | None) -> Step:
    reference = jobs.PlaneRef.of(plane)
    out = folder / f"seed_{seed}.motion.safetensors"

    def start():
        fields = {"photo": str(files.photo_path(reference.find())), "out": str(out), "seed": seed}
        if mask:
            fields["mask"] = mask
        return jobs.request("Predicting variations", "predict", **fields, **jobs.device_fields())

    def finish(result: dict) -> str:
        _draw(out)
        variation = reference.find().gid.variations.add()
        variation.seed, variation.motion = seed, files.stored(out)
        return f"The motion of seed {seed} is predicted."

    def tell(sentence: str, failed: bool) -> None:
        plane = reference.find()
        plane.gid.status, plane.gid.failed = sentence, failed

    return Step(f"{plane.name}, seed {seed}", start, finish, tell)


def choose(plane: bpy.types.Object, scene: bpy.types.Scene, index: int) -> None:
    """Let the plane move by one of its variations. GidError where its file is gone."""
    variation = plane.gid.variations[index]
    before = plane.gid.motion, plane.gid.seed
    plane.gid.motion, plane.gid.seed = variation.motion, variation.seed
    try:
        preview.build(plane, scene)
    except engine.GidError:
        plane.gid.motion, plane.gid.seed = before
        raise
    plane.gid.display = "PREVIEW"


def thumbnail(plane: bpy.types.Object, index: int) -> int:
    """Number of the icon that shows a variation; 0 where there is none."""
    global _thumbnails
    path = _picture(files.absolute(plane.gid.variations[index].motion, plane))
    try:
        name = f"{path}|{path.stat().st_mtime_ns}"
    except OSError:
        return 0
    if _thumbnails is None:
        from bpy.utils import previews

        _thumbnails = previews.new()
    if name not in _thumbnails:
        _thumbnails.load(name, str(path), "IMAGE")
    return _thumbnails[name].icon_id


def _picture(motion: Path) -> Path:
    return motion.with_name(motion.name.removesuffix(".motion.safetensors") + ".png")


def _draw(path: Path) -> None:
    from ..core.masks import picture_png
    from ..core.thumbnail import motion_picture

    engine.write_file(_picture(path), picture_png(motion_picture(engine.motion.load_motion(path))))


def unregister() -> None:
    global _thumbnails
    if _thumbnails is not None:
        from bpy.utils import previews

        previews.remove(_thumbnails)
        _thumbnails = None
