"""The engine's own environment: made with venv and pip in a folder of the user's, outside Blender and add-on.

FOLDER/gid_engine.json   what is installed, or "incomplete"; written whole, by renaming
FOLDER/env               the environment in use
FOLDER/env.old           the one before, until the new one has been checked
FOLDER/cache             pip's downloads, until the installation is whole
FOLDER/lock              held by the Blender that is changing all this
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Generator
from pathlib import Path

from . import backends, process
from .backends import BACKENDS, Backend
from .engine import GidError
from .setup import FolderLock, Setup, Step

MARKER = "gid_engine.json"
_CHECK = Path(__file__).with_name("check_engine.py")
_PROBE = """
import sys
if sys.version_info < (3, 11):
    sys.exit(f"Python 3.11 or newer is needed, and this is {sys.version.split()[0]}. Choose another Base Python.")
try:
    import ensurepip, venv
except ImportError as error:
    sys.exit(f"This Python lacks the module {error.name}: install python3-venv, or choose another Base Python.")
"""
_OTHER_FOLDER = "Choose another engine folder in the preferences."
_REMOVE = "import shutil, sys\nfor path in sys.argv[1:]: shutil.rmtree(path)"


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


def installed(folder: Path) -> dict:
    """What the folder's marker says: {} where there is none. state: "ready" or "incomplete"."""
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def installed_python(folder: Path) -> Path:
    """The Python of a finished installation that fits this add-on. GidError where there is none."""
    _recover(folder)
    found, python = installed(folder), environment_python(folder)
    if not found:
        raise GidError("engine_missing", "The engine is not installed.", "Install it in the add-on's preferences.")
    if found.get("state") != "ready" or not python.is_file():
        raise GidError(
            "engine_incomplete",
            f"The engine in {folder} is not installed to the end.",
            "Install it again: it goes on where it stopped.",
        )
    backend = BACKENDS.get(found.get("backend"))
    if backend is None or found.get("lock") != backends.fingerprint(backend.lock):
        raise GidError(
            "engine_outdated",
            f"The engine in {folder} was installed by another version of the add-on ({found.get('version')}).",
            "Install it again in the add-on's preferences.",
        )
    return python


class EngineSetup(Setup):
    """What all work on the engine's folder has: pip in its environment, and a check."""

    def __init__(self, folder: Path, log: Path, wheels: Path | None = None, index: str = ""):
        """wheels: folder to install from without a network; index: where PyTorch comes from, instead of its own.

        GidError where another Blender works on the folder, or it holds something else.
        """
        self._wheels, self._index = wheels, index
        if folder.is_dir() and not installed(folder) and any(path.name != "lock" for path in folder.iterdir()):
            raise GidError("folder_in_use", f"{folder} holds other files.", _OTHER_FOLDER)
        if wheels and not wheels.is_dir():
            raise GidError(
                "wheels_missing", f"The packages folder {wheels} does not exist.", "Choose another one."
            )
        super().__init__(folder, log, offline=wheels is not None)

    def _check(self, backend: Backend, share: float) -> Step:
        python, lock = str(environment_python(self._folder)), json.dumps(backends.pins(backend.lock))
        return Step("Checking the engine", [python, "-s", str(_CHECK), lock, backend.name], share, optional=True)

    def _facts(self) -> dict:
        """What the check has found."""
        try:
            return json.loads(self._printed().splitlines()[-1])
        except (ValueError, IndexError):
            ended = process.why_it_ended(self._process.returncode)
            return {"problem": f"The engine's Python ended in the middle ({ended}).", "damaged": []}

    def _pip(self, *arguments: str) -> list[str]:
        bar = ["--progress-bar", "raw"] if _pip_is_new(self._folder) else []
        source = ["--no-index", "--find-links", str(self._wheels)] if self._wheels else []
        python = str(environment_python(self._folder))
        return [python, "-m", "pip", "install", "--only-binary", ":all:", *bar, *source, *arguments]

    def _pytorch(self, backend: Backend, share: float, *options: str) -> Generator[Step, int, bool]:
        """Fetch PyTorch from where its builds are published, if not from a folder; whether it is there now."""
        index = self._index or backend.index
        if not index or self._wheels:
            return False
        # Once only: where PyPI serves as well, a server that is out of reach must not hold things up.
        pip = self._pip("--index-url", index, "--retries", "1", *options)
        asked = f"torch=={backends.pins(backend.lock)['torch']}"
        return not (yield Step("Fetching PyTorch", [*pip, asked], share, {"torch": ""}, backend.pypi_serves))


