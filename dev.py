#!/usr/bin/env python3
"""From a fresh machine to a demo or a tested tree in one command. Needs Python 3.11 and nothing else.

    python3.11 dev.py demo [PHOTO] [--out DIR] [MORE...]        bring a photo to life: examples/demo.py
    python3.11 dev.py test [PHOTO] [--bpy 4.2,4.5] [PYTEST...]  run all tests, leg by leg, the fast ones first
    python3.11 dev.py example [--out DIR]                       build a .blend: examples/make_example_blend.py
    python3.11 dev.py window [PYTEST...]                        the session in Blender's window alone
    python3.11 dev.py lint                                      ruff: rules and format

What is missing is installed first, into .venvs/ beside this file and nowhere else. Blender 5.2 is made for Python
3.13: its leg is left out, with a sentence, where there is none. The tests in a real Blender
use the program that the variable BLENDER names, else `blender` from the PATH, else, as root on Linux, Debian's
Blender, which is fetched into a folder of the user's cache.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PYTHON = (3, 11)  # the engine's, and Blender's own up to 5.0: its wheels are made for this version alone
OTHER_PYTHON = {"5.2": (3, 13)}
BLENDERS = "4.2,4.5,5.0,5.2"
NEEDED_GB = 4  # an environment, and pip's copies while it unpacks
PHOTOS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".exr", ".webp", ".bmp")


class Stop(Exception):
    """What keeps the command from going on: a sentence for a person."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="demo|example|test|window|lint")
    commands.add_parser("demo", allow_abbrev=False).add_argument("--out", default=ROOT / "out" / "demo", type=Path)
    commands.add_parser("example", allow_abbrev=False)
    commands.add_parser("window", allow_abbrev=False)
    test_parser = commands.add_parser("test", allow_abbrev=False)
    test_parser.add_argument("--bpy", default=BLENDERS, help=f"Blender versions (default: {BLENDERS})")
    commands.add_parser("lint", allow_abbrev=False)
    options, rest = parser.parse_known_args()
    photo = Path(rest.pop(0)).resolve() if rest and Path(rest[0]).suffix.lower() in PHOTOS else None
    if rest and (options.command == "lint" or not rest[0].startswith("-")):
        parser.error(f"{rest[0]} is not understood; photos end in {', '.join(PHOTOS)}")
    try:
        if sys.version_info[:2] != PYTHON:
            version = "{}.{}".format(*PYTHON)
            raise Stop(f"this is Python {sys.version.split()[0]}: run it with Python {version}, as Blender does.")
        if photo and not photo.is_file():
            raise Stop(f"the photo {photo} does not exist.")
        if options.command == "demo":
            return demo(photo, options.out.resolve(), rest)
        if options.command == "example":
            return run([bpy("4.5"), ROOT / "examples" / "make_example_blend.py", *rest], engine_environment())
        if options.command == "window":
            return window(rest)
        if options.command == "test":
            return test(photo, options.bpy.split(","), rest)
        return lint()
    except Stop as stop:
        print(f"dev.py: {stop}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dev.py: stopped; run it again to go on.", file=sys.stderr)
        return 130


# --- the commands -----------------------------------------------------------------------------------------------


def demo(photo: Path | None, out: Path, rest: list[str]) -> int:
    given = [photo] if photo else []
    return run([bpy("4.5"), ROOT / "examples" / "demo.py", *given, "--out", out, *rest], engine_environment())


def engine_environment() -> dict[str, str]:
    return {"GID_ENGINE_PYTHON": str(engine())}


def window(rest: list[str]) -> int:
    prepare_blender()
    return run([engine(), "-m", "pytest", "-s", Path("tests") / "blender" / "test_window.py", *rest])


def lint() -> int:
    ruff = [engine(), "-m", "ruff"]
    return run([*ruff, "check", "."]) or run([*ruff, "format", "--check", "."])


