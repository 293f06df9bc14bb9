"""Import a photo as a plane: proportions, material, names, rotation, files that are no photo."""

import bpy
import numpy as np
import pytest
from pictures import photo, write_png


def imported(path, **options):
    assert bpy.ops.gid.import_photo(filepath=str(path), **options) == {"FINISHED"}
    return bpy.context.object


@pytest.mark.parametrize("name", ["photo", "d é sp", "花の写真", "a.b.c", "x" * 70])
def test_plane_has_the_photos_proportions_and_name(tmp_path, name):
    plane = imported(write_png(tmp_path / f"{name}.png", photo(48, 32)), height=2.0)
    width, height, depth = plane.dimensions
    assert (width, height, depth) == pytest.approx((3.0, 2.0, 0.0))
    assert tuple(plane.gid.photo_size) == (48, 32)
    assert name.startswith(plane.name) and len(plane.name) >= min(len(name), 63)  # 63 bytes before Blender 5.0
    assert plane.active_material.node_tree.nodes.active.image.size[:] == (48, 32)


def test_grid_is_about_as_fine_as_asked_for_and_square(tmp_path):
    plane = imported(write_png(tmp_path / "p.png", photo(60, 20)), cells=30)
    assert len(plane.data.polygons) == 30 * 10
    assert [p.area for p in plane.data.polygons] == pytest.approx([0.1 * 0.1] * 300, rel=1e-4)  # float32


def test_material_emits_the_photo_and_only_alpha_photos_are_transparent(tmp_path):
    opaque = imported(write_png(tmp_path / "p.png", photo()))
    clear = imported(write_png(tmp_path / "a.png", photo(channels=4)))
    kinds = [{n.type for n in o.active_material.node_tree.nodes} for o in (opaque, clear)]
    assert "EMISSION" in kinds[0] and "BSDF_TRANSPARENT" not in kinds[0]
    assert {"EMISSION", "BSDF_TRANSPARENT", "MIX_SHADER"} <= kinds[1]


def test_several_photos_at_once_stand_side_by_side(tmp_path):
    for name in ("a", "b"):
        write_png(tmp_path / f"{name}.png", photo())
    files = [{"name": "a.png"}, {"name": "b.png"}]
    assert bpy.ops.gid.import_photo(directory=str(tmp_path), files=files) == {"FINISHED"}
    a, b = bpy.data.objects["a"], bpy.data.objects["b"]
    assert b.location.x - a.location.x >= a.dimensions.x


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_file_that_is_no_photo_is_refused_and_leaves_nothing(tmp_path, content):
    (tmp_path / "p.png").write_bytes(content)
    with pytest.raises(RuntimeError, match=r"p\.png"):
        bpy.ops.gid.import_photo(filepath=str(tmp_path / "p.png"))
    with pytest.raises(RuntimeError, match=r"gone\.png"):
        bpy.ops.gid.import_photo(filepath=str(tmp_path / "gone.png"))
    assert not bpy.data.objects and not bpy.data.images and not bpy.data.meshes


def test_undo_takes_the_plane_away_and_redo_brings_it_back(tmp_path):
    bpy.ops.ed.undo_push(message="start")
    imported(write_png(tmp_path / "p.png", photo()))
    bpy.ops.ed.undo_push(message="import")
    bpy.ops.ed.undo()
    assert "p" not in bpy.data.objects
    bpy.ops.ed.redo()
    assert bpy.data.objects["p"].gid.photo_size[:] == (48, 32)


def test_controls_survive_saving(tmp_path):
    plane = imported(write_png(tmp_path / "p.png", photo()))
    plane.gid.amplitude, plane.gid.loop_frames = 1.5, 48
    plane.gid.keyframe_insert("amplitude", frame=1)
    bpy.ops.gid.add_impulse(location=(0.25, 0.75), strength=0.03)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "f.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "f.blend"))
    gid = bpy.data.objects["p"].gid
    assert (gid.amplitude, gid.loop_frames) == (1.5, 48)
    assert tuple(gid.impulses[0].location) == (0.25, 0.75)
    assert gid.impulses[0].strength == pytest.approx(0.03)


