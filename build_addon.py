#!/usr/bin/env python3
"""Build the Blender extension: one zip with the add-on, the engine and its weights.

The same sources give the same bytes: files sorted, one fixed time stamp. Needs nothing but Python.

    python build_addon.py --output-dir dist [--validator PATH/blender_ext.py]
    python build_addon.py --repository DIR      a folder to put on any web server: an extension repository

One zip serves all platforms: it holds no binaries. What depends on the machine, PyTorch above all, is installed by
the add-on's preferences into an environment of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LIMIT = 60_000_000  # bytes
_TIME = (2026, 1, 1, 0, 0, 0)
_ENGINE_WITHOUT = ("training", "evaluation")  # rooms that an artist's Blender never enters
_JUNK_SUFFIXES = (".pyc", ".part", ".blend1")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the Blender extension as a zip.")
    parser.add_argument(
        "--output-dir", type=Path, default=ROOT / "dist", help="folder for the zip (default: dist)"
    )
    parser.add_argument(
        "--validator", type=Path, help="Blender's blender_ext.py (default: the blender on the PATH)"
    )
    parser.add_argument("--repository", type=Path, help="make this folder a self-hosted extension repository")
    options = parser.parse_args(arguments)
    try:
        target = build(options.repository or options.output_dir)
        size = target.stat().st_size
        print(f"{target}  {size / 1e6:.1f} MB")
        tool = extension_tool(options.validator)
        if tool:
            run(tool, "validate", str(target))
        if options.repository:
            if not tool:
                raise RuntimeError(
                    "a repository needs Blender's own tools: put blender on the PATH or --validator"
                )
            run(tool, "server-generate", f"--repo-dir={options.repository}", "--html")
            print("In Blender: Preferences > Get Extensions > Repositories > +, and the address of its index.json")
    except (OSError, RuntimeError) as error:
        print(f"build_addon.py: {error}", file=sys.stderr)
        return 1
    return 0


def build(folder: Path) -> Path:
    """Write ID-VERSION.zip into the folder; it appears whole or not at all. RuntimeError above LIMIT."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{manifest['id']}-{manifest['version']}.zip"
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}-", suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for name, source in sorted(contents()):
                entry = zipfile.ZipInfo(name, _TIME)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, source.read_bytes(), compresslevel=9)
        if (size := Path(temporary).stat().st_size) > LIMIT:
            raise RuntimeError(f"the zip would have {size / 1e6:.1f} MB, more than {LIMIT / 1e6:.0f} MB")
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target


def contents() -> Iterator[tuple[str, Path]]:
    """(name in the zip, file) of everything that belongs into the add-on."""
    for name in ("blender_manifest.toml", "LICENSE"):
        yield name, ROOT / name
    for path in _files(ROOT / "blender_gid"):
        yield path.relative_to(ROOT / "blender_gid").as_posix(), path
    for path in _files(ROOT / "gid_engine"):
        inner = path.relative_to(ROOT)
        # The room itself stays, empty: the command line looks into each for its verb.
        if inner.parts[1] not in _ENGINE_WITHOUT or inner.parts[2:] == ("__init__.py",):
            yield inner.as_posix(), path
    for path in (ROOT / "requirements").glob("*.txt"):
        if path.name.startswith(("engine", "nvidia")):
            yield path.relative_to(ROOT).as_posix(), path


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(ROOT).parts)
        if path.is_file() and not hidden and path.suffix not in _JUNK_SUFFIXES:
            yield path


def extension_tool(script: Path | None) -> list[str]:
    """The command line of Blender's tool for extensions; empty where there is none."""
    if script:
        return [sys.executable, str(script)]
    blender = shutil.which("blender")
    return [blender, "--factory-startup", "--command", "extension"] if blender else []


def run(tool: list[str], *arguments: str) -> None:
    """Let Blender's tool work. RuntimeError if it refuses."""
    result = subprocess.run([*tool, *arguments], capture_output=True, text=True)
    print((result.stdout + result.stderr).strip())
    if result.returncode:
        raise RuntimeError(f"Blender's tool refuses: {arguments[0]}")


if __name__ == "__main__":
    raise SystemExit(main())
