"""The zip: what is in it, the same bytes every time, whole or not at all."""

import hashlib
import json
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
import build_addon  # noqa: E402


def test_zip_has_what_blender_and_the_engine_need_and_nothing_else(tmp_path):
    names = set(zipfile.ZipFile(build_addon.build(tmp_path)).namelist())
    assert {
        "__init__.py",
        "blender_manifest.toml",
        "LICENSE",
        "core/engine.py",
    } <= names
    locks = {f"requirements/engine{b}.txt" for b in ("", "-cpu", "-cuda", "-cuda126", "-rocm", "-mps")}
    assert {n for n in names if n.startswith("requirements/")} == locks | {"requirements/nvidia.txt"}
    assert {"gid_engine/__init__.py", "gid_engine/motion/modes.py", "gid_engine/worker/server.py"} <= names
    weights = {f"gid_engine/prior/weights/{p.name}" for p in (ROOT / "gid_engine/prior/weights").glob("*")}
    assert weights <= names
    junk = [n for n in names if "__pycache__" in n or n.startswith(("tests", "."))]
    training = [n for n in names if n.startswith("gid_engine/training/")]
    assert not junk and training == ["gid_engine/training/__init__.py"]
    assert not any("numpy" in n or "torch" in n for n in names)


def test_the_engine_in_the_zip_answers(tmp_path):
    pytest.importorskip("torch")
    zipfile.ZipFile(build_addon.build(tmp_path)).extractall(tmp_path / "addon")
    from blender_gid.core.client import EngineClient, worker_command
    from blender_gid.core.job import Job

    client = EngineClient(worker_command(sys.executable), tmp_path / "addon", tmp_path / "log")
    job = Job(client, "Testing", "hello")
    while not job.finished:
        job.poll()
        time.sleep(0.05)
    client.stop()
    assert job.state == "DONE", job.message
    assert job.result["version"] == tomllib.loads((ROOT / "blender_manifest.toml").read_text())["version"]


def test_same_sources_same_bytes(tmp_path):
    a, b = (build_addon.build(tmp_path / name).read_bytes() for name in "ab")
    assert a == b


def test_too_large_a_zip_is_refused_and_leaves_the_old_one(tmp_path, monkeypatch, capsys):
    target = build_addon.build(tmp_path)
    before = target.read_bytes()
    monkeypatch.setattr(build_addon, "LIMIT", 1000)
    with pytest.raises(RuntimeError, match="more than"):
        build_addon.build(tmp_path)
    assert build_addon.main(["--output-dir", str(tmp_path)]) == 1
    assert target.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [target.name]


@pytest.fixture(scope="module")
def blenders_tool():
    """blender_ext.py of a bpy wheel in the tree's environments."""
    places = ("lib/python3*/site-packages", "Lib/site-packages")
    inside = "bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"
    found = sorted(path for at in places for path in ROOT.glob(f".venvs/bpy-*/{at}/{inside}"))
    return found[-1] if found else pytest.skip("Blender's tool: no bpy wheel in .venvs")


def test_a_repository_that_blender_can_read(tmp_path, blenders_tool):
    repository = tmp_path / "site é"
    assert build_addon.main(["--repository", str(repository), "--validator", str(blenders_tool)]) == 0
    index = json.loads((repository / "index.json").read_text())
    (entry,) = index["data"]
    (archive,) = repository.glob("*.zip")
    assert entry["id"] == "blender_gid" and entry["archive_size"] == archive.stat().st_size
    assert entry["archive_hash"] == "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()
    assert "platforms" not in entry  # one zip for all
    assert (repository / "index.html").is_file()


def test_a_repository_without_blender_is_refused_in_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build_addon.shutil, "which", lambda name: None)
    assert build_addon.main(["--repository", str(tmp_path)]) == 1
    assert "needs Blender's own tools" in capsys.readouterr().err


def test_the_manifest_keeps_to_the_platforms_rules(blenders_tool):
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    tags = {}
    source = blenders_tool.parents[4] / "modules" / "_bpy_internal" / "extensions" / "tags.py"
    if source.is_file():
        exec(source.read_text(), tags)
        assert set(manifest["tags"]) <= tags["addons"]
    for text in (manifest["tagline"], *manifest["permissions"].values()):
        assert len(text) <= 64 and text[-1].isalnum()
    assert "blender" not in manifest["name"].lower() and manifest["blender_version_min"] == "4.2.0"
