"""Bakes: formats, versions, several planes, frames that are missing or out of date, room on the disk."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from pictures import photo, write_png


@pytest.fixture
def plane(tmp_path, fake_engine):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "f é.blend"))
    return moving_plane(tmp_path)


def moving_plane(tmp_path, name="花"):
    bpy.ops.gid.import_photo(filepath=str(write_png(tmp_path / f"{name}.png", photo())), cells=4)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 8
    plane = bpy.context.object
    plane.gid.loop_frames = 4
    bpy.ops.gid.predict()
    return plane


def frames_of(plane, version="v001", folder="frames"):
    return Path(bpy.path.abspath("//gid")) / plane.gid.folder / version / folder


def file_shown(plane, frame):
    """The number of the file that Blender looks for at a frame: see DNA's ImageUser."""
    bpy.context.scene.frame_set(frame)
    user = plane.active_material.node_tree.nodes["GID Baked"].image_user
    n = (frame - user.frame_start + 1) % user.frame_duration or user.frame_duration
    return n + user.frame_offset


# --- versions ---------------------------------------------------------------------------------------------------


def test_a_new_version_keeps_the_old_one_and_either_can_be_shown(plane):
    output = plane.gid.output
    bpy.ops.gid.bake()
    bpy.ops.gid.bake(new_version=True)
    assert [v.name for v in output.versions] == ["v001", "v002"] and output.version_index == 1
    image = plane.active_material.node_tree.nodes["GID Baked"].image
    assert image.filepath.startswith("//gid/花/v002/")
    output.version_index = 0
    assert plane.active_material.node_tree.nodes["GID Baked"].image.filepath.startswith("//gid/花/v001/")
    bpy.ops.gid.bake()  # into the version that is shown
    assert len(output.versions) == 2 and frames_of(plane, "v002").is_dir()


def test_deleting_a_version_takes_its_files_and_shows_the_one_before(plane):
    bpy.ops.gid.bake()
    bpy.ops.gid.bake(new_version=True)
    assert bpy.ops.gid.delete_version() == {"FINISHED"}
    assert not frames_of(plane, "v002").parent.exists() and frames_of(plane).is_dir()
    assert plane.gid.output.version_index == 0 and file_shown(plane, 1) == 1
    bpy.ops.gid.delete_version()
    assert plane.gid.display == "PHOTO" and "GID Baked" not in plane.active_material.node_tree.nodes
    assert not bpy.ops.gid.delete_version.poll()
    plane.gid.display = "BAKED"  # there is none: the photo, not magenta
    assert plane.active_material.node_tree.nodes.active.name == "GID Photo"


def test_a_duplicate_cannot_delete_its_originals_frames(plane):
    bpy.ops.gid.bake()
    bpy.ops.object.duplicate()
    copy = bpy.context.object
    assert len(copy.gid.output.versions) == 1
    bpy.ops.gid.delete_version()
    assert len(list(frames_of(plane).glob("*.png"))) == 4 and len(copy.gid.output.versions) == 0
    bpy.ops.gid.bake()
    assert copy.gid.folder != plane.gid.folder and len(list(frames_of(copy).glob("*.png"))) == 4


def test_a_version_whose_files_are_gone_is_not_shown(plane):
    bpy.ops.gid.bake()
    bpy.ops.gid.bake(new_version=True)
    shutil.rmtree(frames_of(plane))
    plane.gid.output.version_index = 0
    assert "missing" in plane.gid.status and plane.gid.failed
    assert plane.active_material.node_tree.nodes["GID Baked"].image.filepath.startswith("//gid/花/v002/")


def test_versions_survive_saving_elsewhere(plane, tmp_path):
    bpy.ops.gid.bake()
    (tmp_path / "other").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "other" / "g.blend"))
    from blender_gid.adapters import bakes

    (version,) = plane.gid.output.versions
    assert not bakes.sequence_of(plane, version).missing()


def test_a_proxy_is_kept_beside_the_full_size(plane):
    bpy.ops.gid.bake()
    plane.gid.output.size = "HALF"
    bpy.ops.gid.bake()
    assert [v.name for v in plane.gid.output.versions] == ["v001", "v001 1/2"]
    assert len(list(frames_of(plane, folder="frames_half").glob("*.png"))) == 4
    assert len(list(frames_of(plane).glob("*.png"))) == 4


# --- out of date ------------------------------------------------------------------------------------------------


def outdated(plane):
    from blender_gid.adapters import bakes

    return bakes.out_of_date(plane, bpy.context.scene)


def test_a_bake_is_out_of_date_once_a_control_changes_and_again_up_to_date_by_a_bake(plane):
    bpy.ops.gid.bake()
    assert not outdated(plane)
    plane.gid.amplitude = 0.5
    assert outdated(plane)
    plane.gid.amplitude = 1
    assert not outdated(plane)
    plane.gid.keyframe_insert("amplitude", frame=1)
    plane.gid.amplitude = 2
    plane.gid.keyframe_insert("amplitude", frame=8)
    assert outdated(plane)
    bpy.ops.gid.bake()
    assert not outdated(plane)