class Installation(EngineSetup):
    """Making the environment, or going on with one that was interrupted; one that works stays until then."""

    title = "Installing the engine"

    def __init__(self, folder: Path, version: str, python: str, log: Path, backend: Backend, **sources):
        """python: the one to base the environment on; sources: as for EngineSetup.

        GidError where the folder can't be written to, or has too little space.
        """
        self._version, self._python, self._backend = version, python, backend
        super().__init__(folder, log, **sources)

    def _begin(self) -> None:
        if not self._backend.lock.is_file():
            raise GidError("addon_damaged", f"{self._backend.lock} is missing.", "Install the add-on again.")
        _check_space(self._folder, self._backend.needed_gib)
        _restore(self._folder)
        if not installed(self._folder):
            _write_marker(self._folder, self._marker("incomplete"))

    def _marker(self, state: str) -> dict:
        lock = backends.fingerprint(self._backend.lock)
        return {"state": state, "version": self._version, "backend": self._backend.name, "lock": lock}

    def _work(self) -> Generator[Step, int, None]:
        folder, lock = self._folder, self._backend.lock
        pins = backends.pins(lock)
        yield Step("Looking at Python", [self._python, "-c", _PROBE], 0.01)
        yield from self._clear_up("env.old", "env.broken")
        if installed(folder) != self._marker("incomplete") or not environment_python(folder).is_file():
            self._set_aside()
            yield Step(
                "Making the environment", [self._python, "-m", "venv", "--clear", str(folder / "env")], 0.03
            )
        # An old pip does it as well, but keeps quiet about how far it is.
        yield Step("Preparing pip", self._pip(f"pip=={pins['pip']}"), 0.02, {"pip": ""}, optional=True)
        yield from self._pytorch(self._backend, 0.5)
        yield Step("Fetching the packages", self._pip("-r", str(lock)), 0.35, pins)
        yield self._check(self._backend, 0.08)
        self.result = self._facts()
        if problem := self.result["problem"]:
            raise GidError("install_failed", problem, "")
        _write_marker(folder, self._marker("ready"))
        yield from self._clear_up("cache", "env.old")

    def _set_aside(self) -> None:
        folder, before = self._folder, installed(self._folder)
        try:
            if before["state"] == "ready" and environment_python(folder).is_file():
                _write_marker(folder / "env", before)
                (folder / "env").rename(folder / "env.old")
        except OSError as error:
            raise GidError(
                "engine_in_use",
                f"The engine in {folder} is in use: {error.strerror}.",
                "Close other Blenders and programs that use it.",
            ) from error
        _write_marker(folder, self._marker("incomplete"))

    def _clear_up(self, *names: str) -> Generator[Step, int, None]:
        if rest := [str(path) for name in names if (path := self._folder / name).exists()]:
            yield Step("Clearing up", [self._python, "-c", _REMOVE, *rest], 0.01, optional=True)

    def _undo(self) -> None:
        _restore(self._folder)


