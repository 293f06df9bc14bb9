"""Weather as Blender presets: the bundled ones, and those that an artist keeps."""

from pathlib import Path

import bpy
import pytest
from pictures import photo, write_png

from blender_gid.ui import presets


@pytest.fixture
def plane(tmp_path):
    bpy.ops.gid.import_photo(filepath=str(write_png(tmp_path / "p.png", photo())))
    return bpy.context.object


def bundled():
    return {path.stem: str(path) for path in Path(presets._FOLDER, "presets", "blender_gid").glob("*.py")}


def apply(path):
    assert bpy.ops.script.execute_preset(filepath=path, menu_idname="GID_PT_presets") == {"FINISHED"}


def values(plane):
    return {name: round(getattr(plane.gid, name), 4) for name in presets.VALUES}


def test_every_bundled_preset_sets_all_of_the_weather_within_its_limits_and_no_two_are_alike(plane):
    seen = []
    for path in bundled().values():
        apply(path)
        asked = dict(line.removeprefix("gid.").split(" = ") for line in Path(path).read_text().splitlines()[4:])
        assert values(plane) == {name: float(asked[name]) for name in presets.VALUES}  # nothing was clamped
        seen.append(values(plane))
    assert len(seen) >= 5 and all(a != b for i, a in enumerate(seen) for b in seen[:i])


def test_a_storm_is_more_than_a_breeze_in_every_way_that_matters(plane):
    apply(bundled()["Breeze"])
    breeze = values(plane)
    apply(bundled()["Storm"])
    assert all(values(plane)[name] > breeze[name] for name in ("amplitude", "speed", "wind_strength", "wind_gust"))


def test_an_own_preset_is_kept_found_and_removed(plane):
    plane.gid.amplitude, plane.gid.loop_frames = 1.7, 77
    assert bpy.ops.gid.preset_add(name="Föhn") == {"FINISHED"}
    path = bpy.utils.preset_find("Föhn", "blender_gid")
    plane.gid.amplitude, plane.gid.loop_frames = 1, 90
    apply(path)
    assert round(plane.gid.amplitude, 4) == 1.7 and plane.gid.loop_frames == 90
    assert bpy.ops.gid.preset_add(name="Föhn", remove_name=True) == {"FINISHED"}
    assert not Path(path).exists()


def test_the_menu_knows_the_bundled_presets_as_long_as_the_addon_is_on():
    import addon_utils

    assert any(
        Path(p) == Path(presets._FOLDER, "presets/blender_gid") for p in bpy.utils.preset_paths("blender_gid")
    )
    addon_utils.disable("blender_gid")
    try:
        assert not bpy.utils.preset_paths("blender_gid") or presets._FOLDER not in str(
            bpy.utils.preset_paths("blender_gid")
        )
    finally:
        addon_utils.enable("blender_gid")
