"""Analyse Clip: through an engine that answers, refuses or waits, and with the real one where it is installed."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from pictures import photo, write_png

from gid_engine.motion import load_motion

ROOT = Path(__file__).resolve().parents[2]
IN_PLACE = ROOT / ".venvs" / "engine" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
PYTHON = Path(os.environ.get("GID_ENGINE_PYTHON") or IN_PLACE)
real_engine = pytest.mark.skipif(not PYTHON.is_file(), reason="needs the engine's Python")


@pytest.fixture
def folder(tmp_path):
    """A saved file's."""
    folder = tmp_path / "d é 花"
    folder.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "f.blend"))
    return folder


@pytest.fixture
def clip(tmp_path):
    """Something that a stand-in takes for a clip."""
    path = tmp_path / "sway é.mp4"
    path.write_bytes(b"\0")
    return path


def imported(folder, channels=3):
    bpy.ops.gid.import_photo(filepath=str(write_png(folder / "p.png", photo(96, 64, channels=channels))))
    return bpy.context.object


def test_the_clips_first_frame_becomes_a_plane_that_moves(folder, clip, fake_engine):
    assert bpy.ops.gid.analyse_clip(filepath=str(clip)) == {"FINISHED"}
    plane = bpy.context.object
    assert plane.name == "sway é" and plane.gid.motion == "//gid/sway é/sway é.motion.safetensors"
    assert (folder / "gid" / plane.gid.folder / "sway é.png").is_file()
    assert plane.gid.display == "PREVIEW" and plane.modifiers["GID Preview"].show_render
    # The stand-in's notes say what it was asked for, and the panel shows them.
    assert plane.gid.status == "The motion of the clip plays. start 0 seconds 5.0 stabilise False"


def test_a_second_look_at_a_clip_leaves_the_first_as_it_is(folder, clip, fake_engine):
    bpy.ops.gid.analyse_clip(filepath=str(clip))
    first = bpy.context.object
    bpy.ops.gid.analyse_clip(filepath=str(clip), start=20)
    second = bpy.context.object
    assert first.gid.motion != second.gid.motion and first.gid.folder != second.gid.folder


def test_in_a_file_that_is_not_saved_the_users_folder_keeps_it(clip, fake_engine):
    assert bpy.ops.gid.analyse_clip(filepath=str(clip)) == {"FINISHED"}
    assert Path(bpy.context.object.gid.motion).is_file()


def test_the_active_photo_takes_the_motion_through_its_mask(folder, clip, fake_engine):
    plane = imported(folder)
    plane.gid.mask = bpy.data.images.new("mask", 8, 8)
    options = {"onto": True, "start": 7, "seconds": 3, "stabilise": True}
    assert bpy.ops.gid.analyse_clip(filepath=str(clip), **options) == {"FINISHED"}
    assert bpy.context.object == plane and plane.gid.motion == "//gid/p/p.motion.safetensors"
    assert plane.gid.display == "PREVIEW"
    assert plane.gid.status.endswith("start 7 seconds 3.0 stabilise True masked")


def test_onto_a_photo_there_must_be_one(folder, clip, fake_engine):
    with pytest.raises(RuntimeError, match="No photo plane is active"):
        bpy.ops.gid.analyse_clip(filepath=str(clip), onto=True)


def test_a_clip_that_is_refused_leaves_nothing_behind(folder, clip, fake_engine):
    fake_engine("refuses")
    with pytest.raises(RuntimeError, match="weights are missing"):
        bpy.ops.gid.analyse_clip(filepath=str(clip))
    assert not bpy.data.objects and not list((folder / "gid").iterdir())


def test_a_cancelled_analysis_leaves_nothing_behind(folder, clip, fake_engine):
    from blender_gid.adapters import jobs

    fake_engine("slow")

    def cancel_once_it_runs():
        while jobs.running() is None or not jobs.running().job.fraction:
            time.sleep(0.01)
        jobs.running().job.cancel()

    thread = threading.Thread(target=cancel_once_it_runs)
    thread.start()
    assert bpy.ops.gid.analyse_clip(filepath=str(clip)) == {"CANCELLED"}
    thread.join()
    assert not bpy.data.objects and not list((folder / "gid").iterdir())


