"""Where a photo appears: filling the camera's view, cut out, as a strip of the sequencer, behind the render."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector
from pictures import photo, write_png


@pytest.fixture
def scene(tmp_path):
    """A scene with a camera that stands oblique somewhere, in a saved file."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "f.blend"))
    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location, camera.rotation_euler = (3, -5, 2), (1.2, 0.1, 0.5)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.frame_start, scene.frame_end = 1, 6
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.light, scene.display.shading.color_type = "FLAT", "TEXTURE"
    scene.display.render_aa = "OFF"
    scene.render.dither_intensity = 0
    scene.view_settings.view_transform = "Standard"
    return scene


def imported(tmp_path, pixels, name="p"):
    bpy.ops.gid.import_photo(filepath=str(write_png(tmp_path / f"{name}.png", pixels)), cells=4)
    return bpy.context.object


def rendered(scene, path, film=True):
    scene.render.filepath = str(path)
    scene.render.film_transparent = film
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    bpy.ops.render.render(write_still=True)
    return read(path)


def read(path):
    """RGBA 0…255 [H, W, 4], top row first."""
    image = bpy.data.images.load(str(path), check_existing=False)
    pixels = np.array(image.pixels).reshape(image.size[1], image.size[0], 4)[::-1]
    bpy.data.images.remove(image)
    return np.round(pixels * 255).astype(int)


# --- the camera's view ------------------------------------------------------------------------------------------


def in_picture(plane, scene):
    """Corners of the photo in the picture, 0…1 from its lower left: [4, 2]."""
    from bpy_extras.object_utils import world_to_camera_view

    bpy.context.view_layer.update()
    corners = np.array([vertex.co for vertex in plane.data.vertices])
    low, high = corners.min(0), corners.max(0)
    ends = [(x, y, 0) for x in (low[0], high[0]) for y in (low[1], high[1])]
    return np.array([world_to_camera_view(scene, scene.camera, plane.matrix_world @ Vector(e))[:2] for e in ends])


