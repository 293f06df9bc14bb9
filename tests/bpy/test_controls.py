"""Keyframes, drivers and NLA strips of the controls reach the score as Blender plays them."""

import bpy
import pytest
from pictures import photo, write_png

from blender_gid.adapters.controls import bake_range, read_controls
from blender_gid.core.engine import GidError


@pytest.fixture
def plane(tmp_path):
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 20
    bpy.ops.gid.import_photo(filepath=str(write_png(tmp_path / "p.png", photo())), cells=4)
    bpy.context.object.gid.loop_frames = 10
    return bpy.context.object


def played(plane, name):
    """What Blender itself shows at frames 1…20."""
    scene = bpy.context.scene
    values = []
    for frame in range(1, 21):
        scene.frame_set(frame)
        values.append(getattr(plane.gid, name))
    scene.frame_set(1)
    return values


def scored(plane, name):
    curve = getattr(read_controls(plane, bpy.context.scene).score(), name)
    return [curve.at(frame) for frame in range(1, 21)]


def key(plane, *keys, name="amplitude"):
    for frame, value in keys:
        setattr(plane.gid, name, value)
        plane.gid.keyframe_insert(name, frame=frame)


def test_fixed_controls_stay_numbers(plane):
    plane.gid.speed = 0.5
    assert read_controls(plane, bpy.context.scene).score().to_dict()["speed"] == 0.5


@pytest.mark.parametrize("name", ["amplitude", "speed"])
def test_keyframes(plane, name):
    key(plane, (1, 0.0), (15, 3.0), name=name)
    assert scored(plane, name) == pytest.approx(played(plane, name), abs=1e-6)


def test_muted_keyframes_do_not_count(plane):
    key(plane, (1, 0.0), (15, 3.0))
    from blender_gid.adapters import compat

    compat.fcurves(plane)[0].mute = True
    assert len(set(scored(plane, "amplitude"))) == 1


def test_driver(plane):
    bpy.context.scene.frame_set(5)
    driver = plane.gid.driver_add("amplitude").driver
    driver.type = "SUM"
    variable = driver.variables.new()
    variable.type = "SINGLE_PROP"
    variable.targets[0].id_type = "SCENE"
    variable.targets[0].id = bpy.context.scene
    variable.targets[0].data_path = "frame_current"
    assert scored(plane, "amplitude") == pytest.approx(played(plane, "amplitude"))
    assert bpy.context.scene.frame_current == 1


def test_nla(plane):
    key(plane, (1, 0.0), (10, 4.0))
    action = plane.animation_data.action
    track = plane.animation_data.nla_tracks.new()
    strip = track.strips.new("sway", 5, action)
    if hasattr(strip, "action_slot") and strip.action_slot is None:
        strip.action_slot = action.slots[0]
    plane.animation_data.action = None
    assert len(set(played(plane, "amplitude"))) > 5
    assert scored(plane, "amplitude") == pytest.approx(played(plane, "amplitude"), abs=1e-6)


def test_one_loop_is_baked_unless_something_happens_only_once(plane):
    scene = bpy.context.scene
    loop = bake_range(read_controls(plane, scene), scene)
    assert (loop.first, loop.last, loop.cyclic) == (1, 10, True)
    key(plane, (1, 0.0), (15, 3.0))
    whole = bake_range(read_controls(plane, scene), scene)
    assert (whole.first, whole.last, whole.cyclic) == (1, 20, False)


def test_a_scene_shorter_than_the_loop_bakes_only_the_scene(plane):
    plane.gid.loop_frames = 150
    scene = bpy.context.scene
    assert bake_range(read_controls(plane, scene), scene).last == 20


def test_negative_frames_are_refused(plane):
    scene = bpy.context.scene
    values = read_controls(plane, scene)
    from blender_gid.core.controls import frame_range

    with pytest.raises(GidError, match="-5"):
        frame_range(values, -5, 20)
