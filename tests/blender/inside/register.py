"""Runs in Blender: the installed add-on is on, goes without a trace, and comes back."""

import sys

import addon_utils
import bpy

ADDON = "bl_ext.user_default.blender_gid"


def traces() -> list[str]:
    """What the add-on has in Blender at the moment."""
    operators = [name for name in dir(bpy.ops.gid) if hasattr(bpy.types, f"GID_OT_{name}")]
    types = [name for name in dir(bpy.types) if name.startswith("GID_")]
    properties = [t.__name__ for t in (bpy.types.Object, bpy.types.Scene) if hasattr(t, "gid")]
    lists = [getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)]
    ours = [f for each in lists if isinstance(each, list) for f in each if f.__module__.startswith(ADDON)]
    return sorted([*operators, *types, *properties, *map(str, ours)])


assert ADDON in bpy.context.preferences.addons, list(bpy.context.preferences.addons.keys())
assert "torch" not in sys.modules
engine = sys.modules[f"{ADDON}.gid_engine"]
assert engine.__path__[0].startswith(sys.modules[ADDON].__path__[0])  # the zip's own, not some other
before = traces()
assert "Object" in before and "GID_OT_bake" in before
for _ in range(2):
    addon_utils.disable(ADDON)
    assert not traces(), traces()
    addon_utils.enable(ADDON)
    assert len(traces()) == len(before)
# In German, where this Blender comes with its languages.
view = bpy.context.preferences.view
if german := next((name for name in ("de_DE", "de") if name in bpy.app.translations.locales), ""):
    view.language, view.use_translate_interface = german, True
    assert bpy.app.translations.pgettext_iface("Predict Motion", "Operator") == "Bewegung vorhersagen"
    print("GERMAN")
print("REGISTERED")
