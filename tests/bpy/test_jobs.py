"""Predict, bake and link through an engine that answers, misbehaves or dies; then render without the add-on."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from pictures import photo, write_png


@pytest.fixture
def plane(tmp_path, fake_engine):
    return new_plane(tmp_path)


def new_plane(tmp_path, channels=3):
    """An imported photo in a saved file, named as people name things."""
    folder = tmp_path / "d é 花"
    folder.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "f.blend"))
    bpy.ops.gid.import_photo(filepath=str(write_png(folder / "ph é.png", photo(channels=channels))))
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 3, 8
    plane = bpy.context.object
    plane.gid.loop_frames = 4
    return plane


def photo_of(plane):
    return Path(bpy.path.abspath(plane.active_material.node_tree.nodes["GID Photo"].image.filepath))


def folder_of(plane):
    return Path(bpy.path.abspath("//gid")) / plane.gid.folder


def frames_of(plane, version="v001"):
    return folder_of(plane) / version / "frames"


def test_predict_keeps_the_motion_beside_the_file_and_plays_the_preview(plane):
    plane.gid.seed = 7
    assert bpy.ops.gid.predict() == {"FINISHED"}
    assert plane.gid.motion == "//gid/ph é/ph é.motion.safetensors"
    assert plane.gid.display == "PREVIEW" and not plane.gid.failed
    assert plane.modifiers["GID Preview"].show_render


def test_bake_renders_one_loop_and_shows_it(plane):
    bpy.ops.gid.predict()
    assert bpy.ops.gid.bake() == {"FINISHED"}
    frames = sorted(p.name for p in (frames_of(plane)).iterdir())
    assert frames == [f"ph é_{n:04d}.png" for n in (3, 4, 5, 6)]
    score = json.loads((folder_of(plane) / "v001" / "score.json").read_text())
    assert (score["loop_frames"], score["rest_frame"]) == (4, 1)
    assert plane.gid.display == "BAKED" and not plane.modifiers["GID Preview"].show_render
    image = plane.active_material.node_tree.nodes.active.image
    assert image.source == "SEQUENCE" and image.filepath == "//gid/ph é/v001/frames/ph é_0003.png"


def test_bake_takes_the_scenes_range_where_the_motion_does_not_repeat(plane):
    bpy.ops.gid.predict()
    bpy.ops.gid.add_impulse()
    bpy.ops.gid.bake()
    assert len(list((frames_of(plane)).iterdir())) == 6
    user = plane.active_material.node_tree.nodes.active.image_user
    assert not user.use_cyclic


def test_undo_after_a_job_and_a_job_after_undo(plane):
    bpy.ops.ed.undo_push(message="imported")
    bpy.ops.gid.predict()
    bpy.ops.ed.undo_push(message="predicted")
    bpy.ops.ed.undo()
    plane = bpy.data.objects["ph é"]
    assert plane.gid.motion == "" and "GID Preview" not in plane.modifiers
    bpy.ops.ed.redo()
    plane = bpy.data.objects["ph é"]
    bpy.context.view_layer.objects.active = plane
    assert bpy.ops.gid.bake() == {"FINISHED"}


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("dies", "out of memory"),
        ("refuses", "weights are missing. Install the add-on"),
        ("mute", "stopped"),
    ],
)
def test_a_failing_engine_is_told_in_a_sentence_and_the_next_try_works(plane, fake_engine, how, sentence):
    fake_engine(how)
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.gid.predict()
    assert plane.gid.failed and sentence in plane.gid.status
    assert plane.gid.motion == "" and not list(folder_of(plane).iterdir())
    fake_engine("well")
    assert bpy.ops.gid.predict() == {"FINISHED"} and not plane.gid.failed


def test_an_engine_killed_while_it_bakes_leaves_the_plane_as_it_was(plane, fake_engine):
    bpy.ops.gid.predict()
    fake_engine("dies")
    with pytest.raises(RuntimeError, match="stopped in the middle"):
        bpy.ops.gid.bake()
    assert plane.gid.display == "PREVIEW"
    assert "GID Baked" not in plane.active_material.node_tree.nodes
    fake_engine("well")
    assert bpy.ops.gid.bake() == {"FINISHED"}


def test_a_missing_frame_is_named_and_nothing_is_linked(plane, fake_engine):
    bpy.ops.gid.predict()
    fake_engine("skips")
    with pytest.raises(RuntimeError, match=r"_0005\.png is missing"):
        bpy.ops.gid.bake()
    assert plane.gid.display == "PREVIEW"


def test_chatter_of_libraries_is_ignored(plane, fake_engine):
    fake_engine("chatty")
    assert bpy.ops.gid.predict() == {"FINISHED"}


@pytest.mark.parametrize("how", ["slow", "deaf"])
def test_cancel_ends_the_job_even_if_the_engine_is_deaf(plane, fake_engine, monkeypatch, how):
    from blender_gid.adapters import jobs
    from blender_gid.core import job

    monkeypatch.setattr(job, "CANCEL_PATIENCE", 0.1)
    fake_engine(how)
    run = jobs.start("Predicting motion", plane, lambda result: "", "predict")
    assert not bpy.ops.gid.predict.poll()  # a second job is refused while one runs
    with pytest.raises(Exception, match="still running"):
        jobs.start("Baking", plane, lambda result: "", "render")
    assert bpy.ops.gid.cancel() == {"FINISHED"}
    while not run.job.finished:
        run.job.poll()
    assert run.job.state == "CANCELLED" and bpy.ops.gid.predict.poll()


def test_opening_a_file_stops_the_job_and_its_process(plane, fake_engine):
    from blender_gid.adapters import jobs

    fake_engine("slow")
    run = jobs.start("Predicting motion", plane, lambda result: "", "predict")
    client = jobs._client
    bpy.ops.wm.read_homefile(use_empty=True)
    assert run.job.state == "CANCELLED" and client.exit_code is not None


def test_the_engine_dies_with_blender(fake_engine, tmp_path):
    code = (
        "import sys, subprocess, time; p = subprocess.Popen([sys.executable, '-u', sys.argv[1]],"
        "stdin=subprocess.PIPE); print(p.pid, flush=True); time.sleep(60)"
    )
    worker = str(Path(__file__).with_name("fake_worker.py"))
    parent = subprocess.Popen([sys.executable, "-c", code, worker], stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(100):  # the end of its stdin takes a moment to arrive
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            return
        subprocess.run(["sleep", "0.05"])
    pytest.fail("the worker outlived its parent")


def test_a_folder_without_the_right_to_write(plane, monkeypatch):
    from blender_gid.core import paths

    if os.geteuid() == 0:  # root may write anywhere: a file in the folder's place does it for root, too
        (Path(bpy.path.abspath("//")) / "gid").write_text("in the way")
    else:
        os.chmod(bpy.path.abspath("//"), stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(RuntimeError, match="can't be written to"):
        bpy.ops.gid.predict()
    assert plane.gid.failed and paths


def test_a_full_disk_while_baking_leaves_nothing_behind(plane):
    """Every file may have ten bytes: the probe of the folder fits, the score does not."""
    resource = pytest.importorskip("resource")
    bpy.ops.gid.predict()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(RuntimeError, match=r"score\.json could not be written"):
            bpy.ops.gid.bake()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p.name for p in folder_of(plane).iterdir()] == ["ph é.motion.safetensors"]
    assert plane.gid.failed and plane.gid.display == "PREVIEW"


def test_frames_rendered_elsewhere_can_be_linked(plane, tmp_path):
    for frame in (0, 1, 2):
        write_png(tmp_path / f"shot_{frame:04d}.png", photo(shift=frame))
    assert bpy.ops.gid.link_sequence(filepath=str(tmp_path / "shot_0001.png")) == {"FINISHED"}
    node = plane.active_material.node_tree.nodes["GID Baked"]
    assert (plane.gid.baked_first, plane.gid.baked_last, plane.gid.display) == (0, 2, "BAKED")
    assert node.image_user.use_cyclic and node.image_user.frame_duration == 3
    (tmp_path / "shot_0002.png").write_bytes((tmp_path / "shot_0002.png").read_bytes()[:-5])
    with pytest.raises(RuntimeError, match=r"shot_0002\.png is missing or cut off"):
        bpy.ops.gid.link_sequence(filepath=str(tmp_path / "shot_0001.png"))
    with pytest.raises(RuntimeError, match="Choose a baked frame"):
        bpy.ops.gid.link_sequence(filepath=str(tmp_path / "nothing.png"))


def test_an_engine_that_is_not_there(plane, monkeypatch):
    monkeypatch.setenv("GID_ENGINE_PYTHON", "/nowhere/python")
    with pytest.raises(RuntimeError, match="/nowhere/python does not exist"):
        bpy.ops.gid.predict()
    monkeypatch.delenv("GID_ENGINE_PYTHON")
    monkeypatch.setenv("XDG_DATA_HOME", "/nowhere")
    with pytest.raises(RuntimeError, match="not installed"):
        bpy.ops.gid.predict()


def test_a_photo_that_went_away(plane):
    photo_of(plane).unlink()
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.gid.predict()


def test_an_unsaved_file_keeps_its_files_in_the_users_folder(tmp_path, fake_engine, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bpy.ops.gid.import_photo(filepath=str(write_png(tmp_path / "p.png", photo())))
    plane = bpy.context.object
    bpy.ops.gid.predict()
    motion = Path(plane.gid.motion)
    assert motion.is_absolute() and motion.is_file() and not Path("out").exists()
    assert os.environ["BLENDER_USER_RESOURCES"] in str(motion) or "blender_gid" in str(motion)
    bpy.ops.gid.bake()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "f.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "f.blend"))
    plane = bpy.data.objects["p"]
    assert plane.active_material.node_tree.nodes.active.image.has_data or plane.gid.display == "BAKED"
    bpy.context.view_layer.objects.active = plane
    assert bpy.ops.gid.bake() == {"FINISHED"}
    assert Path(bpy.path.abspath("//gid")).is_dir()


def test_saving_elsewhere_keeps_the_motion_and_the_bake(plane, tmp_path):
    bpy.ops.gid.predict()
    bpy.ops.gid.bake()
    bpy.ops.wm.save_mainfile()
    original = bpy.data.filepath
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(elsewhere / "copy.blend"), copy=True)
    assert plane.gid.motion == "//gid/ph é/ph é.motion.safetensors"  # this file stayed where it was
    for path in (str(elsewhere / "copy.blend"), original):
        bpy.ops.wm.open_mainfile(filepath=path)
        plane = bpy.data.objects["ph é"]
        assert Path(bpy.path.abspath(plane.gid.motion)).is_file()
        assert bpy.ops.gid.update_preview() == {"FINISHED"}
        baked = plane.active_material.node_tree.nodes["GID Baked"].image
        assert Path(bpy.path.abspath(baked.filepath)).is_file()
    bpy.ops.wm.save_as_mainfile(filepath=str(elsewhere / "moved.blend"))
    assert Path(bpy.path.abspath(bpy.data.objects["ph é"].gid.motion)).is_file()


def test_a_packed_photo_is_written_out_for_the_engine(plane):
    plane.active_material.node_tree.nodes["GID Photo"].image.pack()
    photo_of(plane).unlink()
    assert bpy.ops.gid.predict() == {"FINISHED"} and bpy.ops.gid.bake() == {"FINISHED"}


def test_two_planes_and_a_duplicate_keep_apart(plane, tmp_path):
    bpy.ops.gid.predict()
    bpy.ops.gid.bake()
    bpy.ops.object.duplicate()
    copy = bpy.context.object
    assert copy != plane
    copy.gid.seed = 5
    bpy.ops.gid.predict()
    bpy.ops.gid.bake()
    assert copy.gid.folder != plane.gid.folder and copy.gid.motion != plane.gid.motion
    groups = [o.modifiers["GID Preview"].node_group for o in (plane, copy)]
    assert groups[0] != groups[1]
    images = [o.active_material.node_tree.nodes["GID Baked"].image.filepath for o in (plane, copy)]
    assert images[0] != images[1]


def test_a_mask_reaches_the_engine_as_painted(plane):
    mask = bpy.data.images.new("mask", 6, 4)
    pixels = np.zeros((4, 6, 4), np.float32)
    pixels[3, 0] = 1  # the top left corner: Blender's rows start at the bottom
    mask.pixels.foreach_set(pixels.ravel())
    plane.gid.mask = mask
    bpy.ops.gid.predict()
    written = bpy.data.images.load(str(folder_of(plane) / "mask.png"))
    values = np.array(written.pixels).reshape(4, 6, 4)[::-1, :, 0]
    assert values[0, 0] == 1 and values.sum() == 1


def read(path):
    """RGBA uint8 [H, W, 4] of a PNG, top row first, by Blender's own reader."""
    image = bpy.data.images.load(str(path))
    pixels = np.array(image.pixels).reshape(image.size[1], image.size[0], 4)[::-1]
    bpy.data.images.remove(image)
    return np.round(pixels * 255).astype(np.uint8)


@pytest.mark.parametrize("engine", ["CYCLES", "BLENDER_WORKBENCH"])
@pytest.mark.parametrize("channels", [3, 4])
def test_the_bake_renders_where_the_addon_is_missing(fake_engine, tmp_path, engine, channels):
    plane = new_plane(tmp_path, channels)
    bpy.ops.gid.predict()
    bpy.ops.gid.bake()
    bpy.ops.wm.save_mainfile()
    baked = {n: read(frames_of(plane) / f"ph é_{n:04d}.png") for n in (3, 4, 5, 6)}
    script = str(Path(__file__).with_name("render_alone.py"))
    command = [sys.executable, script, bpy.data.filepath, str(tmp_path), engine, "2", "9", "48", "32"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    for frame in range(2, 10):  # the loop is 3…6, before and after it goes on
        rendered = read(tmp_path / f"r_{frame:04d}.png").astype(int)
        expected = baked[3 + (frame - 3) % 4].astype(int)
        seen = expected[..., 3] == 255
        assert np.abs(rendered - expected)[seen].max() <= 2, frame  # rounding of sRGB
        assert channels == 3 or (not seen.all() and not rendered[~seen].any())
