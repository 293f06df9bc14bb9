"""Touches, the hand, pins, regions and variations reach the moving grid; keys made elsewhere do, too."""

import bpy
import numpy as np
import pytest
from fake_worker import sway
from pictures import photo, write_png

from blender_gid.adapters import follow, preview, regions
from blender_gid.adapters.controls import read_controls
from blender_gid.core.engine import GidError
from gid_engine.motion import save_motion


@pytest.fixture
def plane(tmp_path):
    """A photo whose vertices lie on the corners of its modes' cells."""
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 40
    bpy.ops.gid.import_photo(filepath=str(write_png(tmp_path / "p.png", photo(48, 32))), cells=48, height=2.0)
    plane = bpy.context.object
    save_motion(tmp_path / "p.motion.safetensors", sway(h=32, w=48))
    plane.gid.motion = str(tmp_path / "p.motion.safetensors")
    plane.gid.loop_frames = 0
    bpy.ops.gid.update_preview()
    return plane


def moved(plane, frame) -> np.ndarray:
    """How far each vertex is from its rest, in object space: [33, 49, 2], top row first."""
    bpy.context.scene.frame_set(frame)
    evaluated = plane.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    positions = [np.array([v.co for v in mesh.vertices]) for mesh in (evaluated, plane.data)]
    return (positions[0] - positions[1]).reshape(33, 49, 3)[::-1, :, :2]


def at(field, u, v) -> np.ndarray:
    return field[round((1 - v) * 32), round(u * 48)]


def score(plane):
    return read_controls(plane, bpy.context.scene).score()


# --- touches ---------------------------------------------------------------------------------------------------


def test_a_drag_pulls_its_place_and_lets_go(plane):
    plane.gid.amplitude = 0
    touch = {"location": (0.5, 0.5), "direction": 0.0, "strength": 0.02, "radius": 0.1}
    bpy.ops.gid.add_impulse(kind="DRAG", **touch)
    plane.gid.impulses[0].duration = 12
    pulled = at(moved(plane, 13), 0.5, 0.5)
    assert pulled[0] == pytest.approx(0.02 * 3, rel=0.25)  # the plane is 3 units wide; what is held gives way less
    assert np.abs(moved(plane, 1)).max() < 1e-6
    assert len(score(plane).drags) == 1 and not score(plane).impulses


def test_the_grid_follows_the_mouse_and_is_as_before_afterwards(plane):
    before = moved(plane, 20)
    names = {a.name for a in plane.data.attributes}
    pull = preview.Pull(plane, bpy.context.scene, (0.5, 0.5), 0.1)
    pull.to(0.02, 0)
    change = at(moved(plane, 20) - before, 0.5, 0.5)
    assert change[0] == pytest.approx(0.06, rel=0.25)  # the plane is 3 units wide
    pull.end()
    np.testing.assert_array_equal(moved(plane, 20), before)
    assert {a.name for a in plane.data.attributes} == names


def test_removing_the_touch_leaves_nothing(plane):
    before = moved(plane, 20)
    bpy.context.scene.frame_set(1)
    bpy.ops.gid.add_impulse(location=(0.4, 0.6), strength=0.03)
    assert np.abs(moved(plane, 20) - before).max() > 1e-3
    bpy.ops.gid.remove_impulse()
    np.testing.assert_allclose(moved(plane, 20), before, atol=1e-6)


def test_a_touch_is_repeated_and_found_again(plane):
    scene = bpy.context.scene
    assert not bpy.ops.gid.duplicate_impulse.poll() and not bpy.ops.gid.jump_to_impulse.poll()
    bpy.ops.gid.add_impulse(kind="DRAG", location=(0.3, 0.7), direction=1.0, strength=0.03, radius=0.2)
    plane.gid.impulses[0].duration = 9
    scene.frame_set(25)
    assert bpy.ops.gid.duplicate_impulse() == {"FINISHED"}
    first, second = plane.gid.impulses
    assert (first.frame, second.frame) == (1, 25) and plane.gid.impulse_index == 1
    for name in ("kind", "duration", "direction", "strength", "radius"):
        assert getattr(first, name) == getattr(second, name)
    assert tuple(first.location) == tuple(second.location)
    assert len(score(plane).drags) == 2
    bpy.ops.gid.jump_to_impulse(index=0)
    assert scene.frame_current == 1
    with pytest.raises(RuntimeError, match="no touch number 6"):
        bpy.ops.gid.jump_to_impulse(index=5)


