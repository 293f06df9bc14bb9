"""Bake a .blend file's animated photos with the bpy wheel, like `blender -b FILE --command gid_bake`:

    BPY_PYTHON examples/bake.py FILE.blend [--planes NAME …] [--frames A-B] [--new-version] [--no-save] [--check]

GID_ENGINE_PYTHON names the engine's Python where it is not installed for Blender. The exit code is 0 where
everything went well; --check lists what a render farm would miss instead.
"""

import os
import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    import addon_utils  # comes with bpy

    addon_utils.enable("blender_gid")
    from blender_gid.operators.farm import bake_command, check_command

    bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
    arguments = sys.argv[2:]
    if "--check" in arguments:
        return check_command([argument for argument in arguments if argument != "--check"])
    return bake_command(arguments)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(
        code
    )  # bpy 4.2 crashes as it ends where an add-on has properties that call back: the code would be lost
