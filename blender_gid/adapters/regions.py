"""Regions of a photo: their masks, from what they are painted, grouped or outlined by, to files for the engine."""

from __future__ import annotations

import hashlib
from colorsys import hsv_to_rgb
from pathlib import Path

import bpy

from ..core import engine, paths
from ..core.engine import GidError
from . import files, masks

MOST = 8  # as many as the engine takes
_LONG_SIDE = 512  # of a mask: twice that of the modes


def new_name(plane: bpy.types.Object) -> str:
    """What the next region will be called. GidError where there are as many as there can be."""
    if len(plane.gid.regions) >= MOST:
        raise GidError("too_many_regions", f"{plane.name} has {MOST} regions already.", "Remove one first.")
    names = {region.name for region in plane.gid.regions}
    return next(name for n in range(1, MOST + 1) if (name := f"Region {n}") not in names)


def add(plane: bpy.types.Object) -> bpy.types.PropertyGroup:
    """A new region, selected, with a colour of its own. GidError where there are as many as there can be."""
    gid, name = plane.gid, new_name(plane)
    region = gid.regions.add()
    region.name, region.color = name, hsv_to_rgb((int(name.split()[-1]) - 1) * 0.382 % 1, 0.9, 1)
    gid.region_index = len(gid.regions) - 1
    return region


def selected(plane: bpy.types.Object) -> bpy.types.PropertyGroup | None:
    gid = plane.gid
    return gid.regions[gid.region_index] if 0 <= gid.region_index < len(gid.regions) else None


def remove(plane: bpy.types.Object, index: int) -> None:
    """Take a region away, and its keyframes; those of the regions after it go along with them."""
    from . import compat

    gid = plane.gid
    gid.regions.remove(index)
    gid.region_index = min(gid.region_index, len(gid.regions) - 1)
    for curve in compat.fcurves(plane):
        place = _index(curve.data_path)
        if place == index:
            compat.remove_fcurve(plane, curve)
        elif place is not None and place > index:
            curve.data_path = curve.data_path.replace(f"[{place}]", f"[{place - 1}]", 1)


def _index(data_path: str) -> int | None:
    head, _, rest = data_path.partition("gid.regions[")
    return int(rest.partition("]")[0]) if rest and not head else None


def new_image(plane: bpy.types.Object, region: bpy.types.PropertyGroup) -> bpy.types.Image:
    """A black image of the photo's shape, to paint the region on; kept in the .blend file."""
    width, height = (2 * side for side in mask_size(plane))
    image = bpy.data.images.new(f"{plane.name} {region.name}", width, height)
    image.colorspace_settings.name = "Non-Color"
    image.generated_color = (0, 0, 0, 1)
    image.pack()
    return image


def load_image(plane: bpy.types.Object, region: bpy.types.PropertyGroup, path: Path) -> bpy.types.Image:
    """The image of a mask that the engine wrote; the one that the region has, where it is of this file."""
    image = region.image
    if image is None or image.packed_file or files.absolute(image.filepath, image) != path:
        image = bpy.data.images.load(str(path))
        image.name = f"{plane.name} {region.name}"
    else:
        image.reload()
    image.colorspace_settings.name = "Non-Color"
    return image


def end_painting(plane: bpy.types.Object) -> bool:
    """Show the photo as before, and keep what was painted in the .blend file; whether something was painted."""
    from . import display, material

    if not material.end_painting(plane):
        return False
    for region in plane.gid.regions:
        if region.image is not None and region.image.is_dirty:
            region.image.pack()
    display.apply(plane)
    return True


def mask_size(plane: bpy.types.Object) -> tuple[int, int]:
    """(w, h) of a mask of the plane's photo."""
    width, height = plane.gid.photo_size
    return tuple(max(1, round(_LONG_SIDE * side / max(width, height))) for side in (width, height))


