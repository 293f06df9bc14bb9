"""Runs in Blender: PHOTO MOTION FOLDER [SHOWN]. Photo to baked frames, saved as FOLDER/shot.blend, ready for -a.

MOTION "predict" lets the engine predict it. SHOWN is what the plane shows in the end: BAKED or PREVIEW.
"""

import sys
from pathlib import Path

import bpy

photo, motion, folder, shown = sys.argv[sys.argv.index("--") + 1 :]
folder = Path(folder)
bpy.ops.wm.read_homefile(use_empty=True)
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"))
scene = bpy.context.scene
scene.frame_start, scene.frame_end = 1, 4
scene.render.fps = 2  # four frames show a good part of five seconds
assert bpy.ops.gid.import_photo(filepath=photo) == {"FINISHED"}
plane = bpy.context.object
plane.gid.loop_frames = 10
if motion == "predict":
    assert bpy.ops.gid.predict() == {"FINISHED"}, plane.gid.status
else:
    plane.gid.motion = motion
assert bpy.ops.gid.update_preview() == {"FINISHED"}, plane.gid.status
scene.frame_set(2)
bpy.ops.gid.add_impulse(location=(0.5, 0.8), strength=0.01)
assert bpy.ops.gid.bake() == {"FINISHED"}, plane.gid.status
print("STATUS:", plane.gid.status)
plane.gid.display = shown

# A camera that frames the plane exactly, and settings that render the image's own values.
camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
scene.collection.objects.link(camera)
scene.camera = camera
camera.data.type = "ORTHO"
camera.data.ortho_scale = max(plane.dimensions)
camera.matrix_world = plane.matrix_world.copy()
camera.location = plane.location + plane.matrix_world.to_3x3().col[2]
render, cycles = scene.render, scene.cycles
render.resolution_x, render.resolution_y = plane.gid.photo_size
render.resolution_percentage = 100
render.engine = "CYCLES"
render.dither_intensity = 0
render.film_transparent = True
scene.view_settings.view_transform = "Standard"
cycles.samples, cycles.use_denoising = 1, False
cycles.pixel_filter_type, cycles.filter_width = "BOX", 0.01
render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGBA"
render.filepath = str(folder / "rendered_")
bpy.ops.wm.save_mainfile()
