"""Generative Image Dynamics for Blender: a still photo becomes a plane that sways, blows and answers a touch.

core/ holds what needs no Blender, adapters/ touches Blender's data, operators/ and ui/ are thin. The heavy work
happens in a child process (`gid_engine worker`) with a Python environment of its own.
"""

from . import operators, ui
from .adapters import jobs, properties

_PARTS = (properties, operators, ui, jobs)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
