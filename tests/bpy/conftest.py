"""Tests of the add-on in the bpy wheel: `BPY_PYTHON -m pytest tests/bpy`. Without bpy they are not collected."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

if importlib.util.find_spec("bpy") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    sys.path[:0] = [str(ROOT), str(HERE)]  # blender_gid and gid_engine; the helpers of these tests


@pytest.fixture(scope="session", autouse=True)
def addon(tmp_path_factory):
    """The add-on, enabled as Blender does it, with user folders of its own."""
    os.environ["BLENDER_USER_RESOURCES"] = str(tmp_path_factory.mktemp("user"))
    import addon_utils

    addon_utils.enable("blender_gid", default_set=True)
    yield
    addon_utils.disable("blender_gid")


@pytest.fixture(autouse=True)
def fresh_file(addon):
    """An empty, unsaved file, and no engine left over."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    yield
    from blender_gid.adapters import jobs

    jobs.stop_engine()


@pytest.fixture
def fake_engine(monkeypatch):
    """Let a small stand-in answer for the engine: `fake_engine("dies")` chooses how it behaves."""
    from blender_gid.adapters import jobs

    def behave(how: str = "well") -> None:
        jobs.stop_engine()
        monkeypatch.setenv("GID_FAKE", how)

    monkeypatch.setenv("GID_ENGINE_PYTHON", sys.executable)
    monkeypatch.setattr(jobs, "worker_command", lambda python: [python, "-u", str(HERE / "fake_worker.py")])
    behave()
    return behave
