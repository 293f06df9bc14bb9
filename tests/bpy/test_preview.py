"""The moving grid is the engine's displacement at its vertices, at any frame, and follows the controls."""

import subprocess
import sys
from math import pi
from pathlib import Path

import bpy
import numpy as np
import pytest
from fake_worker import sway
from pictures import photo, write_png

from gid_engine.motion import Performance, Score, border_taper, load_motion, save_motion


@pytest.fixture
def plane(tmp_path):
    """A photo with a grid of one face for each cell of its modes: vertices lie on the corners of cells."""
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 60
    bpy.ops.gid.import_photo(filepath=str(write_png(tmp_path / "p.png", photo(48, 32))), cells=48, height=2.0)
    plane = bpy.context.object
    save_motion(tmp_path / "p.motion.safetensors", sway(h=32, w=48))
    plane.gid.motion = str(tmp_path / "p.motion.safetensors")
    plane.gid.loop_frames = 30
    return plane


def moved(plane, frame):
    """How far each vertex of the evaluated mesh is from its rest, in object space: [n, 3]."""
    bpy.context.scene.frame_set(frame)
    evaluated = plane.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    positions = [np.array([v.co for v in mesh.vertices]) for mesh in (evaluated, plane.data)]
    return positions[0] - positions[1]


def expected(plane, score, frame, masks=()):
    """The engine's displacement at the grid's inner vertices, in object space: [31, 47, 2], top row first."""
    performance = Performance(score, load_motion(plane.gid.motion), masks)
    field = performance.modes.displacement(performance.modal_coordinates(frame))
    # Vertices lie at cell corners: the mean of the four cells around one is the bilinear value there.
    corners = (field[:-1, :-1] + field[1:, :-1] + field[:-1, 1:] + field[1:, 1:]) / 4
    return corners * taper()[..., None] * np.array([3.0, -3.0])  # the plane is 3 units wide


def taper():
    """The renderer's fade at the border, on its grid of 1024 x 683, at the inner vertices."""
    fine = border_taper(683, 1024)
    y, x = np.arange(1, 32) / 32 * 683 - 0.5, np.arange(1, 48) / 48 * 1024 - 0.5
    rows = np.stack([np.interp(x, np.arange(1024), row) for row in fine])
    return np.stack([np.interp(y, np.arange(683), column) for column in rows.T], axis=1)


def inner(values):
    return values.reshape(33, 49, 3)[::-1][1:-1, 1:-1]


@pytest.mark.parametrize("frame", [1, 7, 31, 44, 200, -5])
def test_evaluated_grid_is_the_engines_displacement(plane, frame):
    bpy.ops.gid.update_preview()
    score = Score(fps=24, loop_frames=30, rest_frame=1)
    difference = inner(moved(plane, frame))[..., :2] - expected(plane, score, frame)
    assert np.abs(difference).max() < 1e-6 * 3  # float32 keys and vertices
    assert moved(plane, 16).any() and not moved(plane, 1).any()  # it moves, and rests as the photo


def test_the_timeline_stays_clear_for_the_artists_keys(plane):
    from blender_gid.adapters import compat

    bpy.ops.gid.update_preview()
    curves = compat.fcurves(plane.modifiers["GID Preview"].node_group)
    assert curves and not any(len(curve.keyframe_points) for curve in curves)
    assert plane.animation_data is None


def test_a_slider_moves_the_grid_at_once(plane):
    bpy.ops.gid.update_preview()
    before = moved(plane, 10)
    plane.gid.amplitude = 2
    assert np.allclose(moved(plane, 10), 2 * before, atol=1e-6)


def test_keys_wind_and_touches_play_in_the_grid(plane):
    gid = plane.gid
    for frame, value in ((1, 0.0), (40, 2.0)):
        gid.amplitude = value
        gid.keyframe_insert("amplitude", frame=frame)
    gid.wind_strength, gid.wind_direction = 0.7, pi / 2
    bpy.context.scene.frame_set(12)
    bpy.ops.gid.add_impulse(location=(0.3, 0.8), direction=pi / 2, strength=0.05)
    bpy.ops.gid.update_preview()
    from blender_gid.adapters.controls import read_controls

    score = read_controls(plane, bpy.context.scene).score()
    direction = [curve.at(1) for curve in score.wind.direction]
    assert direction == pytest.approx([0, -1], abs=1e-6)  # up is −y in the photo
    assert (score.impulses[0].x, score.impulses[0].y) == pytest.approx((0.3, 0.2))
    for frame in (1, 20, 60):
        assert np.abs(inner(moved(plane, frame))[..., :2] - expected(plane, score, frame)).max() < 1e-5


def test_applying_rotation_and_scale_keeps_the_motion(plane):
    bpy.ops.gid.update_preview()
    world = np.array(plane.matrix_world.to_3x3())
    before = moved(plane, 10) @ world.T
    plane.scale = (2, 2, 2)
    bpy.ops.object.transform_apply(rotation=True, scale=True)
    bpy.ops.gid.update_preview()
    assert np.allclose(moved(plane, 10), 2 * before, atol=1e-5)


def test_only_what_is_shown_is_moved(plane):
    bpy.ops.gid.update_preview()
    plane.gid.display = "PHOTO"
    assert not moved(plane, 10).any()
    plane.gid.display = "PREVIEW"
    assert moved(plane, 10).any()


def test_motion_file_that_is_damaged_or_gone(plane):
    path = Path(plane.gid.motion)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RuntimeError, match=r"p\.motion\.safetensors"):
        bpy.ops.gid.update_preview()
    path.unlink()
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.gid.update_preview()
    assert plane.gid.failed and "GID Preview" not in plane.modifiers


def test_preview_plays_where_the_addon_is_missing(plane, tmp_path):
    bpy.ops.gid.update_preview()
    here = moved(plane, 17)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "f.blend"))
    code = (
        "import bpy, sys, numpy as np\n"
        "bpy.ops.wm.open_mainfile(filepath=sys.argv[1]); bpy.context.scene.frame_set(17)\n"
        "assert not hasattr(bpy.types.Object, 'gid'); o = bpy.data.objects['p']\n"
        "e = o.evaluated_get(bpy.context.evaluated_depsgraph_get()).data\n"
        "np.save(sys.argv[2], [[list(v.co) for v in m.vertices] for m in (e, o.data)])"
    )
    subprocess.run(
        [sys.executable, "-c", code, bpy.data.filepath, str(tmp_path / "a.npy")], check=True, timeout=60
    )
    there = np.load(tmp_path / "a.npy")
    assert np.allclose(there[0] - there[1], here, atol=1e-6)
