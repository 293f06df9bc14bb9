"""The zip: what is in it, the same bytes every time, whole or not at all."""

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
