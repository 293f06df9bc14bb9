"""A photo as a plane: a grid of the photo's proportions, upright, with its material."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..core.engine import GidError
from ..core.photo_file import exif_orientation, stored_uv
from . import display, files, material
from .material import STORED_UV, UPRIGHT_UV


def load_image(path: Path) -> bpy.types.Image:
    """The photo as Blender's image; GidError where Blender can't read it."""
    try:
        image = bpy.data.images.load(str(path), check_existing=True)
        image.filepath = files.stored(path)
    except RuntimeError as error:
        raise GidError(
            "photo_unreadable", f"{path} could not be opened.", "Check that it exists and may be read."
        ) from error
    if not (image.size[0] and image.size[1]):
        if image.users == 0:
            bpy.data.images.remove(image)
        raise GidError(
            "photo_unreadable",
            f"{path} is not an image that Blender can read.",
            "Choose a PNG, JPEG, TIFF or EXR photo.",
        )
    return image


def new_plane(path: Path, height: float, cells: int) -> bpy.types.Object:
    """An object showing the photo, not yet in any collection.

    height: of the plane, in Blender units; cells: of the grid along the photo's longer side. The plane lies in
    its local XY plane, centred, top towards +Y, face towards +Z.
    """
    image = load_image(path)
    orientation = exif_orientation(path)
    size = tuple(image.size) if orientation < 5 else (image.size[1], image.size[0])
    mesh = _grid(path.stem, size, height, cells, orientation)
    mesh.materials.append(material.new_material(path.stem, image, STORED_UV if orientation > 1 else UPRIGHT_UV))
    plane = bpy.data.objects.new(path.stem, mesh)
    plane.gid.photo_size = size
    display.apply(plane)
    return plane


def _grid(name: str, size: tuple[int, int], height: float, cells: int, orientation: int) -> bpy.types.Mesh:
    long_side = max(size)
    nx, ny = (max(1, round(cells * side / long_side)) for side in size)
    width = height * size[0] / size[1]
    uv = [(i / nx, j / ny) for j in range(ny + 1) for i in range(nx + 1)]
    row = nx + 1
    faces = [
        (j * row + i, j * row + i + 1, (j + 1) * row + i + 1, (j + 1) * row + i)
        for j in range(ny)
        for i in range(nx)
    ]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([((u - 0.5) * width, (v - 0.5) * height, 0) for u, v in uv], [], faces)
    corners = [uv[vertex] for face in faces for vertex in face]
    _add_uv(mesh, UPRIGHT_UV, corners)
    if orientation > 1:
        _add_uv(mesh, STORED_UV, [stored_uv(orientation, *corner) for corner in corners])
    mesh.update()
    return mesh


def _add_uv(mesh: bpy.types.Mesh, name: str, corners: list[tuple[float, float]]) -> None:
    layer = mesh.uv_layers.new(name=name, do_init=False)
    layer.data.foreach_set("uv", [value for corner in corners for value in corner])