@pytest.mark.parametrize("sensor_fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("resolution", [(64, 36), (36, 64), (50, 50)])
@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_the_photo_fills_the_cameras_view(tmp_path, scene, sensor_fit, resolution, kind):
    scene.render.resolution_x, scene.render.resolution_y = resolution
    lens = scene.camera.data
    lens.sensor_fit, lens.type, lens.shift_x, lens.shift_y = sensor_fit, kind, 0.1, -0.05
    plane = imported(tmp_path, photo(48, 32))
    assert bpy.ops.gid.fit_camera(distance=7) == {"FINISHED"}
    seen = in_picture(plane, scene)
    low, high = seen.min(0), seen.max(0)
    assert np.allclose(low + high, 1, atol=1e-4)  # centred
    width, height = high - low
    assert min(width, height) == pytest.approx(1, abs=1e-4) and max(width, height) >= 1 - 1e-4
    aspect = width * resolution[0] / (height * resolution[1])
    assert aspect == pytest.approx(48 / 32, rel=1e-4)  # not stretched
    assert (scene.camera.matrix_world.inverted() @ plane.matrix_world.translation).z == pytest.approx(-7, abs=1e-4)
    bpy.ops.gid.fit_camera(distance=7, method="FIT")
    assert np.ptp(in_picture(plane, scene), axis=0).max() == pytest.approx(1, abs=1e-4)


def test_every_pixel_of_the_render_shows_the_photo_and_the_camera_may_move(tmp_path, scene):
    plane = imported(tmp_path, photo(64, 36))
    bpy.ops.gid.fit_camera()
    scene.camera.location = (-4, 2, 9)
    picture = rendered(scene, tmp_path / "r.png")
    assert (picture[..., 3] == 255).all()
    assert np.abs(picture[..., :3] - photo(64, 36)).max() <= 2  # as large as the photo: pixel for pixel
    assert not plane.visible_shadow and plane.parent == scene.camera


def test_a_scaled_camera_and_a_plane_with_its_rotation_applied(tmp_path, scene):
    scene.camera.scale = (3, 3, 3)
    plane = imported(tmp_path, photo(48, 32))
    bpy.ops.object.transform_apply(rotation=True, location=True, scale=True)
    bpy.context.view_layer.update()
    bpy.ops.gid.fit_camera()
    bpy.context.view_layer.update()
    corners = [plane.matrix_world @ Vector(corner) for corner in plane.bound_box]
    local = [scene.camera.matrix_world.normalized().inverted() @ corner for corner in corners]
    assert max(c.z for c in local) - min(c.z for c in local) == pytest.approx(0, abs=1e-3)  # faces the camera
    assert (rendered(scene, tmp_path / "r.png")[..., 3] == 255).all()


def test_a_zooming_camera_is_followed_frame_by_frame(tmp_path, scene):
    lens = scene.camera.data
    for frame, value in ((1, 30), (6, 80)):
        lens.lens = value
        lens.keyframe_insert("lens", frame=frame)
    plane = imported(tmp_path, photo(48, 32))
    for _ in range(2):  # again is as once
        bpy.ops.gid.fit_camera()
        for frame in range(1, 7):
            scene.frame_set(frame)
            assert np.ptp(in_picture(plane, scene), axis=0).min() == pytest.approx(1, abs=1e-3), frame


def test_the_photo_goes_behind_what_is_there_and_stays_at_its_distance(tmp_path, scene):
    bpy.ops.mesh.primitive_cube_add(location=(0, 20, 0), size=2)
    bpy.context.view_layer.update()
    plane = imported(tmp_path, photo(48, 32))
    bpy.ops.gid.fit_camera()
    to_camera = scene.camera.matrix_world.inverted()
    cube = bpy.data.objects["Cube"]
    deepest = max(-(to_camera @ cube.matrix_world @ Vector(c)).z for c in cube.bound_box)
    distance = -plane.matrix_basis.translation.z
    assert distance > deepest
    scene.camera.data.lens = 90
    bpy.ops.gid.fit_camera()
    assert -plane.matrix_basis.translation.z == pytest.approx(distance, rel=1e-5)


def test_cameras_that_cannot_be_filled_are_refused(tmp_path, scene):
    imported(tmp_path, photo())
    with pytest.raises(RuntimeError, match="shows what is"):
        bpy.ops.gid.fit_camera(distance=1e6)
    scene.camera.data.type = "PANO"
    with pytest.raises(RuntimeError, match="panoramic"):
        bpy.ops.gid.fit_camera()
    scene.camera = None
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.gid.fit_camera()


# --- cut out ----------------------------------------------------------------------------------------------------


def mask_image(width, height):
    """White on the upper left quarter."""
    image = bpy.data.images.new("mask", width, height)
    pixels = np.zeros((height, width, 4), np.float32)
    pixels[height // 2 :, : width // 2] = 1  # Blender's rows start at the bottom
    image.pixels.foreach_set(pixels.ravel())
    return image


def test_a_mask_cuts_the_photo_out_for_every_engine(tmp_path, scene):
    plane = imported(tmp_path, photo(64, 36))
    bpy.ops.gid.fit_camera()
    plane.gid.output.cutout = mask_image(64, 36)
    assert bpy.ops.gid.cut_out() == {"FINISHED"}
    file = read(Path(bpy.path.abspath("//gid")) / plane.gid.folder / "p cut out.png")
    assert np.array_equal(file[..., :3], photo(64, 36))  # colours as they were, to the bit
    assert (file[:18, :32, 3] == 255).all() and file[..., 3].sum() == 255 * 18 * 32
    for engine in ("BLENDER_WORKBENCH", "CYCLES"):
        scene.render.engine, scene.cycles.samples = engine, 1
        scene.cycles.use_denoising = False
        scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BOX", 0.01
        picture = rendered(scene, tmp_path / f"{engine}.png")
        assert (
            (picture[:17, :31, 3] == 255).all() and not picture[19:, :, 3].any() and not picture[:, 33:, 3].any()
        )
        assert np.abs(picture[:17, :31, :3] - photo(64, 36)[:17, :31]).max() <= 2


def test_a_cut_out_is_what_the_engine_gets(tmp_path, scene, fake_engine):
    plane = imported(tmp_path, photo(48, 32))
    plane.gid.output.cutout = mask_image(12, 8)  # of another size
    bpy.ops.gid.cut_out()
    plane.gid.loop_frames = 3
    bpy.ops.gid.predict()
    bpy.ops.gid.bake()
    baked = Path(bpy.path.abspath("//gid")) / plane.gid.folder / "v001" / "frames" / "p_0001.png"
    assert baked.read_bytes()[25] == 6  # four channels: the stand-in keeps its photo's


def test_a_turned_photo_is_cut_out_upright(tmp_path, scene):
    from test_plane import zlib_crc

    stored = photo(48, 32)
    path = write_png(tmp_path / "p.png", stored)
    tiff = (
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([6]) + b"\0" * 7
    )  # turn right to see it upright
    data = path.read_bytes()
    path.write_bytes(
        data[:33] + len(tiff).to_bytes(4, "big") + b"eXIf" + tiff + zlib_crc(b"eXIf" + tiff) + data[33:]
    )
    bpy.ops.gid.import_photo(filepath=str(path))
    plane = bpy.context.object
    plane.gid.output.cutout = mask_image(32, 48)
    bpy.ops.gid.cut_out()
    file = read(Path(bpy.path.abspath("//gid")) / plane.gid.folder / "p cut out.png")
    assert np.array_equal(file[..., :3], np.rot90(stored, -1))
    assert file[0, 0, 3] == 255 and file[-1, -1, 3] == 0


def test_without_a_mask_the_photo_must_have_transparency(tmp_path, scene):
    imported(tmp_path, photo())
    with pytest.raises(RuntimeError, match="has no transparency"):
        bpy.ops.gid.cut_out()
    plane = imported(tmp_path, photo(channels=4), "a")
    assert bpy.ops.gid.cut_out() == {"FINISHED"}
    method = getattr(plane.active_material, "surface_render_method", "DITHERED")
    assert method == "DITHERED"


# --- sequencer and compositor -----------------------------------------------------------------------------------


@pytest.fixture
def baked(tmp_path, scene, fake_engine):
    scene.render.resolution_x, scene.render.resolution_y = 48, 32
    plane = imported(tmp_path, photo())
    plane.gid.loop_frames = 4
    bpy.ops.gid.predict()
    bpy.ops.gid.bake()
    return plane


def frame_file(plane, number):
    return read(Path(bpy.path.abspath("//gid")) / plane.gid.folder / "v001" / "frames" / f"p_{number:04d}.png")


def test_the_strip_plays_the_loop_over_the_scene(tmp_path, scene, baked):
    assert bpy.ops.gid.add_strip() == {"FINISHED"}
    for frame, file in ((1, 1), (4, 4), (5, 1), (6, 2)):
        scene.frame_set(frame)
        picture = rendered(scene, tmp_path / f"s_{frame}.png")
        assert np.abs(picture[..., :3] - frame_file(baked, file)[..., :3]).max() <= 2, frame
    from blender_gid.adapters import compat

    (strip,) = compat.strips(scene)
    assert strip.directory.startswith("//") and (strip.frame_final_start, strip.frame_final_duration) == (1, 6)
    bpy.ops.gid.add_strip()
    assert {s.channel for s in compat.strips(scene)} == {1, 2}


def test_the_background_is_behind_the_render_and_plays(tmp_path, scene, baked):
    baked.hide_render = True
    bpy.ops.mesh.primitive_cube_add(size=0.5, location=(3, -5, 2))
    cube = bpy.context.object
    cube.location = scene.camera.matrix_world @ Vector((0, 0, -3))
    bpy.context.view_layer.objects.active = baked
    baked.select_set(True)
    for _ in range(2):  # again is as once
        assert bpy.ops.gid.add_background() == {"FINISHED"}
    for frame, file in ((2, 2), (5, 1)):
        scene.frame_set(frame)
        picture = rendered(scene, tmp_path / f"c_{frame}.png")
        expected = frame_file(baked, file)[..., :3]
        same = np.abs(picture[..., :3] - expected).max(-1) <= 2
        assert same[:4].all() and same[:, :4].all() and not same[14:18, 22:26].any(), frame


def test_before_the_bake_there_is_nothing_to_place(tmp_path, scene):
    imported(tmp_path, photo())
    assert not bpy.ops.gid.add_strip.poll() and not bpy.ops.gid.add_background.poll()
