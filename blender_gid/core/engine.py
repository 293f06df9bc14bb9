"""The engine as Blender's process sees it: where it lies, and its numpy-only room `motion`.

In the built add-on `gid_engine` is a folder of the package; in the development tree it lies beside it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

_PACKAGE = Path(__file__).resolve().parents[1]
_BUNDLED = (_PACKAGE / "gid_engine").is_dir()

#: The folder that contains `gid_engine`: what a child process needs as its PYTHONPATH.
ENGINE_ROOT = _PACKAGE if _BUNDLED else _PACKAGE.parent


def _import(room: str) -> ModuleType:
    prefix = f"{__package__.rpartition('.')[0]}." if _BUNDLED else ""
    return importlib.import_module(f"{prefix}gid_engine{room}")


VERSION: str = _import("").__version__
_errors = _import(".errors")
GidError, Cancelled = _errors.GidError, _errors.Cancelled

#: The module `gid_engine.motion`, or None where Blender lacks numpy; then `problem` says so.
motion: ModuleType | None
problem: str
try:
    motion, problem = _import(".motion"), ""
except ImportError as error:
    motion, problem = None, f"Blender's Python lacks numpy ({error}): use a build of Blender that includes it."


def write_file(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all. GidError (disk, rights)."""
    motion.motion_file.write_whole(path, [data])
