"""What the engine exports, in Blender's compositor, beside the engine's own frames."""

import subprocess
from textwrap import dedent

import bpy
import numpy as np
import pytest
from test_engine import PYTHON, ROOT

from blender_gid.adapters import compat

WIDTH, HEIGHT, FRAME = 96, 64, 2

# A scene-linear photo, so smooth that it hardly matters how a compositor interpolates.
MAKE = f"""
    import sys
    sys.path.insert(0, {str(ROOT)!r})
    import cv2, numpy as np
    from pathlib import Path
    from gid_engine.jobs import Take, export_displacement, export_stmap, render_sequence
    from gid_engine.media import load_photo, save_image
    from gid_engine.motion import Modes, Score
    rows, columns = np.mgrid[0:16, 0:24] + 0.5
    bump = np.exp(-((rows - 8) ** 2 + (columns - 12) ** 2) / 40)
    modes = Modes(bump * np.array([0.08, 0.03j]).reshape(1, 2, 1, 1), [1.0], [0.1], ({WIDTH}, {HEIGHT}))
    score = Score(fps=10, loop_frames=10)
    noise = np.random.default_rng(0).random(({HEIGHT}, {WIDTH}, 3)).astype(np.float32)
    folder = Path(sys.argv[1])
    picture = cv2.GaussianBlur(noise, (0, 0), 12)
    save_image(folder / "photo.exr", (picture - picture.min()) / np.ptp(picture))
    take = Take(load_photo(folder / "photo.exr"), modes, score, "cpu")
    render_sequence(take, [{FRAME}], folder, "frame")
    export_displacement(take, [{FRAME}], folder, "displacement")
    export_stmap(take, [{FRAME}], folder, "stmap")
    # Blur shows in a finer picture, that moves faster, and far and wide alike.
    picture = cv2.GaussianBlur(noise, (0, 0), 3)
    save_image(folder / "fine.exr", (picture - picture.min()) / np.ptp(picture))
    wide = np.exp(-((rows - 8) ** 2 / 60 + (columns - 12) ** 2 / 150))
    modes = Modes(wide * np.array([0.1, 0.07]).reshape(1, 2, 1, 1), [1.0], [0.1], ({WIDTH}, {HEIGHT}))
    for name, shutter in (("sharp", 0.0), ("blurred", 180.0)):
        take = Take(load_photo(folder / "fine.exr"), modes, score, "cpu", shutter=shutter, samples=32)
        render_sequence(take, [{FRAME}], folder, name)
    export_displacement(take, [{FRAME}], folder, "fast")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if not PYTHON.is_file():
        pytest.skip("needs the engine's Python")
    folder = tmp_path_factory.mktemp("exports")
    done = subprocess.run([PYTHON, "-c", dedent(MAKE), folder], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def pixels(path) -> np.ndarray:
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    return np.array(image.pixels).reshape(image.size[1], image.size[0], 4)[..., :3]


class Compositor:
    def __init__(self, folder):
        self.folder, self.scene = folder, bpy.context.scene
        compat.compositor(self.scene)[0].nodes.clear()
        self.tree, self.output = compat.compositor(self.scene)

    def picture(self, name: str):
        node = self.tree.nodes.new("CompositorNodeImage")
        node.image = bpy.data.images.load(str(self.folder / f"{name}.exr"))
        if not node.image.type == "MULTILAYER":
            node.image.colorspace_settings.name = "Non-Color"
        return node

    def result(self, kind: str, links: dict, **settings) -> np.ndarray:
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        for name, source in links.items():
            if isinstance(source, float):
                node.inputs[name].default_value = source
            else:
                self.tree.links.new(source, node.inputs[name])
        self.tree.links.new(node.outputs["Image"], self.output)
        render = self.scene.render
        render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, 100
        render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"
        render.filepath = str(self.folder / f"out {kind}.exr")
        bpy.ops.render.render(write_still=True)
        return pixels(render.filepath)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other)[4:-4, 4:-4].mean())


@pytest.mark.parametrize("kind", ["CompositorNodeDisplace", "CompositorNodeMapUV"])
def test_displace_and_map_uv_give_the_frame(folder, kind):
    compositor = Compositor(folder)
    photo = compositor.picture("photo").outputs["Image"]
    if kind == "CompositorNodeDisplace":
        vector = compositor.picture(f"displacement_{FRAME:04d}").outputs["Backward"]
        links = {"Image": photo, "Displacement": vector}
        if bpy.app.version < (5, 0):
            links = {"Image": photo, "Vector": vector, "X Scale": 1.0, "Y Scale": 1.0}
    else:
        links = {"Image": photo, "UV": compositor.picture(f"stmap_{FRAME:04d}").outputs["Image"]}
    result, frame = compositor.result(kind, links), pixels(folder / f"frame_{FRAME:04d}.exr")
    if kind == "CompositorNodeDisplace" and bpy.app.version < (4, 5):  # half a pixel off, to the right and up
        beside = np.pad(frame, [(1, 0), (1, 0), (0, 0)], mode="edge")
        frame = (beside[:-1, :-1] + beside[1:, :-1] + beside[:-1, 1:] + beside[1:, 1:]) / 4
    # Both nodes soften by their anisotropic filter: a tenth of what the motion changes in this photo.
    moved = apart(frame, pixels(folder / "photo.exr"))
    assert moved > 0.01 and apart(result, frame) < 0.15 * moved


def test_vector_blur_smears_as_our_own_motion_blur_does(folder):
    """Along the same lines (with the vectors' y turned round it is 0.46) and about as far. Vector Blur works in
    tiles and guesses what is behind, so that the two are not the same."""
    compositor = Compositor(folder)
    inputs = {
        "Image": compositor.picture(f"sharp_{FRAME:04d}").outputs["Image"],
        "Speed": compositor.picture(f"fast_{FRAME:04d}").outputs["Motion"],
    }
    result = compositor.result("CompositorNodeVecBlur", inputs)  # a shutter of 0.25 frames to either side
    sharp, blurred = (pixels(folder / f"{name}_{FRAME:04d}.exr") for name in ("sharp", "blurred"))
    theirs, ours = ((picture - sharp)[6:-6, 6:-6].ravel() for picture in (result, blurred))
    assert np.corrcoef(theirs, ours)[0, 1] > 0.7
    assert 0.8 < (theirs @ ours) / (ours @ ours) < 1.5
