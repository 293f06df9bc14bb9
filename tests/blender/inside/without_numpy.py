"""Runs in Blender with --factory-startup: as in builds that lack numpy, the add-on is there and says so."""

import sys

sys.modules["numpy"] = None  # `import numpy` raises ImportError from now on

import addon_utils  # noqa: E402
import bpy  # noqa: E402

ADDON = "bl_ext.user_default.blender_gid"
assert addon_utils.enable(ADDON) is not None
problem = sys.modules[f"{ADDON}.core.engine"].problem
assert "numpy" in problem
assert not bpy.ops.gid.predict.poll()
try:
    bpy.ops.gid.import_photo(filepath=sys.argv[-1])
except RuntimeError as error:
    assert "Traceback" not in str(error), error
addon_utils.disable(ADDON)
print("SAYS:", problem)
