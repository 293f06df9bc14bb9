"""Planes from another file: linked they play and stay as they are, overridden they take controls of their own."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from pictures import photo, write_png


@pytest.fixture
def linked(tmp_path, fake_engine):
    """A file with a collection that is linked from another one, which holds a predicted photo."""
    folder = tmp_path / "bibliothek é"
    folder.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "library.blend"))
    bpy.ops.gid.import_photo(filepath=str(write_png(folder / "p.png", photo())))
    plane = bpy.context.object
    collection = bpy.data.collections.new("Photos")
    bpy.context.scene.collection.children.link(collection)
    bpy.context.scene.collection.objects.unlink(plane)
    collection.objects.link(plane)
    bpy.context.view_layer.objects.active = plane
    assert bpy.ops.gid.predict() == {"FINISHED"}
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    (tmp_path / "shots").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shots" / "shot.blend"))
    with bpy.data.libraries.load(str(folder / "library.blend"), link=True, relative=True) as (_, here):
        here.collections = ["Photos"]
    bpy.context.scene.collection.children.link(here.collections[0])
    return here.collections[0]


def moved(plane):
    """How far the plane's grid moves between two frames."""
    places = []
    for frame in (1, 20):
        bpy.context.scene.frame_set(frame)
        evaluated = plane.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        at = np.empty(len(evaluated.vertices) * 3, np.float32)
        evaluated.vertices.foreach_get("co", at)
        places.append(at)
    return np.abs(places[1] - places[0]).max()


def test_a_linked_plane_plays_and_its_buttons_say_why_they_are_grey(linked):
    plane = linked.objects["p"]
    assert moved(plane) > 0
    bpy.context.view_layer.objects.active = plane
    for operator in (bpy.ops.gid.predict, bpy.ops.gid.bake, bpy.ops.gid.update_preview):
        assert not operator.poll()
        with pytest.raises(RuntimeError, match="make a library override first"):
            operator()


def test_an_override_takes_its_own_controls_and_keeps_them_in_the_file(linked):
    scene, layer = bpy.context.scene, bpy.context.view_layer
    assert linked.override_hierarchy_create(scene, layer, do_fully_editable=True)
    plane = next(o for o in scene.objects if o.name.startswith("p") and o.library is None)
    layer.objects.active = plane
    before = moved(plane)
    plane.gid.amplitude = 2
    assert bpy.ops.gid.update_preview() == {"FINISHED"}
    assert moved(plane) == pytest.approx(2 * before, rel=0.05)
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    plane = next(o for o in bpy.context.scene.objects if o.name.startswith("p") and o.library is None)
    assert plane.gid.amplitude == 2
    assert moved(plane) == pytest.approx(2 * before, rel=0.05)


def test_an_override_takes_touches_pins_regions_and_a_hand_and_keeps_them(linked):
    scene, layer = bpy.context.scene, bpy.context.view_layer
    linked.override_hierarchy_create(scene, layer, do_fully_editable=True)
    plane = next(o for o in scene.objects if o.name.startswith("p") and o.library is None)
    layer.objects.active = plane
    for add in (bpy.ops.gid.add_impulse, bpy.ops.gid.add_pin, bpy.ops.gid.add_region, bpy.ops.gid.add_hand):
        assert add() == {"FINISHED"}
    assert bpy.ops.gid.predict_variations(count=2) == {"FINISHED"}
    assert bpy.ops.gid.choose_variation(index=1) == {"FINISHED"}
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    gid = next(o for o in bpy.context.scene.objects if o.name == "p" and o.library is None).gid
    assert [len(kept) for kept in (gid.impulses, gid.pins, gid.regions)] == [1, 1, 1]
    assert gid.hand is not None and gid.seed == 1


def test_a_photo_comes_in_where_an_overridden_collection_is_active(linked, tmp_path):
    scene, layer = bpy.context.scene, bpy.context.view_layer
    linked.override_hierarchy_create(scene, layer, do_fully_editable=True)
    overridden = (c for c in layer.layer_collection.children if c.collection.override_library)
    layer.active_layer_collection = next(overridden)
    assert bpy.ops.gid.import_photo(filepath=str(write_png(tmp_path / "q.png", photo()))) == {"FINISHED"}
    assert bpy.context.object.name in scene.collection.objects


def test_an_override_bakes_beside_its_own_file(linked):
    scene, layer = bpy.context.scene, bpy.context.view_layer
    linked.override_hierarchy_create(scene, layer, do_fully_editable=True)
    plane = next(o for o in scene.objects if o.name.startswith("p") and o.library is None)
    layer.objects.active = plane
    plane.gid.loop_frames = 3
    assert bpy.ops.gid.bake() == {"FINISHED"}
    shots = Path(bpy.data.filepath).parent
    assert len(list(shots.rglob("*_000?.png"))) == 3
    assert not list((shots.parent / "bibliothek é").rglob("*_000?.png"))