def test_closing_the_file_browser_is_no_error():
    from blender_gid.operators.clip import GID_OT_analyse_clip as operator

    stand_in = SimpleNamespace(_run=operator._run, _sweep=lambda: None)  # operators can't be made by hand
    operator.cancel(stand_in, bpy.context)


def test_a_photo_in_edit_mode_waits(folder, clip, fake_engine):
    imported(folder)
    bpy.ops.object.mode_set(mode="EDIT")
    assert not bpy.ops.gid.analyse_clip.poll()


def test_it_is_found_where_pictures_are_added(folder):
    for menu in (bpy.types.TOPBAR_MT_file_import, bpy.types.VIEW3D_MT_image_add):
        assert any(draw.__name__ == "_clip_entry" for draw in menu._dyn_ui_initialize())


# --- the real engine --------------------------------------------------------------------------------------------

MAKE_CLIP = """
    import sys
    sys.path.insert(0, sys.argv[1])
    import cv2, numpy as np
    from pathlib import Path
    from gid_engine.media import VideoWriter
    rng = np.random.default_rng(0)
    still = cv2.GaussianBlur(rng.integers(0, 256, (128, 192, 3), np.uint8), (0, 0), 1.5)
    still = cv2.normalize(still, None, 0, 255, cv2.NORM_MINMAX)
    rows, columns = np.mgrid[0:128, 0:192].astype(np.float32)
    bump = np.exp(-((rows - 64) ** 2 + (columns - 96) ** 2) / 900)
    with VideoWriter(Path(sys.argv[2]), (192, 128), 30) as video:
        for frame in range(150):
            shift = 3 * np.sin(2 * np.pi * 0.6 * frame / 30) * bump
            video.write(cv2.remap(still, np.float32(columns - shift), rows, cv2.INTER_LINEAR))
"""


@pytest.fixture
def swaying(tmp_path, monkeypatch):
    monkeypatch.setenv("GID_ENGINE_PYTHON", str(PYTHON))
    path = tmp_path / "clip é.mp4"
    command = [PYTHON, "-c", textwrap.dedent(MAKE_CLIP), str(ROOT), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return path


@real_engine
def test_the_motion_of_a_clip_drives_its_own_first_frame(folder, swaying):
    assert bpy.ops.gid.analyse_clip(filepath=str(swaying), seconds=4) == {"FINISHED"}
    found = bpy.context.object
    assert tuple(found.gid.photo_size) == (192, 128) and found.gid.display == "PREVIEW"
    rms = load_motion(bpy.path.abspath(found.gid.motion)).rms()
    height, width = rms.shape
    middle = rms[height // 2 - 4 : height // 2 + 4, width // 2 - 4 : width // 2 + 4].mean()
    assert middle * 192 == pytest.approx(3 / 2**0.5, rel=0.35)
    assert rms[: height // 6].mean() < 0.1 * middle


@real_engine
def test_the_motion_of_a_clip_drives_another_photo(folder, swaying):
    plane = imported(folder, channels=4)
    assert bpy.ops.gid.analyse_clip(filepath=str(swaying), seconds=4, onto=True) == {"FINISHED"}
    assert bpy.context.object == plane and plane.gid.display == "PREVIEW"
    assert load_motion(bpy.path.abspath(plane.gid.motion)).photo_size == (96, 64)


@real_engine
def test_what_is_no_clip_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("GID_ENGINE_PYTHON", str(PYTHON))
    (tmp_path / "no.mp4").write_bytes(b"no clip")
    for name in ("no.mp4", "gone.mp4"):
        with pytest.raises(RuntimeError, match=name):
            bpy.ops.gid.analyse_clip(filepath=str(tmp_path / name))
