"""The add-on with the real engine: GID_ENGINE_PYTHON, or `.venvs/engine` in the project. Skipped without."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
from fake_worker import sway
from pictures import photo, write_png

from gid_engine.motion import save_motion

ROOT = Path(__file__).resolve().parents[2]
IN_PLACE = ROOT / ".venvs" / "engine" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
PYTHON = Path(os.environ.get("GID_ENGINE_PYTHON") or IN_PLACE)
WEIGHTS = list((ROOT / "gid_engine" / "prior" / "weights").glob("*.safetensors"))

pytestmark = pytest.mark.skipif(not PYTHON.is_file(), reason="needs the engine's Python")


@pytest.fixture
def plane(tmp_path, monkeypatch):
    monkeypatch.setenv("GID_ENGINE_PYTHON", str(PYTHON))
    folder = tmp_path / "d é 花"
    folder.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "f.blend"))
    bpy.ops.gid.import_photo(filepath=str(write_png(folder / "p.png", photo(96, 64, channels=4))))
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 30
    bpy.context.scene.render.fps = 4  # a loop of few frames must last long enough for a slow sway
    plane = bpy.context.object
    plane.gid.loop_frames = 6
    return plane


@pytest.fixture
def moving(plane, tmp_path):
    """The plane with a motion, so that baking needs no weights."""
    save_motion(tmp_path / "p.motion.safetensors", sway(h=32, w=48))
    plane.gid.motion = str(tmp_path / "p.motion.safetensors")
    return plane


def frames(plane):
    return Path(bpy.path.abspath("//gid")) / plane.gid.folder / "v001" / "frames"


def read(path):
    image = bpy.data.images.load(str(path))
    pixels = np.array(image.pixels)
    bpy.data.images.remove(image)
    return pixels


def test_bake_starts_with_the_photo_itself_and_then_moves(moving):
    assert bpy.ops.gid.bake() == {"FINISHED"}
    still = read(bpy.path.abspath(moving.active_material.node_tree.nodes["GID Photo"].image.filepath))
    first, later = (read(frames(moving) / f"p_{n:04d}.png") for n in (1, 3))
    assert np.array_equal(first, still) and not np.array_equal(later, still)


def test_a_second_bake_renders_only_what_changed(moving):
    bpy.ops.gid.bake()
    bpy.ops.gid.bake()
    assert "6 of them as they were" in moving.gid.status
    moving.gid.amplitude = 0.5
    bpy.ops.gid.bake()
    assert "1 of them as it was" in moving.gid.status  # the rest frame


def test_the_worker_killed_in_the_middle_then_resumed(moving):
    from blender_gid.adapters import jobs

    moving.gid.loop_frames = 30

    def kill():
        while not list(frames(moving).glob("p_*.png")):
            time.sleep(0.005)
        jobs._client._process.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(RuntimeError, match="stopped in the middle"):
        bpy.ops.gid.bake()
    thread.join()
    done = list(frames(moving).glob("p_*.png"))
    assert 0 < len(done) < 30 and all(read(path).size == 96 * 64 * 4 for path in done)
    assert moving.gid.display != "BAKED"
    assert bpy.ops.gid.bake() == {"FINISHED"}
    assert not list(frames(moving).glob("*.part")) and len(list(frames(moving).glob("p_*.png"))) == 30


def test_a_damaged_motion_is_told_by_name(moving):
    path = Path(moving.gid.motion)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RuntimeError, match=r"p\.motion\.safetensors can't be used"):
        bpy.ops.gid.bake()


def test_engine_reports_itself(plane):
    if WEIGHTS:
        assert bpy.ops.gid.test_engine() == {"FINISHED"}
    else:
        with pytest.raises(RuntimeError, match="weights"):
            bpy.ops.gid.test_engine()


@pytest.mark.skipif(not WEIGHTS, reason="needs the prior's weights")
def test_predict_then_play(plane):
    assert bpy.ops.gid.predict() == {"FINISHED"}
    assert plane.gid.display == "PREVIEW" and Path(bpy.path.abspath(plane.gid.motion)).is_file()
    bpy.context.scene.frame_set(3)
    evaluated = plane.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    assert any((a.co - b.co).length > 0 for a, b in zip(evaluated.vertices, plane.data.vertices, strict=True))


@pytest.mark.skipif(not WEIGHTS, reason="needs the prior's weights")
def test_variations_are_predicted_and_one_is_chosen(plane):
    assert bpy.ops.gid.predict_variations(count=2) == {"FINISHED"}
    assert [v.seed for v in plane.gid.variations] == [0, 1]
    assert bpy.ops.gid.choose_variation(index=1) == {"FINISHED"}
    assert plane.gid.seed == 1 and plane.gid.motion == plane.gid.variations[1].motion
    assert plane.gid.display == "PREVIEW"
    pictures = [p.stat().st_size for p in Path(bpy.path.abspath(plane.gid.motion)).parent.glob("*.png")]
    assert len(pictures) == 2 and min(pictures) > 100
    Path(bpy.path.abspath(plane.gid.variations[0].motion)).unlink()
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.gid.choose_variation(index=0)
    assert plane.gid.seed == 1  # as before


def test_a_box_that_fails_leaves_no_region(plane):
    Path(bpy.path.abspath("//p.png")).write_bytes(b"no picture")
    with pytest.raises(RuntimeError, match=r"p\.png"):
        bpy.ops.gid.select_region(box=(0.1, 0.1, 0.6, 0.6))
    assert not plane.gid.regions


def test_a_box_makes_a_region(plane):
    assert bpy.ops.gid.select_region(box=(0.0, 0.6, 0.3, 1.0)) == {"FINISHED"}
    (region,) = plane.gid.regions
    assert region.source == "IMAGE" and Path(bpy.path.abspath(region.file)).is_file()


# --- what is baked to -------------------------------------------------------------------------------------------


def test_every_format_is_written_linked_and_has_its_colours(moving):
    for chosen, suffix in (("PNG", ".png"), ("EXR", ".exr"), ("JPEG", ".jpg")):
        moving.gid.output.file_format = chosen
        assert bpy.ops.gid.bake() == {"FINISHED"}
        assert len(list(frames(moving).glob(f"p_*{suffix}"))) == 6
        image = moving.active_material.node_tree.nodes.active.image
        assert image.filepath.endswith(suffix)
        assert ("Linear" in image.colorspace_settings.name) == (suffix == ".exr"), suffix


def test_motion_blur_smears_what_moves_and_keeps_what_rests(moving):
    bpy.ops.gid.bake()
    sharp = read(frames(moving) / "p_0003.png").reshape(64, 96, 4)
    moving.gid.output.motion_blur, moving.gid.output.blur_samples = True, 4
    bpy.ops.gid.bake()
    assert not moving.gid.status.count("as they were")
    blurred = read(frames(moving) / "p_0003.png").reshape(64, 96, 4)
    assert np.abs(np.diff(blurred[..., :3], axis=1)).sum() < np.abs(np.diff(sharp[..., :3], axis=1)).sum()


def test_proxy_video_and_the_motion_itself(moving):
    moving.gid.output.size, moving.gid.output.video = "HALF", True
    bpy.ops.gid.bake()
    folder = frames(moving).parent
    assert read(folder / "frames_half" / "p_0001.png").size == 48 * 32 * 4
    assert (folder / "p_half.mp4").stat().st_size > 500
    for kind in ("displacement", "stmap"):
        assert bpy.ops.gid.export_motion(kind=kind) == {"FINISHED"}
        files = sorted((folder / kind).glob("p_*.exr"))
        assert len(files) == 6 and str(folder / kind) in moving.gid.status
        assert (b"Motion.X" in files[2].read_bytes()[:4000]) == (kind == "displacement")


# --- faults -----------------------------------------------------------------------------------------------------


def test_the_output_folder_removed_in_mid_bake_is_told_and_made_again(moving):
    moving.gid.loop_frames = 30

    def remove():
        while len(list(frames(moving).glob("p_*.png"))) < 3:
            time.sleep(0.005)
        shutil.rmtree(frames(moving), ignore_errors=True)

    thread = threading.Thread(target=remove)
    thread.start()
    # It goes between two frames, or while one is being written.
    with pytest.raises(
        RuntimeError, match=r"has gone while the others were made|could not be written: No such file"
    ):
        bpy.ops.gid.bake()
    thread.join()
    assert moving.gid.failed and moving.gid.display != "BAKED"
    assert bpy.ops.gid.bake() == {"FINISHED"} and len(list(frames(moving).glob("p_*.png"))) == 30


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(os, "geteuid") or os.geteuid(), reason="needs the right to mount"
)
def test_a_disk_that_fills_up_in_mid_bake_keeps_what_is_done(moving, tmp_path):
    """A disk of 1 MB, of which another program takes the rest as soon as baking has begun."""
    disk = Path(bpy.path.abspath("//gid"))
    disk.mkdir(parents=True, exist_ok=True)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True
    ).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        moving.gid.loop_frames = 30
        ballast = disk / "ballast"

        def fill():
            while not list(frames(moving).glob("p_*.png")):
                time.sleep(0.005)
            with contextlib.suppress(OSError):
                ballast.write_bytes(bytes(1 << 20))

        thread = threading.Thread(target=fill)
        thread.start()
        with pytest.raises(RuntimeError, match="There is no room on the disk to write"):
            bpy.ops.gid.bake()
        thread.join()
        done = list(frames(moving).glob("p_*.png"))
        assert done and not list(frames(moving).glob(".*part*"))
        assert all(read(path).size == 96 * 64 * 4 for path in done)  # whole, every one
        assert moving.gid.display != "BAKED"
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
