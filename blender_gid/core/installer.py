"""The engine's own environment: made with venv and pip in a folder of the user's, outside Blender and add-on.

The folder's `.version` says "incomplete" until everything is installed and has answered.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import paths
from .client import clean_environment
from .engine import ENGINE_ROOT, GidError

REQUIREMENTS = ENGINE_ROOT / "requirements" / "engine.txt"
_INCOMPLETE = "incomplete"
# torch with its libraries, and pip's copies while it unpacks: on Linux NVIDIA's libraries come along.
_NEEDED_BYTES = (8 if sys.platform == "linux" else 3) << 30
_TRY = "from gid_engine import jobs; raise SystemExit(jobs.engine_facts().get('problem'))"
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)


def default_folder() -> Path:
    """A folder of the user's that outlives versions of Blender."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "blender_gid" / "engine"


def environment_python(folder: Path) -> Path:
    return folder / "env" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def installed_python(folder: Path) -> Path:
    """The Python of a finished installation. GidError where there is none."""
    try:
        version = (folder / ".version").read_text(encoding="utf-8").strip()
    except OSError:
        version = ""
    if version == _INCOMPLETE:
        raise GidError(
            "engine_incomplete", f"The engine in {folder} is not installed to the end.", "Install it again."
        )
    python = environment_python(folder)
    if not version or not python.is_file():
        raise GidError("engine_missing", "The engine is not installed.", "Install it in the add-on's preferences.")
    return python


class Installation:
    """Making the environment: same face as `core.job.Job`, so that it is shown and cancelled alike."""

    title = "Installing the engine"

    def __init__(self, folder: Path, version: str, python: str, log: Path, wheels: Path | None = None):
        """python: the one to base the environment on; wheels: folder to install from without a network.

        GidError where the folder can't be written to, holds something else, or has too little space.
        """
        _check(folder)
        environment = str(environment_python(folder))
        pip = [environment, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        source = ["--no-index", "--find-links", str(wheels)] if wheels else []
        self._steps = [
            ("Making the environment", [python, "-m", "venv", "--clear", str(folder / "env")]),
            ("Installing packages", [*pip, *source, "-r", str(REQUIREMENTS)]),
            ("Trying the engine", [environment, "-s", "-c", _TRY]),
        ]
        self._folder, self._version, self._log = folder, version, log
        self._process: subprocess.Popen | None = None
        self._step = -1
        self.state, self.fraction, self.message = "RUNNING", 0.0, "Starting"
        self.result: dict = {}
        self.error: GidError | None = None
        self.seconds_left = None
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_bytes(b"")
            (folder / ".version").write_text(_INCOMPLETE, encoding="utf-8")
        except OSError as error:
            raise GidError(
                "cannot_write",
                f"{folder} can't be written to: {error.strerror or error}.",
                "Choose another engine folder in the preferences.",
            ) from error
        self._next()

    @property
    def finished(self) -> bool:
        return self.state in ("DONE", "FAILED", "CANCELLED")

    def poll(self) -> bool:
        if self.finished or self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            line = self._last_line()
            changed = line != self.message
            self.message = line or self.message
            return changed
        if code:
            self._fail(f"{self._steps[self._step][0]} failed: {self._last_line() or f'exit code {code}'}.")
        else:
            self._next()
        return True

    def cancel(self) -> None:
        """Stop at once. The environment stays marked as incomplete."""
        if not self.finished:
            self._end_process()
            self.state, self.message = "CANCELLED", "Cancelled"

    abandon = cancel

    def _next(self) -> None:
        self._step += 1
        self.fraction = self._step / len(self._steps)
        if self._step == len(self._steps):
            (self._folder / ".version").write_text(self._version, encoding="utf-8")
            self.state, self.message = "DONE", "Done"
            return
        self.message, command = self._steps[self._step]
        try:
            with open(self._log, "ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self._folder,
                    env=clean_environment(ENGINE_ROOT),
                    creationflags=_NO_WINDOW,
                )
        except OSError as error:
            self._fail(f"{command[0]} could not be started: {error.strerror or error}.")

    def _fail(self, sentence: str) -> None:
        self.error = GidError("install_failed", sentence, f"The whole log is in {self._log}.")
        self.state, self.message = "FAILED", str(self.error)

    def _end_process(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _last_line(self) -> str:
        try:
            with open(self._log, "rb") as file:
                file.seek(max(0, self._log.stat().st_size - 2000))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip()[:160] for line in reversed(lines) if line.strip()), "")


def _check(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / ".version").is_file():
        raise GidError(
            "folder_in_use", f"{folder} holds other files.", "Choose an empty engine folder in the preferences."
        )
    if not REQUIREMENTS.is_file():
        raise GidError("addon_damaged", f"{REQUIREMENTS} is missing.", "Install the add-on again.")
    paths.writable_folder(folder)
    free = shutil.disk_usage(folder).free
    if free < _NEEDED_BYTES:
        raise GidError(
            "disk_full",
            f"{folder} has {free / 2**30:.1f} GiB of free space; the engine needs {_NEEDED_BYTES >> 30} GiB.",
            "Free some space, or choose another engine folder in the preferences.",
        )
