"""The add-on as a user has it: built as a zip, installed into a real Blender with user folders of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

import real_blender  # noqa: E402

from gid_engine.motion import Modes, save_motion  # noqa: E402

ADDON = "bl_ext.user_default.blender_gid"


@dataclass(frozen=True)
class Blender:
    """A real Blender and the environment to run it in."""

    command: list[str]
    environ: dict[str, str]

    def run(self, *arguments, timeout: float = 300) -> str:
        """Run it to its end; what it printed. AssertionError with all of that where it fails."""
        result = subprocess.run(
            [*self.command, *map(str, arguments)],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
        )
        output = result.stdout.decode(errors="replace")
        assert result.returncode == 0, output
        return output

    def script(self, name: str, *arguments, options: tuple[str, ...] = ("--background",), timeout: float = 300):
        """Run inside/NAME in it with arguments."""
        script = ("--python-exit-code", "1", "--python", HERE / "inside" / name, "--")
        return self.run(*options, *script, *arguments, timeout=timeout)


@pytest.fixture(scope="session")
def blender(tmp_path_factory) -> Blender:
    """Blender with the add-on's zip installed and enabled, and the engine's Python named."""
    try:
        command = real_blender.command("blender")
    except real_blender.Missing as error:
        pytest.skip(f"real Blender: {error} {real_blender.ADVICE}")
    folder = tmp_path_factory.mktemp("blender")
    environ = {
        "BLENDER_USER_RESOURCES": str(folder / "user"),
        "GID_ENGINE_PYTHON": sys.executable,
        "TMPDIR": str(folder),  # for what Blender leaves behind when it quits
    }
    blender = Blender(command, os.environ | environ)
    build = [sys.executable, str(ROOT / "build_addon.py"), "--output-dir", str(folder)]
    subprocess.run(build, check=True, timeout=120)
    (archive,) = folder.glob("*.zip")
    blender.run("--background", "--command", "extension", "validate", archive)
    blender.run("--background", "--command", "extension", "install-file", "-r", "user_default", "-e", archive)
    return blender


@pytest.fixture(scope="session")
def photo(tmp_path_factory) -> Path:
    """The photo that GID_TEST_PHOTO names, else a small one with texture everywhere."""
    if chosen := os.environ.get("GID_TEST_PHOTO"):
        return Path(chosen)
    y, x = np.mgrid[0:200, 0:320].astype(np.float32)
    stripes = np.sin(x / 7 + 2 * np.sin(y / 31)) * np.cos(y / 9)
    colours = [128 + 90 * stripes, 60 + x / 2, 230 - y * 0.8]
    path = tmp_path_factory.mktemp("photo") / "ph é.png"
    Image.fromarray(np.stack(colours, -1).clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def motion(tmp_path_factory, photo) -> Path:
    """A motion file of the photo: it sways, more towards the top, at rest at the bottom."""
    with Image.open(photo) as image:
        size = image.size
    height, width = 48, 80
    y, x = np.mgrid[0:height, 0:width] / width
    modes = np.zeros((4, 2, height, width), np.complex64)
    for k in range(4):
        turn = np.exp(1j * (2 * k + 3 * x))
        modes[k, 0] = 0.02 / (k + 1) * (1 - y / y.max()) * turn
        modes[k, 1] = 0.3 * modes[k, 0]
    path = tmp_path_factory.mktemp("motion") / "sway.motion.safetensors"
    save_motion(path, Modes(modes, np.arange(1, 5) / 5, np.full(4, 0.05), size))
    return path


@pytest.fixture(scope="session")
def weights() -> None:
    """Skips where the prior's weights are not in the tree."""
    if not any((ROOT / "gid_engine" / "prior" / "weights").glob("*.safetensors")):
        pytest.skip("prediction: gid_engine/prior/weights holds no weights")
