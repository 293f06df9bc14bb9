"""Faults that a bake must survive: each ends in a sentence, leaves the plane usable, and the next try works."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
from pictures import photo, write_png

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@pytest.fixture
def plane(tmp_path, fake_engine):
    folder = tmp_path / "d é"
    folder.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "f.blend"))
    bpy.ops.gid.import_photo(filepath=str(write_png(folder / "p.png", photo())), cells=4)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 8
    plane = bpy.context.object
    plane.gid.loop_frames = 4
    bpy.ops.gid.predict()
    return plane


def frames_of(plane):
    return Path(bpy.path.abspath("//gid")) / plane.gid.folder / "v001" / "frames"


def finished(run):
    while not run.job.finished:
        run.job.poll()
    return run.job


def started(plane):
    from blender_gid.adapters import bakes, jobs

    return jobs.start_batch(lambda: bakes.batch([plane], bpy.context.scene))


# --- the engine -------------------------------------------------------------------------------------------------


def test_out_of_memory_says_what_to_do_and_doing_it_works(plane, fake_engine):
    fake_engine("full")
    with pytest.raises(RuntimeError, match=r"graphics card is not enough for this\. Choose a smaller size"):
        bpy.ops.gid.bake()
    assert plane.gid.failed and plane.gid.display == "PREVIEW"
    plane.gid.output.size = "HALF"
    assert bpy.ops.gid.bake() == {"FINISHED"}


def test_an_engine_of_another_version_says_so(plane, fake_engine):
    fake_engine("old")
    with pytest.raises(
        RuntimeError, match="Update the add-on or the engine, so that both are of the same version"
    ):
        bpy.ops.gid.bake()
    fake_engine("well")
    assert bpy.ops.gid.bake() == {"FINISHED"}


def test_an_engine_that_dies_in_a_queue_is_started_anew_for_the_next_plane(plane, tmp_path, fake_engine):
    bpy.ops.gid.import_photo(filepath=str(write_png(tmp_path / "b.png", photo())), cells=4)
    second = bpy.context.object
    second.gid.loop_frames = 2  # shorter than the third frame, at which the stand-in dies
    bpy.ops.gid.predict()
    fake_engine("dies")
    with pytest.raises(RuntimeError, match="1 of 2 are done; p: The engine stopped in the middle"):
        bpy.ops.gid.bake(scope="ALL")
    assert second.gid.display == "BAKED" and plane.gid.display == "PREVIEW"


# --- undo and deletion while a job runs -------------------------------------------------------------------------


def test_undo_during_a_bake_does_not_disturb_it(plane):
    bpy.ops.ed.undo_push(message="predicted")
    plane.gid.amplitude = 0.5
    bpy.ops.ed.undo_push(message="changed")
    run = started(plane)
    bpy.ops.ed.undo()
    assert finished(run).state == "DONE"
    plane = bpy.data.objects["p"]  # the one from before is gone with the undo
    assert plane.gid.display == "BAKED" and len(list(frames_of(plane).glob("*.png"))) == 4
    from blender_gid.adapters import bakes

    assert bakes.out_of_date(plane, bpy.context.scene)  # baked with the amplitude that was undone


def test_a_plane_deleted_during_its_bake_is_told(plane):
    run = started(plane)
    bpy.data.objects.remove(plane)
    job = finished(run)
    assert job.state == "FAILED" and "p was deleted meanwhile" in str(job.error)


def test_a_plane_renamed_during_its_bake_is_found(plane):
    run = started(plane)
    plane.name = "Renamed"
    assert finished(run).state == "DONE" and plane.gid.display == "BAKED"


def test_a_second_bake_waits_for_the_first(plane, fake_engine):
    fake_engine("slow")
    run = started(plane)
    assert not bpy.ops.gid.bake.poll()
    with pytest.raises(Exception, match="still running"):
        started(plane)
    bpy.ops.gid.cancel()
    assert finished(run).state == "CANCELLED" and bpy.ops.gid.bake.poll()


# --- the photo --------------------------------------------------------------------------------------------------


def test_a_photo_replaced_by_one_of_another_shape_is_refused(plane):
    write_png(Path(bpy.path.abspath("//p.png")), photo(32, 32))
    with pytest.raises(RuntimeError, match=r"p\.png is now 32 × 32 pixels, and the plane was made for 48 × 32"):
        bpy.ops.gid.bake()
    assert not frames_of(plane).exists()
    write_png(Path(bpy.path.abspath("//p.png")), photo(48, 32))
    assert bpy.ops.gid.bake() == {"FINISHED"}


def test_a_larger_scan_of_the_same_photo_is_taken_and_baked_anew(plane):
    bpy.ops.gid.bake()
    write_png(Path(bpy.path.abspath("//p.png")), photo(97, 65))  # twice as large but for rounding
    from blender_gid.adapters import bakes

    assert bakes.out_of_date(plane, bpy.context.scene)
    assert bpy.ops.gid.bake() == {"FINISHED"} and tuple(plane.gid.photo_size) == (97, 65)


def test_a_photo_that_became_unreadable(plane):
    Path(bpy.path.abspath("//p.png")).write_bytes(b"no photo")
    with pytest.raises(RuntimeError, match="can't be read any more"):
        bpy.ops.gid.bake()


@pytest.mark.parametrize("name", ["é photo", "花の写真", "a b"])
def test_a_photo_that_was_renamed_is_found_again_by_its_new_path(plane, name):
    old = Path(bpy.path.abspath("//p.png"))
    old.rename(old.with_name(f"{name}.png"))
    with pytest.raises(RuntimeError, match=r"p\.png does not exist. Put it back, or correct its path"):
        bpy.ops.gid.bake()
    plane.active_material.node_tree.nodes["GID Photo"].image.filepath = f"//{name}.png"
    assert bpy.ops.gid.bake() == {"FINISHED"}


# --- the .blend file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["moved é", "花"])
def test_a_folder_that_moved_with_all_its_files_goes_on(plane, tmp_path, name):
    bpy.ops.gid.bake()
    bpy.ops.wm.save_mainfile()
    folder = Path(bpy.data.filepath).parent
    bpy.ops.wm.read_homefile(use_empty=True)
    folder.rename(tmp_path / name)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / name / "f.blend"))
    plane = bpy.data.objects["p"]
    assert not plane.gid.failed and plane.active_material.node_tree.nodes.active.name == "GID Baked"
    bpy.context.view_layer.objects.active = plane
    assert bpy.ops.gid.bake() == {"FINISHED"} and str(frames_of(plane)).startswith(str(tmp_path / name))


def test_a_blend_file_that_moved_alone_shows_no_magenta_and_says_why(plane, tmp_path):
    plane.active_material.node_tree.nodes["GID Photo"].image.pack()
    bpy.ops.gid.bake()
    bpy.ops.wm.save_mainfile()
    (tmp_path / "alone").mkdir()
    shutil.move(bpy.data.filepath, tmp_path / "alone" / "f.blend")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "alone" / "f.blend"))
    plane = bpy.data.objects["p"]
    assert plane.active_material.node_tree.nodes.active.name == "GID Photo"
    assert "4 baked frames are missing" in plane.gid.status
    bpy.context.view_layer.objects.active = plane
    with pytest.raises(RuntimeError, match=r"motion file .* does not exist. Predict the motion again"):
        bpy.ops.gid.bake()
    assert bpy.ops.gid.predict() == {"FINISHED"} and bpy.ops.gid.bake() == {"FINISHED"}


# --- Blender without numpy --------------------------------------------------------------------------------------


def test_a_blender_without_numpy_says_so_on_the_button_and_the_command_line(tmp_path):
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "import bpy, addon_utils\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "assert addon_utils.enable('blender_gid') is not None\n"
        "from blender_gid.operators.farm import bake_command\n"
        "assert not bpy.ops.gid.bake.poll()\n"
        "print('CODE', bake_command([]))\n"
        "try: bpy.ops.gid.bake()\n"
        "except RuntimeError as error: print('SAYS', error)\n"
        "sys.stdout.flush(); import os; os._exit(0)\n"  # see examples/bake.py
    )
    environ = os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "CODE 1" in done.stdout and done.stdout.count("lacks numpy") == 2
