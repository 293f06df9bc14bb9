"""Run in a fresh process: `python render_alone.py FILE.blend OUT ENGINE FIRST LAST WIDTH HEIGHT`.

Renders the plane through a camera that frames it exactly, as a farm would: nothing of the add-on is there.
"""

import sys

import bpy

blend, out, engine, first, last, width, height = sys.argv[1:]
bpy.ops.wm.open_mainfile(filepath=blend)
assert not hasattr(bpy.types.Object, "gid")
scene = bpy.context.scene
plane = next(o for o in bpy.data.objects if o.type == "MESH")
camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
scene.collection.objects.link(camera)
scene.camera = camera
camera.data.type = "ORTHO"
camera.data.ortho_scale = max(abs(plane.dimensions.x), plane.dimensions.y, plane.dimensions.z)
camera.matrix_world = plane.matrix_world.copy()
camera.location = plane.location + plane.matrix_world.to_3x3().col[2]
scene.render.resolution_x, scene.render.resolution_y = int(width), int(height)
scene.render.resolution_percentage = 100
scene.render.engine = engine
scene.render.dither_intensity = 0
scene.render.film_transparent = True
scene.view_settings.view_transform = "Standard"
if engine == "CYCLES":
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.cycles.pixel_filter_type = "BOX"
    scene.cycles.filter_width = 0.01
else:
    scene.display.shading.light = "FLAT"
    scene.display.shading.color_type = "TEXTURE"
    scene.display.render_aa = "OFF"
scene.render.image_settings.file_format = "PNG"
scene.render.image_settings.color_mode = "RGBA"
scene.render.filepath = f"{out}/r_"
scene.frame_start, scene.frame_end = int(first), int(last)
bpy.ops.render.render(animation=True)