def hand_over(plane: bpy.types.Object, region: bpy.types.PropertyGroup) -> bool:
    """Write the region's mask as it is now to a file that is named by what is in it; whether it is another one.

    GidError where it can't be made; the region has no effect while what it is made from is missing.
    """
    mask = _mask(plane, region)
    if mask is None:
        changed, region.file = bool(region.file), ""
        return changed
    from ..core.masks import feathered, mask_png

    if region.feather:
        size = mask.shape[1], mask.shape[0]
        mask = feathered(mask, masks.guide(plane, size), region.feather * size[0])
    data = mask_png(mask)
    name = f"{paths.file_name(region.name)}_{hashlib.sha256(data).hexdigest()[:8]}.png"
    before = files.absolute(region.file, plane) if region.file else None
    if before is not None and before.name == name and before.is_file():
        return False
    path = files.plane_folder(plane) / name
    engine.write_file(path, data)
    region.file = files.stored(path)
    return True


def hand_over_all(plane: bpy.types.Object) -> bool:
    """Bring the files of all regions up to date; whether any is another one now."""
    return any([hand_over(plane, region) for region in plane.gid.regions])


def _mask(plane: bpy.types.Object, region: bpy.types.PropertyGroup):
    """The region's mask, not feathered: float32 [h, w] of `mask_size`, or None where it is made from nothing."""
    if region.source == "IMAGE":
        return None if region.image is None else _resized(masks.painted(region.image), mask_size(plane))
    if region.source == "GROUP":
        return None if region.vertex_group not in plane.vertex_groups else _weights(plane, region.vertex_group)
    return None if region.silhouette is None else _outline(plane, region.silhouette)


def _resized(mask, size: tuple[int, int]):
    """Bilinear, in the upright photo's cells."""
    import numpy as np

    from ..core.preview import Sampler

    if mask.shape == size[::-1]:
        return mask
    width, height = size
    v, u = np.meshgrid(1 - (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    uv = np.column_stack([u.ravel(), v.ravel()])
    return Sampler(mask.shape, uv)(mask).reshape(height, width).astype(np.float32)


def _weights(plane: bpy.types.Object, name: str):
    import numpy as np

    from ..core.masks import scattered
    from .preview import vertices

    uv, _ = vertices(plane.data)
    index = plane.vertex_groups[name].index
    weights = np.zeros(len(uv), np.float32)
    for vertex in plane.data.vertices:
        for group in vertex.groups:
            if group.group == index:
                weights[vertex.index] = group.weight
    columns, rows = (len(np.unique(np.round(axis, 4))) for axis in uv.T)
    if columns * rows != len(uv):  # no longer the grid that it was
        aspect = plane.gid.photo_size[0] / plane.gid.photo_size[1]
        columns = max(1, round((len(uv) * aspect) ** 0.5))
        rows = max(1, len(uv) // columns)
    return _resized(scattered(weights, uv, (columns, rows)), mask_size(plane))


def _outline(plane: bpy.types.Object, thing: bpy.types.Object):
    import numpy as np

    from ..core.masks import silhouette
    from .pointer import Surface

    seen = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    try:
        mesh = seen.to_mesh()
    except RuntimeError as error:
        raise GidError("no_outline", f"{thing.name} has no outline.", "Choose a mesh, curve or text.") from error
    try:
        mesh.calc_loop_triangles()
        points, triangles = np.empty(len(mesh.vertices) * 3), np.empty(len(mesh.loop_triangles) * 3, np.int32)
        mesh.vertices.foreach_get("co", points)
        mesh.loop_triangles.foreach_get("vertices", triangles)
    finally:
        seen.to_mesh_clear()
    to_photo = np.array(Surface(plane).to_photo @ seen.matrix_world)
    places = points.reshape(-1, 3) @ to_photo[:3, :3].T + to_photo[:3, 3]
    return silhouette(places[:, :2], triangles.reshape(-1, 3), mask_size(plane))