def test_a_loop_covers_every_scene_and_other_frames_only_their_own(plane):
    scene = bpy.context.scene
    bpy.ops.gid.bake()
    for first, last in ((1, 2), (5, 20)):
        scene.frame_start, scene.frame_end = first, last
        assert not outdated(plane)
    scene.frame_start, scene.frame_end = 1, 8
    plane.gid.loop_frames = 0  # never repeats
    bpy.ops.gid.bake()
    scene.frame_end = 6
    assert not outdated(plane)
    scene.frame_end = 9
    assert outdated(plane)


def test_a_bake_is_out_of_date_after_another_prediction_or_format_but_not_after_a_move(plane, tmp_path):
    bpy.ops.gid.bake()
    plane.gid.output.file_format = "JPEG"
    assert outdated(plane)
    plane.gid.output.file_format = "AUTO"
    bpy.ops.wm.save_mainfile()
    shutil.copytree(tmp_path, tmp_path.parent / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path.parent / "moved" / "f é.blend"))
    plane = bpy.data.objects["花"]
    bpy.context.view_layer.objects.active = plane
    assert not outdated(plane)
    plane.gid.seed = 3
    bpy.ops.gid.predict()
    plane.gid.display = "BAKED"
    assert outdated(plane)


def test_the_material_and_the_console_tell_of_a_bake_that_is_out_of_date(plane, capfd):
    bpy.ops.gid.bake()
    node = plane.active_material.node_tree.nodes["GID Baked"]
    plane.gid.amplitude = 0.5
    bpy.ops.wm.save_mainfile()
    assert node.label == "GID Baked (out of date)"
    assert "花: its controls have changed since it was baked" in capfd.readouterr().out
    bpy.ops.gid.bake()
    assert node.label == "GID Baked"


# --- missing frames ---------------------------------------------------------------------------------------------


def test_a_missing_frame_is_held_by_its_neighbour_until_it_is_baked_again(plane):
    bpy.ops.gid.bake()
    bpy.ops.wm.save_mainfile()
    (frames_of(plane) / "花_0003.png").unlink()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    plane = bpy.data.objects["花"]
    assert "花_0003.png is missing" in plane.gid.status and plane.gid.failed
    shown = [file_shown(plane, frame) for frame in range(1, 9)]
    assert shown == [1, 2, 2, 4, 1, 2, 2, 4]
    bpy.context.view_layer.objects.active = plane
    bpy.ops.gid.bake()
    assert [file_shown(plane, frame) for frame in (3, 4, 7)] == [3, 4, 3]


def test_the_photo_is_shown_while_all_frames_are_missing_and_the_bake_when_they_are_back(plane, tmp_path):
    bpy.ops.gid.bake()
    bpy.ops.wm.save_mainfile()
    os.rename(frames_of(plane), tmp_path / "away")
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    plane = bpy.data.objects["花"]
    assert plane.active_material.node_tree.nodes.active.name == "GID Photo"
    assert "4 baked frames are missing or cut off (1–4)" in plane.gid.status
    os.rename(tmp_path / "away", frames_of(plane))
    plane.gid.display = "BAKED"
    assert plane.active_material.node_tree.nodes.active.name == "GID Baked"