def test(photo: Path | None, versions: list[str], rest: list[str]) -> int:
    environ = {"GID_TEST_PHOTO": str(photo)} if photo else {}
    python, tests = engine(), Path("tests")
    wheels = {version: wheel for version in versions if (wheel := bpy(version))}
    # A Blender for each file: bpy 5.2 crashes where many files are opened after links and undo in one process.
    files = [[path] for path in sorted((ROOT / tests / "bpy").glob("test_*.py"))]
    legs = [Leg("engine", python, [["tests", "--ignore", tests / "bpy", "--ignore", tests / "blender"]])]
    legs += [Leg(f"add-on in bpy {v}", wheel, files) for v, wheel in wheels.items()]
    legs.append(Leg("installed add-on in Blender", python, [[tests / "blender" / "test_background.py"]]))
    legs.append(Leg("Blender's window", python, [[tests / "blender" / "test_window.py"]]))
    prepare_blender()
    for number, leg in enumerate(legs, 1):
        print(f"\n--- {number} of {len(legs)}: {leg.name}", flush=True)
        leg.run(rest, environ)
    print()
    for leg in legs:
        print(
            f"{leg.name:32}{leg.seconds:6.0f} s  {leg.passed} passed, {leg.failed} failed, {leg.skipped} skipped"
        )
    passed, failed, skipped = (sum(getattr(leg, n) for leg in legs) for n in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


def prepare_blender() -> None:
    """Find or fetch a real Blender; where there is none, its tests are skipped."""
    missing = run([engine(), Path("tests") / "blender" / "real_blender.py", "--prepare"])  # says what it found
    if missing and os.environ.get("BLENDER"):
        raise Stop("the Blender that the variable BLENDER names can't be used.")


class Leg:
    """Runs of pytest one after the other, and what they counted together."""

    def __init__(self, name: str, python: Path, runs: list[list]):
        self.name, self.python, self.runs = name, python, runs
        self.passed = self.failed = self.skipped = 0
        self.seconds = 0.0

    def run(self, more: list[str], environ: dict[str, str]) -> None:
        start = time.monotonic()
        for arguments in self.runs:
            self._run(arguments, more, environ)
        self.seconds = time.monotonic() - start

    def _run(self, arguments: list, more: list[str], environ: dict[str, str]) -> None:
        """A run that ends before its report, or is left without tests though all were asked for, has failed.

        A crash after the report doesn't count: bpy 4.2 crashes at exit once any property had an update callback.
        """
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            code = run([self.python, "-m", "pytest", *arguments, "--junitxml", report, *more], environ)
            try:
                suite = ElementTree.parse(report).find("testsuite")
            except (OSError, ElementTree.ParseError):
                suite = None
        if suite is None:
            self.failed += 1
            return
        names = ("tests", "failures", "errors", "skipped")
        total, failures, errors, skipped = (int(suite.get(name)) for name in names)
        failed = failures + errors
        self.passed += max(total - failed - skipped, 0)
        self.skipped += skipped
        stopped = code in (2, 3, 4)  # pytest: interrupted, internal error, wrong usage
        self.failed += failed or int(stopped or (not total and not more))


# --- environments -----------------------------------------------------------------------------------------------


def engine() -> Path:
    return environment("engine", sys.executable, "engine-cpu", "test")


def bpy(version: str) -> Path | None:
    """The Python with Blender of that version as a module; None, and a sentence, where its Python is not here."""
    base = sys.executable
    if wanted := OTHER_PYTHON.get(version):
        base = find_python(*wanted)
        if base is None:
            print("SKIPPED: Blender {}: there is no Python {}.{} here.".format(version, *wanted), file=sys.stderr)
            return None
    return environment(f"bpy-{version}", base, f"blender-{version}")


def find_python(major: int, minor: int) -> str | None:
    """Another version of Python: on the PATH, or one of pyenv's, which keeps them aside."""
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for python in (f"python{major}.{minor}", *sorted(kept.glob(f"{major}.{minor}.*/bin/python"))):
        found = shutil.which(python)
        if found and starts(Path(found)):  # pyenv's shims are there also for versions that are not active
            return found
    return None


def environment(name: str, base: str, *lists: str) -> Path:
    """The Python of .venvs/NAME, made by another Python, with what requirements/LIST.txt ask for.

    The file .ready holds a hash of the lists it was made from. Where it is missing, the environment is not whole
    and is made anew; where it differs, the lists have changed and are installed over it.
    """
    folder = ROOT / ".venvs" / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    marker = folder / ".ready"
    files = [ROOT / "requirements" / f"{entry}.txt" for entry in lists]
    if missing := [file for file in files if not file.is_file()]:
        raise Stop(f"there is no {missing[0].relative_to(ROOT)}.")
    wanted = hashlib.sha256(b"\0".join(text for file in files for text in contents(file))).hexdigest()
    whole = marker.is_file() and starts(python)
    if whole and marker.read_text() == wanted:
        return python
    print(f"Installing {folder.relative_to(ROOT)}: at the first time some minutes and gigabytes.", flush=True)
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GB:
        raise Stop(f"{ROOT} has {free:.1f} GB free, and {NEEDED_GB} are needed.")
    marker.unlink(missing_ok=True)
    if not whole and run([base, "-m", "venv", "--clear", folder]):
        raise Stop(f"{folder} could not be made (above is why). Debian and Ubuntu: install python3.11-venv.")
    asked = [argument for file in files for argument in ("-r", file)]
    if run([python, "-m", "pip", "install", "--disable-pip-version-check", *asked]):
        raise Stop(
            "pip could not install the packages (above is why): check network and disk, and run this again."
        )
    marker.write_text(wanted)
    return python


def contents(file: Path) -> Iterator[bytes]:
    """A list's text, and that of the lists it includes (-r, -c)."""
    text = file.read_text(encoding="utf-8")
    yield text.encode()
    for line in text.splitlines():
        if line.startswith(("-r ", "-c ")):
            yield from contents(file.parent / line[3:].strip())


def starts(python: Path) -> bool:
    """Whether an environment's Python runs: the one it was made from may be gone."""
    return python.is_file() and subprocess.run([str(python), "-c", ""], capture_output=True).returncode == 0


def run(command: list, environ: dict[str, str] | None = None) -> int:
    """Run a program in the tree's root and let it print; its exit code."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        return subprocess.run([str(c) for c in command], cwd=ROOT, env=inherited | (environ or {})).returncode
    except OSError as error:
        raise Stop(f"{command[0]} could not be started: {error.strerror}.") from error


if __name__ == "__main__":
    raise SystemExit(main())