class Repair(EngineSetup):
    """Checking every file of the environment, and installing what is missing or damaged."""

    title = "Checking and repairing the engine"

    def _begin(self) -> None:
        installed_python(self._folder)
        self._backend = BACKENDS[installed(self._folder)["backend"]]

    def _work(self) -> Generator[Step, int, None]:
        yield self._check(self._backend, 0.2)
        facts = self._facts()
        damaged = facts["damaged"]
        if damaged:
            yield from self._mend({n: v for n, v in backends.pins(self._backend.lock).items() if n in damaged})
            yield self._check(self._backend, 0.2)
            facts = self._facts()
        if problem := facts["problem"]:
            raise GidError("engine_problem", problem, "If it stays, remove the engine and install it again.")
        self.result = facts | {"damaged": damaged}
        shutil.rmtree(self._folder / "cache", ignore_errors=True)

    def _mend(self, asked: dict[str, str]) -> Generator[Step, int, None]:
        anew = ("--force-reinstall", "--no-deps")
        if "pip" in asked:
            python = str(environment_python(self._folder))
            yield Step("Mending pip", [python, "-m", "ensurepip", "--upgrade"], 0.1)
        if "torch" in asked and (yield from self._pytorch(self._backend, 0.3, *anew)):
            del asked["torch"]
        if asked:
            wanted = [f"{name}=={version}" for name, version in asked.items()]
            yield Step("Mending packages", self._pip(*anew, *wanted), 0.3, asked)


class Removal(EngineSetup):
    """Removing what an installation has made, and nothing else."""

    title = "Removing the engine"

    def _begin(self) -> None:
        if not installed(self._folder):
            raise GidError("not_ours", f"{self._folder} holds no engine that the add-on installed.", "")
        _write_marker(self._folder, installed(self._folder) | {"state": "incomplete"})

    def _work(self) -> Generator[Step, int, None]:
        names = ("env", "env.old", "env.broken", "cache")
        if ours := [str(path) for name in names if (path := self._folder / name).exists()]:
            yield Step("Removing the engine", [sys.executable, "-c", _REMOVE, *ours], 1.0)
        (self._folder / MARKER).unlink(missing_ok=True)

    def _finish(self, state: str, message: str) -> None:
        super()._finish(state, message)
        if state == "DONE":
            with contextlib.suppress(OSError):  # other things lie beside it
                self._folder.rmdir()


def _recover(folder: Path) -> None:
    """Put back what an installation has set aside whose Blender is gone."""
    if installed(folder).get("state") != "ready" and (folder / "env.old" / MARKER).is_file():
        with contextlib.suppress(GidError, OSError):  # another Blender is still at it
            lock = FolderLock(folder)
            try:
                _restore(folder)
            finally:
                lock.release()


def _restore(folder: Path) -> None:
    """Put back the environment that an installation has set aside and not brought to its end."""
    env, old, broken = (folder / name for name in ("env", "env.old", "env.broken"))
    if installed(folder).get("state") == "ready" or not (old / MARKER).is_file():
        return
    before = installed(old)
    if env.exists():
        if broken.exists():
            shutil.rmtree(broken)
        env.rename(broken)  # deleting it takes a while, and is left to the next installation
    old.rename(env)
    _write_marker(folder, before)


def _write_marker(folder: Path, content: dict) -> None:
    part = folder / f"{MARKER}.part"
    part.write_text(json.dumps(content), encoding="utf-8")
    os.replace(part, folder / MARKER)


def _pip_is_new(folder: Path) -> bool:
    """Whether the environment's pip can say how far it is (24.1 on)."""
    places = ("Lib/site-packages", "lib/python3*/site-packages")
    versions = [
        info.name[4:].split(".") for at in places for info in (folder / "env").glob(f"{at}/pip-*.dist-info")
    ]
    return any(int(major) > 24 or (int(major) == 24 and minor != "0") for major, minor, *_ in versions)


def _check_space(folder: Path, gib: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < gib << 30:
        raise GidError(
            "disk_full",
            f"{folder} has {free / 2**30:.1f} GiB of free space; the engine needs {gib} GiB.",
            f"Free some space. {_OTHER_FOLDER}",
        )