def test_touches_are_added_at_the_current_frame_and_removed(tmp_path):
    plane = imported(write_png(tmp_path / "p.png", photo()))
    for frame in (7, 9):
        bpy.context.scene.frame_set(frame)
        bpy.ops.gid.add_impulse()
    assert [i.frame for i in plane.gid.impulses] == [7, 9]
    bpy.ops.gid.remove_impulse(index=0)
    assert [i.frame for i in plane.gid.impulses] == [9]
    bpy.ops.gid.remove_impulse()
    assert not bpy.ops.gid.remove_impulse.poll()


# What the orientation says about the stored pixels, undone (EXIF 2.3, 4.6.4A).
UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
    8: lambda p: np.rot90(p, 1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_stands_upright(tmp_path, orientation):
    stored = photo(48, 32)
    path = write_png(tmp_path / "p.png", stored)
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation]) + b"\0" * 7
    data = path.read_bytes()
    exif = len(tiff).to_bytes(4, "big") + b"eXIf" + tiff
    path.write_bytes(data[:33] + exif + zlib_crc(b"eXIf" + tiff) + data[33:])
    plane = imported(path)
    upright = UPRIGHT[orientation](stored)
    height, width = upright.shape[:2]
    assert plane.dimensions.x / plane.dimensions.y == pytest.approx(width / height)
    for corner_uv, pixel in {(0.02, 0.98): upright[0, 0], (0.98, 0.02): upright[-1, -1]}.items():
        assert np.abs(shown(plane, corner_uv) - pixel / 255).max() < 0.15  # within a few pixels of the gradient


def zlib_crc(data):
    import zlib

    return zlib.crc32(data).to_bytes(4, "big")


def shown(plane, place):
    """Colour of the photo at a place of the plane (0…1, v up), by the UV map that its image node uses."""
    node = plane.active_material.node_tree.nodes.active
    uv_map = plane.data.uv_layers[node.inputs["Vector"].links[0].from_node.uv_map]
    corners = np.array([plane.data.vertices[loop.vertex_index].co[:2] for loop in plane.data.loops])
    corners = (corners - corners.min(0)) / np.ptp(corners, axis=0)
    u, v = uv_map.data[int(np.square(corners - place).sum(1).argmin())].uv
    width, height = node.image.size
    x, y = (min(int(s * side), side - 1) for s, side in ((u, width), (v, height)))
    start = (y * width + x) * 4
    return np.array(node.image.pixels[start : start + 3])


@pytest.mark.parametrize("turned", [False, True])
def test_the_place_under_the_mouse_is_a_place_of_the_photo(tmp_path, turned):
    """A plane 3 wide and 2 high stands at x = 5, facing the viewer at −y; the same with its rotation applied."""
    from mathutils import Vector

    from blender_gid.adapters.pointer import Surface, push

    bpy.context.scene.cursor.location = (5, 0, 0)
    plane = imported(write_png(tmp_path / "p.png", photo(48, 32)), height=2.0)
    bpy.context.view_layer.update()
    if turned:
        bpy.ops.object.transform_apply(rotation=True, location=False)
    look = Vector((0, 1, 0))
    assert Surface(plane).hit(Vector((5, -9, 0)), look) == pytest.approx((0.5, 0.5), abs=1e-5)
    assert Surface(plane).hit(Vector((3.5, -9, 1)), look) == pytest.approx((0, 1), abs=1e-5)
    assert Surface(plane).hit(Vector((8, -9, 0)), look)[0] == pytest.approx(1.5, abs=1e-5)  # beside it
    assert Surface(plane).hit(Vector((5, 9, 0)), look) is None  # behind the viewer
    assert Surface(plane).hit(Vector((5, -9, 0)), Vector((1, 0, 0))) is None  # edge on
    assert push((0.5, 0.5), (0.5, 0.65), (48, 32)) == pytest.approx((np.pi / 2, 0.1))
