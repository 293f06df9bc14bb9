"""The zip in a real Blender without a window: it registers, animates, and leaves a file that needs no add-on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest


def pixels(path: Path) -> np.ndarray:
    """float [H, W, 3 or 4] 0…255 as a screen shows it, of a PNG of 8 or 16 bit or a linear EXR."""
    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED).astype(np.float64)
    if path.suffix == ".exr":
        values = values.clip(0, 1)
        return 255 * np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
    return values / 257 if values.max() > 255 else values


def animated(blender, folder: Path, photo: Path, motion: Path | str, shown: str = "BAKED") -> tuple[list, list]:
    """The frames 1…4 as baked, and as `blender -b -a` renders them without the add-on."""
    blender.script("animate.py", photo, motion, folder, shown, timeout=900)
    output = blender.run("--background", "--factory-startup", folder / "shot.blend", "-a", timeout=900)
    assert "Traceback" not in output and "Error" not in output
    baked = sorted(p for p in (folder / "gid").rglob("frames/*_0*.*") if p.suffix in (".png", ".exr"))
    rendered = sorted(folder.glob("rendered_*.png"))
    assert len(baked) == len(rendered) == 4
    return [pixels(p) for p in baked], [pixels(p) for p in rendered]


def test_registers_goes_without_a_trace_and_comes_back(blender):
    output = blender.script("register.py")
    assert "REGISTERED" in output and "Traceback" not in output


def test_a_self_hosted_repository_is_made_added_and_installed_from(blender, tmp_path):
    (archive,) = Path(blender.environ["TMPDIR"]).glob("blender_gid-*.zip")
    site = tmp_path / "site"
    site.mkdir()
    shutil.copy(archive, site)
    fresh = replace(blender, environ=blender.environ | {"BLENDER_USER_RESOURCES": str(tmp_path / "user")})
    extension = ("--background", "--online-mode", "--command", "extension")
    fresh.run(*extension, "server-generate", f"--repo-dir={site}", "--html")
    address = (site / "index.json").as_uri()
    fresh.run(*extension, "repo-add", "own", "--name", "Own", "--url", address)
    fresh.run(*extension, "sync")
    fresh.run(*extension, "install", "own.blender_gid", "--enable")
    assert "blender_gid" in fresh.run(*extension, "list")
    assert (tmp_path / "user" / "extensions" / "own" / "blender_gid" / "gid_engine").is_dir()


def test_the_engine_on_blenders_own_python_fails_in_a_sentence_where_that_lacks_something(blender, tmp_path):
    # Debian's Python has no ensurepip; others come as far as the folder that holds no packages.
    nothing_named = {k: v for k, v in blender.environ.items() if k != "GID_ENGINE_PYTHON"}
    output = replace(blender, environ=nothing_named).script("install_engine.py", tmp_path / "d é")
    says = output.partition("SAYS:")[2]
    assert "lacks the module ensurepip" in says or "packages folder holds no" in says, output
    assert "Traceback" not in output and "STATE: ('INCOMPLETE'" in output


def test_without_numpy_it_is_there_and_says_so(blender, photo):
    output = blender.script("without_numpy.py", photo, options=("--background", "--factory-startup"))
    assert "SAYS:" in output and f'File "{photo}"' not in output


def test_bake_by_the_real_engine_renders_without_the_addon(blender, tmp_path, photo, motion):
    baked, rendered = animated(blender, tmp_path, photo, motion)
    for expected, seen in zip(baked, rendered, strict=True):
        opaque = seen[..., 3] == 255
        assert opaque.any()
        # Blender's way to linear and back rounds, and its sample lies within 0.005 px of the pixel's centre.
        assert np.abs(expected[..., :3] - seen[..., :3])[opaque].max() <= 3
    assert np.abs(baked[0] - baked[2]).mean() > 1  # and it moves


def test_preview_moves_as_the_bake_does(blender, tmp_path, photo, motion):
    baked, preview = animated(blender, tmp_path, photo, motion, "PREVIEW")
    rest = baked[0][..., :3]  # frame 1 is the photo itself
    for expected, seen in zip(baked[1:], preview[1:], strict=True):
        inside = seen[..., 3] == 255
        missed = np.abs(expected[..., :3] - seen[..., :3])[inside].mean()
        moved = np.abs(expected[..., :3] - rest)[inside].mean()
        assert missed < moved / 2, (missed, moved)  # a wrong sign or axis would miss by more than the motion


@pytest.mark.usefixtures("weights")
def test_prediction_by_the_real_engine(blender, tmp_path, photo):
    baked, _ = animated(blender, tmp_path, photo, "predict")
    assert not np.array_equal(baked[0], baked[2])
    assert list((tmp_path / "gid").rglob("*.motion.safetensors"))
