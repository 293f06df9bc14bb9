"""The output panel's draw code: all properties and operators that it names exist (a window draws it for real)."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import bpy
import pytest
from pictures import photo, write_png

from blender_gid.ui import output_panel


class Layout(MagicMock):
    """Stands for UILayout: keeps what was drawn, and refuses what does not exist."""

    drawn: list = []  # noqa: RUF012 - shared by all of a panel's layouts on purpose

    def prop(self, data, name, **_):
        assert name in data.bl_rna.properties, name
        self.drawn.append(name)

    def operator(self, idname, **options):
        group, _, name = idname.partition(".")
        operator = getattr(getattr(bpy.ops, group), name).get_rna_type()
        self.drawn.append(options.get("text") or operator.name)
        return SimpleNamespace()

    def label(self, text="", **_):
        self.drawn.append(text)

    def template_list(self, cls, _, data, name, active, index, **__):
        assert hasattr(bpy.types, cls) and name in data.bl_rna.properties and index in active.bl_rna.properties

    def template_ID(self, data, name, **_):
        assert name in data.bl_rna.properties

    def row(self, **_):
        return self

    column = row


@pytest.fixture
def plane(tmp_path, fake_engine):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "f.blend"))
    bpy.ops.gid.import_photo(filepath=str(write_png(tmp_path / "p.png", photo())), cells=4)
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 10
    bpy.context.object.gid.loop_frames = 4
    bpy.ops.gid.predict()
    return bpy.context.object


def drawn(panel):
    assert panel.poll(bpy.context)
    layout = Layout()
    Layout.drawn = []
    panel.draw(SimpleNamespace(layout=layout), bpy.context)
    return Layout.drawn


def test_the_panel_tells_frames_and_bytes_before_the_bake(plane):
    assert "4 frames, about 15 KB" in drawn(output_panel._Output)  # 48 × 32 pixels, 3 bytes each, hardly packed
    plane.gid.output.file_format = "EXR"
    assert "4 frames, about 61 KB" in drawn(output_panel._Output)


def test_an_outdated_bake_is_told_and_one_click_from_being_made_anew(plane):
    bpy.ops.gid.bake()
    assert "Changed since it was baked" not in drawn(output_panel._Output)
    plane.gid.amplitude = 0.5
    assert "Changed since it was baked" in drawn(output_panel._Output)


def test_places_and_the_render_menu(plane):
    assert "Fit to Camera" in drawn(output_panel._Place)
    Layout.drawn = []
    output_panel._render_entries(SimpleNamespace(layout=Layout()), bpy.context)
    assert Layout.drawn == ["Bake Animated Photos", "Check for Farm"]


def test_several_selected_photos_can_be_baked_at_once(plane, tmp_path):
    assert "Bake All Selected" not in drawn(output_panel._Output)
    bpy.ops.gid.import_photo(filepath=str(write_png(tmp_path / "b.png", photo())), cells=4)
    plane.select_set(True)
    assert "Bake All Selected" in drawn(output_panel._Output)
