"""Check for Farm, and baking from the command line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
from pictures import photo, write_png

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def plane(tmp_path, fake_engine):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot é.blend"))
    plane = new_plane(tmp_path, "p")
    bpy.ops.gid.bake()
    bpy.ops.wm.save_mainfile()
    return plane


def new_plane(folder, name):
    bpy.ops.gid.import_photo(filepath=str(write_png(folder / f"{name}.png", photo())), cells=4)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 8
    plane = bpy.context.object
    plane.gid.loop_frames = 4
    bpy.ops.gid.predict()
    return plane


def findings():
    from blender_gid.adapters import farm

    found = farm.check(bpy.context.scene)
    return [str(f) for f in found if f.wrong], [str(f) for f in found if not f.wrong]


def only_fault():
    wrong, _ = findings()
    assert len(wrong) == 1, wrong
    return wrong[0]


def frames_of(plane):
    return Path(bpy.path.abspath("//gid")) / plane.gid.folder / "v001" / "frames"


def test_a_baked_and_saved_scene_is_ready(plane):
    assert findings() == ([], [])
    assert bpy.ops.gid.check_farm() == {"FINISHED"}
    text = bpy.data.texts["Farm Check"].as_string()
    assert text.startswith("Ready for a farm: 1 animated photo, frames 1 to 8.")


def test_missing_frames_are_told_by_number(plane):
    for frame in (2, 3):
        (frames_of(plane) / f"p_{frame:04d}.png").unlink()
    assert "frames 2–3" in only_fault()


def test_frames_that_the_scene_needs_and_the_bake_lacks(plane):
    bpy.ops.gid.add_impulse()  # once only: the whole range is baked
    bpy.ops.gid.bake()
    bpy.ops.wm.save_mainfile()
    assert findings()[0] == []
    bpy.context.scene.frame_end = 12
    assert any("frames 9–12 of the scene are not baked" in line for line in findings()[0])


def test_a_bake_of_other_controls(plane):
    plane.gid.amplitude = 0.3
    assert "controls have changed" in only_fault()


def test_a_driven_bake_is_judged_by_stepping(plane):
    driver = plane.gid.driver_add("amplitude").driver
    driver.type = "SUM"
    variable = driver.variables.new()
    variable.targets[0].id_type = "SCENE"
    variable.targets[0].id = bpy.context.scene
    variable.targets[0].data_path = "frame_current"
    assert "controls have changed" in only_fault()
    bpy.ops.gid.bake()
    assert findings()[0] == []


def test_absolute_paths_and_files_outside_the_folder(plane, tmp_path):
    image = plane.active_material.node_tree.nodes["GID Baked"].image
    relative = image.filepath
    image.filepath = bpy.path.abspath(relative)
    assert "named from the disk's root" in only_fault()
    outside = tmp_path.parent / "elsewhere"
    shutil.copytree(frames_of(plane), outside, dirs_exist_ok=True)
    image.filepath = bpy.path.relpath(str(outside / "p_0001.png"))
    assert f"{outside} is outside" in only_fault()


def test_a_preview_renders_but_its_data_must_be_there(plane):
    plane.gid.display = "PREVIEW"
    wrong, notes = findings()
    assert wrong == [] and any("stretches at edges" in line for line in notes)
    plane.data.attributes.remove(
        plane.data.attributes[next(a.name for a in plane.data.attributes if a.name.startswith("gid_x_m"))]
    )
    assert "lost its data" in only_fault()


def test_a_photo_that_is_missing_or_still(plane):
    plane.gid.display = "PHOTO"
    assert findings()[0] == [] and any("still photo" in line for line in findings()[1])
    Path(bpy.path.abspath("//p.png")).unlink()
    assert "photo" in only_fault() and "is missing" in only_fault()
    plane.hide_render = True
    assert findings()[0] == []


def test_an_unsaved_file(plane):
    bpy.ops.wm.read_homefile(use_empty=True)
    assert "not saved" in only_fault()


def test_a_strip_whose_pictures_are_gone(plane):
    bpy.ops.gid.add_strip()
    plane.hide_render = True
    assert findings()[0] == []
    (frames_of(plane) / "p_0002.png").unlink()
    assert "1 images of the strip are missing" in only_fault()


def test_a_background_whose_pictures_are_gone(plane):
    bpy.ops.gid.add_background()
    plane.hide_render = True
    assert findings()[0] == []
    (frames_of(plane) / "p_0002.png").unlink()
    assert "GID Background" in only_fault() and "frames 2 of" in only_fault()


def test_a_linked_plane_is_checked_where_its_frames_are(plane, tmp_path):
    source = bpy.data.filepath
    (tmp_path / "shots").mkdir()
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shots" / "s.blend"))
    with bpy.data.libraries.load(source, link=True, relative=True) as (_, into):
        into.objects = ["p"]
    bpy.context.scene.collection.objects.link(into.objects[0])
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 8
    wrong, _ = findings()
    assert len(wrong) == 2 and all(f"is outside {tmp_path / 'shots'}" in line for line in wrong)


def test_files_from_everywhere_are_brought_beside_the_file(tmp_path, fake_engine):
    """Begun in an unsaved file, with a photo from elsewhere: afterwards the check has no complaint."""
    (tmp_path / "photos").mkdir()
    plane = new_plane(tmp_path / "photos", "p")
    bpy.ops.gid.bake()
    bpy.ops.gid.bake(new_version=True)
    assert not bpy.ops.gid.gather_files.poll()
    home = tmp_path / "home"
    home.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(home / "f.blend"))
    plane.gid.display = "PHOTO"
    assert "is outside" in only_fault()
    plane.gid.display = "BAKED"
    assert "is outside" in only_fault()
    assert bpy.ops.gid.gather_files() == {"FINISHED"}
    assert findings()[0] == []
    plane.gid.display = "PHOTO"
    assert findings()[0] == []
    assert plane.gid.motion.startswith("//") and (tmp_path / "photos" / "p.png").is_file()  # copied, not moved
    assert [v.name for v in plane.gid.output.versions] == ["v001", "v002"]
    for index in (0, 1):
        plane.gid.output.version_index = index
        image = plane.active_material.node_tree.nodes["GID Baked"].image
        assert f"/v00{index + 1}/" in image.filepath and image.filepath.startswith("//")
    bpy.ops.wm.save_mainfile()
    home.rename(tmp_path / "elsewhere")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "elsewhere" / "f.blend"))
    bpy.context.view_layer.objects.active = bpy.data.objects["p"]
    assert findings()[0] == [] and bpy.ops.gid.bake() == {"FINISHED"}


# --- command line -----------------------------------------------------------------------------------------------


def command(*arguments):
    from blender_gid.operators import farm

    return farm.bake_command([str(a) for a in arguments])


def test_the_command_bakes_all_planes_and_saves(plane, tmp_path, capfd):
    second = new_plane(tmp_path, "b")
    assert command() == 0
    assert "Frames 1 to 4 are baked" in capfd.readouterr().out
    assert second.gid.display == "BAKED"
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    assert all(bpy.data.objects[name].gid.display == "BAKED" for name in "pb")


def test_the_command_bakes_a_share_of_the_frames_of_a_named_plane(plane, tmp_path):
    new_plane(tmp_path, "b")
    bpy.ops.wm.save_mainfile()
    assert command("--planes", "b", "--frames", "3-5") == 0
    assert sorted(f.name for f in frames_of(bpy.data.objects["b"]).iterdir()) == [
        f"b_000{n}.png" for n in (3, 4, 5)
    ]
    assert bpy.data.objects["b"].gid.display == "PREVIEW"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--planes", "nobody"], "no animated photo nobody. There are: p."),
        (["--frames", "9-3"], "not a range"),
        (["--frames", "x"], "not a range"),
    ],
)
def test_the_command_refuses_in_a_sentence(plane, capfd, arguments, sentence):
    assert command(*arguments) == 1
    assert sentence in capfd.readouterr().out


def test_the_command_tells_wrong_options_and_failures_by_its_exit_code(plane, fake_engine, capfd):
    assert command("--nonsense") == 2 and command("--help") == 0
    plane.gid.amplitude = 0.5
    fake_engine("dies")
    assert command() == 1 and "stopped in the middle" in capfd.readouterr().out


def test_the_check_command_counts_as_failed_where_something_is_missing(plane, capfd):
    from blender_gid.operators import farm

    assert farm.check_command([]) == 0 and "Ready for a farm" in capfd.readouterr().out
    plane.gid.amplitude = 0.3
    assert farm.check_command([]) == 1 and "Not ready for a farm: 1 fault" in capfd.readouterr().out


def test_the_script_for_the_wheel_bakes_in_a_process_of_its_own(plane, tmp_path):
    """Without the stand-in's monkeypatching, the engine is missing: the script says so and fails."""
    script = [sys.executable, str(ROOT / "examples" / "bake.py"), bpy.data.filepath]
    environ = os.environ | {"GID_ENGINE_PYTHON": "/nowhere/python"}
    checked = subprocess.run([*script, "--check"], env=environ, capture_output=True, text=True, timeout=120)
    assert checked.returncode == 0 and "Ready for a farm" in checked.stdout, checked.stdout + checked.stderr
    failed = subprocess.run(script, env=environ, capture_output=True, text=True, timeout=120)
    assert failed.returncode == 1 and "/nowhere/python does not exist" in failed.stdout