def test_no_magenta_is_rendered_where_frames_are_missing(plane, tmp_path):
    """The add-on is there, as on an artist's machine; what it keys is found by a farm without it, too."""
    bpy.ops.gid.bake()
    for frame in (2, 3):
        (frames_of(plane) / f"花_{frame:04d}.png").unlink()
    scene = bpy.context.scene
    look_at(plane, scene)
    render(scene, tmp_path / "with_", 1, 4)
    seen = {frame: read(tmp_path / f"with_{frame:04d}.png") for frame in range(1, 5)}
    kept = {n: read(frames_of(plane) / f"花_{n:04d}.png") for n in (1, 4)}
    for frame, file in ((1, 1), (2, 1), (3, 4), (4, 4)):
        assert np.abs(seen[frame].astype(int) - kept[file]).max() <= 2, frame  # rounding of sRGB
    assert "2–3" in plane.gid.status
    bpy.ops.wm.save_mainfile()
    script = str(Path(__file__).with_name("render_alone.py"))
    command = [sys.executable, script, bpy.data.filepath, str(tmp_path), "CYCLES", "2", "3", "48", "32"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    for frame, file in ((2, 1), (3, 4)):
        assert np.abs(read(tmp_path / f"r_{frame:04d}.png").astype(int) - kept[file]).max() <= 2, frame


def look_at(plane, scene):
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.data.type, camera.data.ortho_scale = "ORTHO", 1.5
    camera.location, camera.rotation_euler = (0, -1, 0), (np.pi / 2, 0, 0)
    scene.render.resolution_x, scene.render.resolution_y = 48, 32
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.light, scene.display.shading.color_type = "FLAT", "TEXTURE"
    scene.display.render_aa = "OFF"
    scene.render.dither_intensity = 0
    scene.view_settings.view_transform = "Standard"


def render(scene, path, first, last):
    scene.render.filepath = str(path)
    scene.frame_start, scene.frame_end = first, last
    bpy.ops.render.render(animation=True)


def read(path):
    image = bpy.data.images.load(str(path))
    pixels = np.array(image.pixels).reshape(image.size[1], image.size[0], 4)[::-1]
    bpy.data.images.remove(image)
    return np.round(pixels * 255).astype(np.uint8)


# --- several planes ---------------------------------------------------------------------------------------------


def test_twenty_planes_are_baked_one_after_the_other_by_one_engine(tmp_path, fake_engine, monkeypatch):
    from blender_gid.adapters import jobs

    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "f.blend"))
    planes = [moving_plane(tmp_path, f"p{i}") for i in range(20)]
    jobs.stop_engine()
    started = []
    command = jobs.worker_command
    monkeypatch.setattr(jobs, "worker_command", lambda python: started.append(python) or command(python))
    bpy.ops.object.select_all(action="SELECT")
    assert bpy.ops.gid.bake(scope="SELECTED") == {"FINISHED"}
    assert len(started) == 1
    assert all(plane.gid.display == "BAKED" and len(list(frames_of(plane).glob("*.png"))) == 4 for plane in planes)
    assert len({frames_of(plane) for plane in planes}) == 20


def test_a_plane_that_fails_does_not_keep_the_others_back(plane, tmp_path):
    second, third = moving_plane(tmp_path, "b"), moving_plane(tmp_path, "c")
    (tmp_path / "b.png").unlink()
    with pytest.raises(RuntimeError, match=r"2 of 3 are done; b: The photo .*b\.png does not exist"):
        bpy.ops.gid.bake(scope="ALL")
    assert plane.gid.display == third.gid.display == "BAKED" and second.gid.display == "PREVIEW"
    assert second.gid.failed and not plane.gid.failed and not third.gid.failed


def test_cancel_keeps_the_planes_that_are_done(plane, tmp_path, fake_engine):
    from blender_gid.adapters import bakes, jobs

    second = moving_plane(tmp_path, "b")
    fake_engine("slow:b")
    run = jobs.start_batch(lambda: bakes.batch([plane, second], bpy.context.scene))
    while plane.gid.display != "BAKED":
        run.job.poll()
    bpy.ops.gid.cancel()
    while not run.job.finished:
        run.job.poll()
    assert run.job.state == "CANCELLED" and second.gid.display == "PREVIEW"
    assert "was cancelled" in second.gid.status and "are baked" in plane.gid.status


def test_appended_and_linked_planes(plane, tmp_path):
    bpy.ops.gid.bake()
    bpy.ops.wm.save_mainfile()
    source = bpy.data.filepath
    folder = tmp_path / "shot"
    folder.mkdir()
    for link in (False, True):
        bpy.ops.wm.read_homefile(use_empty=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / f"{link}.blend"))
        with bpy.data.libraries.load(source, link=link, relative=True) as (_, into):
            into.objects = ["花"]
        (plane,) = into.objects
        bpy.context.scene.collection.objects.link(plane)
        bpy.context.view_layer.objects.active = plane
        node = plane.active_material.node_tree.nodes["GID Baked"]
        frames = Path(bpy.path.abspath(node.image.filepath, library=node.image.library))
        assert frames.is_file()
        if link:
            assert not bpy.ops.gid.predict.poll()
            assert not bpy.ops.gid.bake.poll()
            with pytest.raises(RuntimeError, match="linked from another file"):
                bpy.ops.gid.bake()
            continue
        plane.gid.motion = source.replace("f é.blend", "gid/花/花.motion.safetensors")
        assert bpy.ops.gid.bake() == {"FINISHED"}  # beside the new file, not into the old one's folder
        assert frames_of(plane).is_dir() and frames_of(plane).is_relative_to(folder)


# --- the disk ---------------------------------------------------------------------------------------------------


def test_a_bake_that_will_not_fit_is_refused_before_it_starts(plane, monkeypatch):
    free = shutil.disk_usage("/")._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(RuntimeError, match=r"need about 15 KB, and the disk of .* has 9 KB free"):
        bpy.ops.gid.bake()
    assert not frames_of(plane).parent.exists()  # not even an empty version is left


def test_an_unsaved_file_says_where_its_frames_are(tmp_path, fake_engine):
    plane = moving_plane(tmp_path)
    bpy.ops.gid.bake()
    assert "save the file, and bake again" in plane.gid.status
