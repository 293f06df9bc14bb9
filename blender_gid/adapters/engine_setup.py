"""The engine's own environment, as the preferences ask for it: install, repair and remove it."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..core import backends, engine, installer
from ..core.client import blender_python
from ..core.engine import GidError
from . import compat, jobs
from .jobs import Running


def state() -> tuple[str, str]:
    """(READY, MISSING, INCOMPLETE, OUTDATED or OTHER: a Python of the user's own; a sentence)."""
    folder = jobs.engine_folder()
    try:
        python = jobs.engine_python()
    except GidError as error:
        kind = error.code.removeprefix("engine_").upper()
        return (kind if kind in ("INCOMPLETE", "OUTDATED") else "MISSING"), error.message
    if not Path(python).is_relative_to(folder):
        return "OTHER", f"The engine runs in a Python of your own: {python}"
    found = installer.installed(folder)
    return "READY", f"Installed for {NAMES[found['backend']]} in {folder}"


#: Backends as people call them.
NAMES = {
    "cpu": "CPU",
    "cuda": "NVIDIA CUDA",
    "cuda126": "NVIDIA CUDA 12.6",
    "rocm": "AMD ROCm",
    "mps": "Apple Metal",
}


def install() -> Running:
    """Install or update the engine, or go on with it. GidError where that can't be begun."""
    sources = _sources()
    preferences = compat.preferences()
    name, why = getattr(preferences, "backend", "auto"), ""
    if name == "auto":
        name, why = backends.detect()
    chosen = getattr(preferences, "base_python", "")
    python = bpy.path.abspath(chosen) if chosen else blender_python()
    folder, backend = jobs.engine_folder(), backends.BACKENDS[name]

    def finish(result: dict) -> str:
        return f"The engine is installed for {NAMES[name]}, with PyTorch {result['torch']}. {why}".strip()

    return jobs.start_setup(
        lambda: installer.Installation(folder, engine.VERSION, python, _log(), backend, **sources), finish
    )


def repair() -> Running:
    """Check the engine's files and bring back what is missing or damaged. GidError where there is no engine."""
    sources = _sources()

    def finish(result: dict) -> str:
        mended = result["damaged"]
        return f"The engine is repaired: {', '.join(mended)}." if mended else "The engine is whole and works."

    return jobs.start_setup(lambda: installer.Repair(jobs.engine_folder(), _log(), **sources), finish)


def remove() -> Running:
    """Remove what an installation has made. GidError where there is none."""
    folder = jobs.engine_folder()
    return jobs.start_setup(lambda: installer.Removal(folder, _log()), lambda result: "The engine is removed.")


def _sources() -> dict:
    """Where packages come from. GidError where that is the network and Blender may not use it."""
    preferences = compat.preferences()
    wheels = getattr(preferences, "wheels_folder", "")
    refusal = compat.network_refusal()
    if refusal and not wheels:
        raise GidError(
            "offline", "Blender may not use the network.", f"{refusal}, or choose a folder of packages."
        )
    folder = Path(bpy.path.abspath(wheels)) if wheels else None
    return {"wheels": folder, "index": getattr(preferences, "pytorch_index", "")}


def _log() -> Path:
    return compat.user_folder("logs") / "install.log"
