"""Blender's window with the installed add-on, used as an artist does: on a virtual screen, where there is X."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import real_blender
from PIL import Image

SCREENSHOTS = Path(__file__).resolve().parents[2] / "out" / "window"
WIDTH, HEIGHT = 1600, 1000
QUIET_START = (
    "import bpy; bpy.context.preferences.view.show_splash = False; bpy.ops.wm.save_userpref()"  # no welcome
)


@dataclass(frozen=True)
class Screen:
    """Variables that lead a program to a screen, and the file that holds its pixels, if any."""

    environ: dict[str, str]
    pixels: tuple[Path, ...] = ()


@pytest.fixture
def screen(tmp_path):
    if not sys.platform.startswith("linux"):
        yield Screen({})
        return
    try:
        command = real_blender.command("Xvfb")
    except real_blender.Missing as error:
        pytest.skip(f"Blender's window: {error} Install xvfb.")
    size = f"{WIDTH}x{HEIGHT}x24"
    with subprocess.Popen(
        [*command, "-displayfd", "1", "-screen", "0", size, "-nolisten", "tcp", "-fbdir", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            number = server.stdout.readline().decode().strip()
            assert number, "Xvfb did not start"
            environ = {"DISPLAY": f":{number}", "WAYLAND_DISPLAY": "", "LIBGL_ALWAYS_SOFTWARE": "1"}
            yield Screen(environ, (tmp_path / "Xvfb_screen0",))
        finally:
            server.terminate()


def test_an_artists_session(blender, screen, photo, motion):
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)
    SCREENSHOTS.mkdir(parents=True)
    windowed = replace(blender, environ=blender.environ | screen.environ)
    windowed.run("--background", "--python-expr", QUIET_START)
    options = ("--enable-event-simulate", "--window-geometry", "0", "0", str(WIDTH), str(HEIGHT))
    try:
        output = windowed.script(
            "window.py", photo, motion, SCREENSHOTS, *screen.pixels, options=options, timeout=3000
        )
    finally:
        for dump in SCREENSHOTS.glob("*.xwd"):
            picture = Image.fromarray(window_dump(dump.read_bytes()))
            picture.save(dump.with_suffix(".png"))
            if images := os.environ.get("GID_WALKTHROUGH"):  # the pictures of docs/WALKTHROUGH.md
                small = picture.resize((1200, 750), Image.Resampling.LANCZOS)
                small.save(Path(images) / f"walkthrough_{dump.stem}.jpg", quality=82, optimize=True)
            dump.unlink()
    print(output)
    assert "SESSION DONE" in output and "Traceback" not in output
    assert not workers(blender), "the engine's process ends with Blender"


def window_dump(data: bytes) -> np.ndarray:
    """RGB uint8 [H, W, 3] of X's window dump (XWDFile.h) with 32 bits a pixel, blue first."""
    header = np.frombuffer(data, ">u4", 25)
    (size, width, height, stride, colours) = (int(header[i]) for i in (0, 4, 5, 12, 19))
    rows = np.frombuffer(data, np.uint8, stride * height, size + 12 * colours).reshape(height, stride)
    return rows[:, : 4 * width].reshape(height, width, 4)[..., 2::-1]


def workers(blender) -> list[bytes]:
    """Command lines of the installed add-on's engine processes, where there is /proc."""
    user = blender.environ["BLENDER_USER_RESOURCES"].encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, environ = ((process / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue
        if b"gid_engine\0worker" in words and user in environ:
            found.append(words)
    return found