# --- pins and the hand -----------------------------------------------------------------------------------------


def test_a_pin_holds_its_place(plane):
    free = moved(plane, 20)
    bpy.ops.gid.add_pin(location=(0.5, 0.5), radius=0.15)
    held = moved(plane, 20)
    assert np.linalg.norm(at(held, 0.5, 0.5)) < 0.1 * np.linalg.norm(at(free, 0.5, 0.5))
    np.testing.assert_allclose(at(held, 0.15, 0.5), at(free, 0.15, 0.5), atol=1e-4)  # beyond its reach
    bpy.ops.gid.remove_pin()
    np.testing.assert_allclose(moved(plane, 20), free, atol=1e-6)


def test_a_hand_takes_along_what_it_passes(plane):
    plane.gid.amplitude = 0
    bpy.ops.gid.add_hand()
    hand = plane.gid.hand
    assert (hand.location - plane.matrix_world.translation).length < 1e-5  # before the photo's middle
    assert np.abs(moved(plane, 12)).max() < 1e-6  # a hand at rest pushes nothing
    for frame, x in ((1, -0.6), (11, 0.6)):
        hand.location.x = x
        hand.keyframe_insert("location", frame=frame)
    bpy.context.scene.frame_set(1)
    assert follow.look_after(bpy.context.scene) == 1
    assert at(moved(plane, 8), 0.5, 0.5)[0] > 1e-3  # to the right, as the hand went


# --- regions ---------------------------------------------------------------------------------------------------


