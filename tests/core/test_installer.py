"""The installation's states with real processes: a stand-in for pip's work, stopped and failing in the middle."""

import sys
import time
from pathlib import Path

import pytest

from blender_gid.core import installer
from blender_gid.core.engine import GidError


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Install with an empty list of packages, or one that can't be had; the trial of the engine is left out."""
    requirements = tmp_path / "engine.txt"
    monkeypatch.setattr(installer, "REQUIREMENTS", requirements)
    monkeypatch.setattr(installer, "_TRY", "raise SystemExit(0)")
    monkeypatch.setattr(installer, "_NEEDED_BYTES", 0)

    def start(packages=""):
        requirements.write_text(packages)
        wheels = tmp_path / "wheels"
        wheels.mkdir(exist_ok=True)
        folder = tmp_path / "d é" / "engine"
        return installer.Installation(folder, "0.1.0", sys.executable, tmp_path / "install.log", wheels), folder

    return start


def ended(installation):
    while not installation.finished:
        installation.poll()
        time.sleep(0.02)
    return installation.state


def test_a_whole_installation_then_a_failing_one(begin):
    installation, folder = begin()
    with pytest.raises(GidError, match="Install it again"):
        installer.installed_python(folder)  # "incomplete" from the first moment on
    assert ended(installation) == "DONE"
    assert Path(installer.installed_python(folder)).is_file()
    installation, _ = begin("no-such-package-here==1.0")
    assert ended(installation) == "FAILED"
    assert "Installing packages failed" in str(installation.error) and "install.log" in str(installation.error)
    with pytest.raises(GidError, match="Install it again"):
        installer.installed_python(folder)


def test_cancelled_in_the_middle_stays_incomplete_and_can_be_repeated(begin):
    installation, folder = begin()
    installation.cancel()
    assert installation.state == "CANCELLED"
    with pytest.raises(GidError, match="Install it again"):
        installer.installed_python(folder)
    assert ended(begin()[0]) == "DONE"


def test_a_folder_with_other_things_in_it_is_left_alone(begin, tmp_path):
    folder = tmp_path / "d é" / "engine"
    folder.mkdir(parents=True)
    (folder / "holiday.jpg").touch()
    with pytest.raises(GidError, match="holds other files"):
        begin()


def test_too_little_space(begin, monkeypatch):
    monkeypatch.setattr(installer, "_NEEDED_BYTES", 1 << 60)
    with pytest.raises(GidError, match="free space"):
        begin()
