"""Generative Image Dynamics for Blender: a still photo becomes a plane that sways, blows and answers a touch.

core/ holds what needs no Blender, adapters/ touches Blender's data, operators/ and ui/ are thin. The heavy work
happens in a child process (`gid_engine worker`) with a Python environment of its own.
"""


def _parts():
    # Imported late, so that core/ can be used and tested where there is no bpy.
    from . import operators, ui
    from .adapters import files, follow, jobs, properties, watch

    return properties, operators, ui, files, jobs, watch, follow


def register() -> None:
    for part in _parts():
        part.register()


def unregister() -> None:
    for part in reversed(_parts()):
        part.unregister()