def right_half(plane, region):
    """Paint the right half of the photo."""
    image = regions.new_image(plane, region)
    width, height = image.size
    pixels = np.zeros((height, width, 4), np.float32)
    pixels[:, width // 2 :] = 1
    image.pixels.foreach_set(pixels.ravel())
    region.image = image


def test_a_painted_region_stays_still_while_the_rest_moves(plane):
    free = moved(plane, 20)
    bpy.ops.gid.add_region()
    region = plane.gid.regions[0]
    region.feather = 0
    right_half(plane, region)
    region.amplitude = 0
    held = moved(plane, 20)
    np.testing.assert_allclose(held[3:-3, 3:20], free[3:-3, 3:20], atol=1e-5)
    assert np.abs(held[:, 29:]).max() < 1e-6 < np.abs(free[:, 29:]).max()


def test_a_region_of_a_vertex_group_can_be_keyed_and_removed(plane):
    group = plane.vertex_groups.new(name="right")
    group.add([v.index for v in plane.data.vertices if v.co.x > 0.05], 1.0, "REPLACE")
    free = moved(plane, 20)
    bpy.ops.gid.add_region(source="GROUP")
    region = plane.gid.regions[0]
    assert region.vertex_group == "right"
    for frame, amplitude in ((1, 0.0), (30, 0.0), (31, 2.0)):
        region.amplitude = amplitude
        region.keyframe_insert("amplitude", frame=frame)
    assert follow.look_after(bpy.context.scene) == 1
    assert np.abs(moved(plane, 20)[:, 30:]).max() < 1e-5
    assert np.abs(moved(plane, 35)[:, 30:]).max() > 1e-3
    bpy.ops.gid.remove_region()
    assert not plane.gid.regions and not score(plane).regions
    np.testing.assert_allclose(moved(plane, 20), free, atol=1e-5)


def test_the_outline_of_an_object_is_a_region(plane):
    bpy.ops.mesh.primitive_cube_add(size=0.5, location=(0.75, 0, 0))
    cube = bpy.context.object
    bpy.context.view_layer.objects.active = plane
    bpy.ops.gid.add_region(source="OBJECT")
    region = plane.gid.regions[0]
    region.silhouette = cube
    mask = regions._mask(plane, region)
    columns = np.flatnonzero((mask > 0.5).any(0))
    width = mask.shape[1]
    assert columns.min() / width == pytest.approx(0.5 + 0.5 / 3, abs=0.01)  # the cube is from 0.5 to 1 of ±1.5
    assert columns.max() / width == pytest.approx(0.5 + 1.0 / 3, abs=0.01)


def test_there_is_an_end_to_regions(plane):
    for _ in range(regions.MOST):
        assert bpy.ops.gid.add_region() == {"FINISHED"}
    assert not bpy.ops.gid.add_region.poll()
    with pytest.raises(GidError, match="8 regions"):
        regions.add(plane)


def test_painting_shows_the_photo_and_keeps_the_paint(plane):
    bpy.ops.gid.add_region()
    bpy.ops.gid.paint_region()
    assert plane.mode == "TEXTURE_PAINT"
    image = plane.gid.regions[0].image
    assert bpy.context.scene.tool_settings.image_paint.canvas == image
    shown = plane.active_material.node_tree.nodes["GID Emission"].inputs["Color"].links[0].from_node
    assert shown.name == "GID Tint"
    image.pixels.foreach_set(np.ones(len(image.pixels), np.float32))
    bpy.ops.gid.paint_region()
    assert plane.mode == "OBJECT" and image.packed_file and not image.is_dirty
    shown = plane.active_material.node_tree.nodes["GID Emission"].inputs["Color"].links[0].from_node
    assert shown.name == "GID Photo"
    plane.gid.regions[0].amplitude = 0
    assert np.abs(moved(plane, 20)).max() < 1e-5


def test_painting_that_is_left_by_the_mode_menu_is_taken_over(plane):
    bpy.ops.gid.add_region()
    bpy.ops.gid.paint_region()
    image = plane.gid.regions[0].image
    image.pixels.foreach_set(np.ones(len(image.pixels), np.float32))
    plane.gid.regions[0].amplitude = 0
    bpy.ops.object.mode_set(mode="OBJECT")
    follow.look_after(bpy.context.scene)
    assert "GID Tint" not in plane.active_material.node_tree.nodes and image.packed_file
    assert np.abs(moved(plane, 20)).max() < 1e-5


# --- what changes elsewhere ------------------------------------------------------------------------------------


def test_keys_drivers_and_nothing(plane):
    scene = bpy.context.scene
    assert follow.look_after(scene) == 0  # nothing has changed
    free = moved(plane, 20)
    plane.gid.keyframe_insert("amplitude", frame=1)
    curve = plane.animation_data.action.fcurves[0] if hasattr(plane.animation_data.action, "fcurves") else None
    if curve is None:
        curve = plane.animation_data.action.layers[0].strips[0].channelbags[0].fcurves[0]
    curve.keyframe_points[0].co.y = 2.0  # as in the Graph Editor
    curve.update()
    assert follow.look_after(scene) == 1
    np.testing.assert_allclose(moved(plane, 20), 2 * free, atol=1e-5)
    assert follow.look_after(scene) == 0
    plane.animation_data_clear()
    driver = plane.gid.driver_add("amplitude").driver
    driver.type = "SUM"
    variable = driver.variables.new()
    variable.targets[0].id = plane
    variable.targets[0].data_path = "location.z"
    plane.location.z = 0.5
    bpy.context.view_layer.update()
    assert follow.look_after(scene) == 1
    np.testing.assert_allclose(moved(plane, 20), 0.5 * free, atol=1e-5)


def test_a_scene_that_is_slow_to_step_through_is_left_alone(plane, monkeypatch):
    driver = plane.gid.driver_add("amplitude").driver
    driver.expression = "1.0"
    monkeypatch.setattr(follow, "_PATIENCE", 0.0)
    follow.look_after(bpy.context.scene)
    assert plane.gid.failed and "slow to step through" in plane.gid.status
    plane.gid.status = ""
    follow.look_after(bpy.context.scene)
    assert plane.gid.status == ""
    bpy.ops.gid.update_preview()  # the button brings it back
    monkeypatch.setattr(follow, "_PATIENCE", 60.0)
    driver.expression = "3.0"
    bpy.context.view_layer.update()
    assert follow.look_after(bpy.context.scene) == 1


def test_a_slow_scene_is_followed_again_once_the_driver_is_gone(plane, monkeypatch):
    plane.gid.driver_add("amplitude").driver.expression = "1.0"
    monkeypatch.setattr(follow, "_PATIENCE", 0.0)
    follow.look_after(bpy.context.scene)
    assert plane.gid.failed
    plane.gid.driver_remove("amplitude")
    follow.look_after(bpy.context.scene)
    assert not plane.gid.failed and not plane.gid.status
