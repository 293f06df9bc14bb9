"""Build an example to open in Blender: two photos, two minutes of weather, markers that say what to look at.

Run by a Python with the bpy wheel (`python dev.py example` sets everything up), or inside Blender:
    BPY_PYTHON examples/make_example_blend.py [--out DIR]
The engine's interpreter is taken from GID_ENGINE_PYTHON. The file holds its photos and plays without the add-on.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from math import pi
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

FPS = 24
# Seconds into the film, what the marker says, amplitude and wind strength there.
SCORE = (
    (0, "Still air", 0.3, 0.0),
    (20, "Gentle sway", 0.8, 0.1),
    (40, "A breeze gets up", 1.0, 0.6),
    (60, "Gusts", 1.1, 1.2),
    (80, "Touches", 0.4, 0.0),
    (100, "Storm", 1.6, 2.0),
    (118, "And calm again", 0.3, 0.0),
)
TOUCHES = ((82, 0.0, 0.015), (88, pi, 0.02), (94, pi / 4, 0.02))  # second, direction, strength
LENGTH = 120  # seconds
README = """Two photos, brought to life. Press Space: the previews play, without the add-on too.

In two minutes:
1. Follow the markers in the timeline: each names what the weather does there.
2. Select a photo and open the sidebar (N), tab Animate Photo. The controls are keyed: scrub and watch them.
3. Panel Motion, the list in its header: choose Storm, then Gentle.
4. Panel Touches, Draw Touch: drag over the photo from the place that is pushed.
5. Bake Frames renders the engine's full quality and shows it in place of the preview.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE.parent / "out" / "example")
    given = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    args = parser.parse_args(given)
    with tempfile.TemporaryDirectory(prefix="gid-example-") as user:
        os.environ["BLENDER_USER_RESOURCES"] = user  # the user's own Blender settings stay untouched
        return build(args.out.resolve() / "example.blend")


def build(blend: Path) -> int:
    import bpy  # before addon_utils, which comes with it
    from addon_utils import disable, enable

    enable("blender_gid", default_set=True)
    try:
        blend.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        scene = bpy.context.scene
        scene.frame_start, scene.frame_end, scene.render.fps = 1, LENGTH * FPS, FPS
        bpy.ops.wm.save_as_mainfile(filepath=str(blend))
        planes = [animate(HERE / name, scene) for name in ("aster.jpg", "blackthorn.jpg")]
        side_by_side(planes, scene)
        for second, name, *_ in SCORE:
            scene.timeline_markers.new(name, frame=frame_at(second))
        bpy.data.texts.new("Read me").write(README)
        bpy.ops.file.pack_all()
        bpy.ops.wm.save_mainfile()
    except (RuntimeError, OSError) as error:  # an operator's report: already a sentence
        print(str(error).removeprefix("Error: ").strip(), file=sys.stderr)
        return 2
    finally:
        disable("blender_gid")
    print(f"{blend} ({blend.stat().st_size / 1e6:.1f} MB)")
    return 0


def animate(photo: Path, scene):
    """A plane of the photo with its predicted motion, the weather keyed on its controls, and touches."""
    import bpy

    bpy.ops.gid.import_photo(filepath=str(photo))
    plane = bpy.context.object
    bpy.ops.gid.predict()
    plane.gid.loop_frames = 0
    for second, _, amplitude, wind in SCORE:
        plane.gid.amplitude, plane.gid.wind_strength = amplitude, wind
        for name in ("amplitude", "wind_strength"):
            plane.keyframe_insert(f"gid.{name}", frame=frame_at(second))
    for second, direction, strength in TOUCHES:
        touch = plane.gid.impulses.add()
        touch.frame, touch.location, touch.radius = frame_at(second), (0.5, 0.6), 0.12
        touch.direction, touch.strength = direction, strength
    bpy.ops.gid.update_preview()
    return plane


def side_by_side(planes, scene) -> None:
    """The planes next to each other in front of a camera, in the photos' own colours."""
    import bpy

    edge = 0.0
    for plane in planes:
        plane.location = (edge + plane.dimensions.x / 2, 0, 0)
        edge += plane.dimensions.x * 1.05
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.data.type, camera.data.ortho_scale = "ORTHO", edge
    camera.location, camera.rotation_euler = (edge / 2, -10, 0), (pi / 2, 0, 0)
    scene.render.resolution_x, scene.render.resolution_y = 1280, 720
    bpy.ops.gid.standard_view()


def frame_at(second: float) -> int:
    return 1 + round(second * FPS)


if __name__ == "__main__":
    raise SystemExit(main())
