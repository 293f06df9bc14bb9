"""The engine in the preferences: what its state is called, and what keeps it from being installed."""

import json
import os
from pathlib import Path

import bpy
import pytest

from blender_gid.adapters import compat, engine_setup, jobs
from blender_gid.core import backends, installer


@pytest.fixture
def preferences(tmp_path, monkeypatch):
    """The add-on's preferences with an engine folder of the test's; nothing is named from outside."""
    monkeypatch.delenv("GID_ENGINE_PYTHON", raising=False)
    preferences = compat.preferences()
    preferences.engine_folder = str(tmp_path / "engine é")
    yield preferences
    for name in ("engine_folder", "wheels_folder", "engine_python", "device", "backend", "idle_minutes"):
        preferences.property_unset(name)


@pytest.fixture
def online():
    system = bpy.context.preferences.system
    before = system.use_online_access
    yield lambda on: setattr(system, "use_online_access", on)
    system.use_online_access = before


def installed(folder, **facts):
    """A folder as a finished installation leaves it; without its packages."""
    python = installer.environment_python(folder)
    python.parent.mkdir(parents=True)
    python.touch()
    lock = backends.fingerprint(backends.BACKENDS["cpu"].lock)
    marker = {"state": "ready", "version": "0.1.0", "backend": "cpu", "lock": lock}
    (folder / installer.MARKER).write_text(json.dumps(marker | facts))
    return python


@pytest.mark.parametrize(
    ("facts", "state", "sentence"),
    [
        ({}, "READY", "Installed for CPU"),
        ({"state": "incomplete"}, "INCOMPLETE", "not installed to the end"),
        ({"lock": "of another time"}, "OUTDATED", "another version of the add-on"),
        ({"backend": "abacus"}, "OUTDATED", "another version of the add-on"),
    ],
)
def test_the_state_of_the_engine_has_a_name_and_a_sentence(preferences, facts, state, sentence):
    installed(Path(preferences.engine_folder), **facts)
    assert engine_setup.state()[0] == state and sentence in engine_setup.state()[1]


def test_without_an_engine_every_long_button_says_where_to_get_one(preferences):
    assert engine_setup.state()[0] == "MISSING"
    with pytest.raises(RuntimeError, match="Install it in the add-on's preferences"):
        bpy.ops.gid.test_engine()


def test_a_python_of_ones_own_comes_first_and_must_exist(preferences, tmp_path):
    preferences.engine_python = str(installed(tmp_path / "own"))
    assert engine_setup.state()[0] == "OTHER"
    preferences.engine_python = str(tmp_path / "gone")
    assert "does not exist" in engine_setup.state()[1]


def test_blenders_network_rule_is_kept_and_names_its_switch(preferences, online):
    if not hasattr(bpy.app, "online_access"):
        pytest.skip("this Blender has no such rule")
    online(False)
    if bpy.app.online_access:
        pytest.skip("this build can't be taken offline")
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.gid.install_engine()
    assert not Path(preferences.engine_folder).exists()


def test_an_offline_folder_needs_no_network_but_must_exist(preferences, online, tmp_path):
    online(False)
    preferences.wheels_folder = str(tmp_path / "no wheels")
    with pytest.raises(RuntimeError, match=r"packages folder .*no wheels does not exist"):
        bpy.ops.gid.install_engine()


def test_repair_and_removal_leave_a_foreign_folder_alone(preferences, online):
    online(True)
    preferences.wheels_folder = os.path.dirname(__file__)  # so that the network's rule does not come first
    folder = Path(preferences.engine_folder)
    folder.mkdir()
    (folder / "holiday.jpg").touch()
    for operator in (bpy.ops.gid.install_engine, bpy.ops.gid.repair_engine, bpy.ops.gid.remove_engine):
        with pytest.raises(RuntimeError, match="holds other files"):
            operator()
    assert [path.name for path in folder.iterdir()] == ["holiday.jpg"]


def test_removal_through_the_button(preferences):
    folder = Path(preferences.engine_folder)
    installed(folder)
    assert bpy.ops.gid.remove_engine() == {"FINISHED"}
    assert not folder.exists() and engine_setup.state()[0] == "MISSING"


def test_a_device_that_the_engine_does_not_have_is_named(preferences, fake_engine):
    assert bpy.ops.gid.test_engine() == {"FINISHED"}
    preferences.device = "cuda"
    with pytest.raises(RuntimeError, match="can't compute on cuda: it has only cpu"):
        bpy.ops.gid.test_engine()


def test_an_engine_that_crashed_is_started_anew(preferences, fake_engine):
    fake_engine("mute")
    with pytest.raises(RuntimeError, match="The engine stopped"):
        bpy.ops.gid.test_engine()
    fake_engine("well")
    assert bpy.ops.gid.test_engine() == {"FINISHED"}
    jobs._client._process.kill()
    jobs._client._process.wait()
    assert bpy.ops.gid.test_engine() == {"FINISHED"}
