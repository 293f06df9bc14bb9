"""The whole way, by the add-on's own operators: photo → plane → motion → keyframes → bake → rendered animation.

Run by a Python with the bpy wheel (`python dev.py demo [PHOTO]` sets everything up), or inside Blender:
    BPY_PYTHON examples/demo.py [PHOTO] [--out DIR] [--frames N] [--seed N]
The engine's interpreter is taken from GID_ENGINE_PYTHON.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", nargs="?", type=Path, default=ROOT / "examples" / "aster.jpg")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "demo")
    parser.add_argument("--frames", type=int, default=150, help="length of the animation (30 a second)")
    parser.add_argument("--width", type=int, default=960, help="width of the rendered animation in pixels")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not args.photo.is_file():
        print(f"There is no photo {args.photo}. Give the path of a picture file.", file=sys.stderr)
        return 2
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"{args.out} can't be made: {error.strerror}. Choose another folder with --out.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="gid-demo-") as user:
        os.environ["BLENDER_USER_RESOURCES"] = user  # the user's own Blender settings stay untouched
        return animate(args)


def animate(args: argparse.Namespace) -> int:
    import bpy  # before addon_utils, which comes with it
    from addon_utils import disable, enable

    enable("blender_gid", default_set=True)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.render.fps = 1, args.frames, 30
    blend = args.out.resolve() / "demo.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    stages = Stages()
    try:
        stages.run("Import the photo as a plane", bpy.ops.gid.import_photo, filepath=str(args.photo.resolve()))
        plane = bpy.context.object
        plane.gid.seed = args.seed
        stages.run("Predict how it can move", bpy.ops.gid.predict)
        set_controls(plane, scene)
        stages.run("Bake the frames", bpy.ops.gid.bake)
        frame_by_camera(plane, scene, args.width)
        bpy.ops.wm.save_mainfile()
        frames = stages.run(
            "Render the frames through Blender's output", render_frames, scene, args.out / "frames"
        )
        video = stages.run("Render the video through Blender's output", render_video, scene, frames, args.out)
    except RuntimeError as error:  # an operator's report: already a sentence
        print(str(error).removeprefix("Error: ").strip(), file=sys.stderr)
        return 2
    finally:
        disable("blender_gid")
    print(f"\nDone in {stages.total:.0f} s:\n  {video}\n  {frames[0].parent} ({len(frames)} frames)\n  {blend}")
    return 0


class Stages:
    """Runs one stage after another and tells how long each took."""

    def __init__(self):
        self.total = 0.0

    def run(self, title: str, work, *args, **kwargs):
        print(f"\n=== {title}", flush=True)
        start = time.perf_counter()
        result = work(*args, **kwargs)
        if result == {"CANCELLED"}:
            raise RuntimeError(f"Stopped at: {title}.")
        seconds = time.perf_counter() - start
        self.total += seconds
        print(f"=== {title}: {seconds:.1f} s", flush=True)
        return result


def set_controls(plane, scene) -> None:
    """A loop, a gust drawn as keyframes of the amplitude, and one push from the left."""
    import bpy

    last = scene.frame_end
    plane.gid.loop_frames = last
    for share, amplitude in ((0, 0.5), (0.35, 1.0), (0.65, 1.2), (1, 0.5)):
        plane.gid.amplitude = amplitude
        plane.keyframe_insert("gid.amplitude", frame=1 + round(share * (last - 1)))
    scene.frame_set(1 + round(0.4 * last))
    bpy.ops.gid.add_impulse(location=liveliest_place(plane), direction=0, strength=0.012, radius=0.1)
    scene.frame_set(1)


def liveliest_place(plane) -> tuple[float, float]:
    """Where the motion is greatest, as the add-on counts places: from the left and from the bottom."""
    import bpy
    import numpy as np

    from gid_engine.motion import load_motion

    rms = load_motion(bpy.path.abspath(plane.gid.motion)).rms()
    row, column = np.unravel_index(np.argmax(rms), rms.shape)
    return (column + 0.5) / rms.shape[1], 1 - (row + 0.5) / rms.shape[0]


def frame_by_camera(plane, scene, width: int) -> None:
    """An orthographic camera that the plane fills exactly; even pixel counts, as video wants them."""
    import bpy

    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    camera.data.type, camera.data.ortho_scale = "ORTHO", max(plane.dimensions.x, plane.dimensions.y)
    camera.location, camera.rotation_euler = plane.location, (math.pi / 2, 0, 0)
    camera.location.y -= 10
    scene.camera = camera
    scene.render.resolution_x = width // 2 * 2
    scene.render.resolution_y = round(width * plane.dimensions.y / plane.dimensions.x / 2) * 2
    scene.render.resolution_percentage = 100
    # One emissive plane seen straight on: one sample a pixel is all there is to see.
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.cycles.pixel_filter_type = "BOX"
    bpy.ops.gid.standard_view()


def render_frames(scene, folder: Path) -> list[Path]:
    """Blender's own animation render to PNG: what Ctrl-F12 and `blender -b demo.blend -a` do."""
    import bpy

    for old in folder.glob("frame_*.png"):
        old.unlink()
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(folder.resolve() / "frame_")
    bpy.app.handlers.render_write.append(tell_frame)
    try:
        bpy.ops.render.render(animation=True)
    finally:
        bpy.app.handlers.render_write.remove(tell_frame)
    return sorted(folder.glob("frame_*.png"))


def tell_frame(scene, *_) -> None:
    if scene.frame_current % 25 == 0 or scene.frame_current == scene.frame_end:
        print(f"frame {scene.frame_current} of {scene.frame_end}", flush=True)


def render_video(scene, frames: list[Path], folder: Path) -> Path:
    """The rendered frames as a strip of the sequencer, encoded by Blender."""
    import bpy

    edit = bpy.data.scenes.new("Video")
    edit.frame_start, edit.frame_end, edit.render.fps = 1, len(frames), scene.render.fps
    for name in ("resolution_x", "resolution_y"):
        setattr(edit.render, name, getattr(scene.render, name))
    edit.view_settings.view_transform = "Standard"
    editor = edit.sequence_editor_create()
    strips = getattr(editor, "strips", None) or editor.sequences  # 4.4 renamed sequences to strips
    strip = strips.new_image("Frames", str(frames[0]), 1, 1)
    for frame in frames[1:]:
        strip.elements.append(frame.name)
    strip.frame_final_duration = len(frames)
    settings = edit.render.image_settings
    if hasattr(settings, "media_type"):  # 5.0
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    edit.render.ffmpeg.format, edit.render.ffmpeg.codec = "MPEG4", "H264"
    edit.render.ffmpeg.constant_rate_factor = "HIGH"
    video = folder.resolve() / "demo.mp4"
    edit.render.filepath = str(video)
    with bpy.context.temp_override(scene=edit):
        bpy.ops.render.render(animation=True, scene=edit.name)
    bpy.data.scenes.remove(edit)
    return video


if __name__ == "__main__":
    raise SystemExit(main())
