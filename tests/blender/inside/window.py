"""Runs in Blender's window (--enable-event-simulate): PHOTO MOTION FOLDER [SCREEN]. An artist's session.

Buttons are found by what they do: the mouse moves over the sidebar until Blender says that the button under it
runs the wanted operator. Pictures go to FOLDER: copies of the file SCREEN in which Xvfb keeps its pixels (Blender
can't read its own window back from a software GL), else Blender's screenshots. Ends with exit code 0 only if
every step did what it should.
"""

import os
import shutil
import sys
import time
import traceback
from itertools import pairwise
from pathlib import Path

import bpy

photo, motion, folder, *screen = sys.argv[sys.argv.index("--") + 1 :]
folder = Path(folder)
ADDON = "bl_ext.user_default.blender_gid"
jobs = sys.modules[f"{ADDON}.adapters.jobs"]
window = bpy.context.window_manager.windows[0]
TICK, JOB_SECONDS = 0.04, 600  # a job's limit is for a slow machine and a large photo


# --- a person's hands and eyes: generators that yield while Blender works ---------------------------------------


def pause(ticks=2):
    for _ in range(ticks):
        yield


def until(condition, seconds=30.0):
    """Wait for something to become true, while Blender goes on."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        yield


def view():
    """The 3D viewport's area."""
    return next(area for area in window.screen.areas if area.type == "VIEW_3D")


def region(kind):
    return next(r for r in view().regions if r.type == kind)


def inside(kind):
    """The context of one of the viewport's regions."""
    return bpy.context.temp_override(window=window, area=view(), region=region(kind))


def move(x, y):
    window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=int(x), y=int(y))
    yield from pause()


def drag(start, end):
    """Press the left button at a point, move to another and let go; a click where both are the same."""
    yield from move(*start)
    for value, (x, y) in (("PRESS", start), ("RELEASE", end)):
        yield from move(x, y)
        window.event_simulate(type="LEFTMOUSE", value=value, x=int(x), y=int(y))
        yield from pause()


def press(key, share=(1 / 3, 1 / 5), **modifiers):
    """Press a key with the mouse over the viewport, at this share of its width and height."""
    r = region("WINDOW")
    x, y = round(r.x + r.width * share[0]), round(r.y + r.height * share[1])
    for value in ("PRESS", "RELEASE"):
        window.event_simulate(type=key, value=value, x=x, y=y, **modifiers)
    yield from pause(6)


def under_mouse():
    """Python of the operator that the button under the mouse runs, or ""."""
    with inside("UI"):
        if not bpy.ops.ui.copy_python_command_button.poll():
            return ""
        bpy.context.window_manager.clipboard = ""
        bpy.ops.ui.copy_python_command_button()
        return bpy.context.window_manager.clipboard


def press_button(operator):
    """Find the sidebar's button of an operator and click it."""
    r = region("UI")
    x = r.x + r.width * 0.4
    for y in range(r.y + r.height - 8, r.y, -12):  # a button is 20 pixels high
        yield from move(x, y)
        if operator in under_mouse():
            yield from drag((x, y), (x, y))
            return
    raise AssertionError(f"no button runs {operator}")


def shot(name):
    """A picture of the screen, or of Blender's window."""
    yield from pause(6)
    if screen:
        shutil.copy(screen[0], folder / f"{name}.xwd")
        return
    with bpy.context.temp_override(window=window, screen=window.screen):
        bpy.ops.screen.screenshot(filepath=str(folder / f"{name}.png"))


def job_moves():
    """Wait until the job in flight has done a part of its work."""

    def moving():
        assert jobs.running() is not None, bpy.context.object.gid.status
        return jobs.running().job.fraction > 0

    yield from until(moving, JOB_SECONDS)


def job_ends():
    r = region("WINDOW")
    yield from move(r.x + 200, r.y + 100)  # a button under the mouse would keep its looks
    yield from until(lambda: jobs.running() is None, JOB_SECONDS)
    yield from pause(10)


# --- the session ------------------------------------------------------------------------------------------------


def session():
    yield from pause(20)
    for part in (
        drops_a_photo,
        stops_a_prediction,
        predicts,
        chooses_the_weather,
        stops_a_bake,
        touches,
        keys,
        pins_and_regions,
        bakes,
        renders,
        looks_at_the_engine,
        opens_a_file_while_baking,
    ):
        pulse.clear()
        # Looked up anew for each: an undo replaces them.
        yield from part(bpy.context.scene, bpy.context.object)
        longest = max(later - sooner for sooner, later in pairwise(pulse))
        print(f"{part.__name__}: {pulse[-1] - pulse[0]:.1f} s, busy at most {longest:.2f} s at a time", flush=True)


def drops_a_photo(scene, cube):
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"))
    r = region("WINDOW")
    yield from move(r.x + r.width / 2, r.y + r.height / 2)
    with inside("WINDOW"):
        bpy.ops.object.select_all(action="SELECT")
        bpy.ops.object.delete()
        # What Blender does with a file that is let go over the viewport.
        bpy.ops.wm.drop_import_file(
            "INVOKE_DEFAULT", directory=os.path.dirname(photo), files=[{"name": os.path.basename(photo)}]
        )
    yield from pause(6)
    yield from shot("0_dropped")
    yield from press("I", (1 / 2, 1 / 2))  # Blender asks what to make of it: Import Photo to Animate, or an empty
    yield from until(lambda: bpy.context.object is not None and bpy.context.object.gid.photo_size[0])
    yield from press("NUMPAD_1")
    yield from press("NUMPAD_PERIOD")
    shading = view().spaces.active.shading
    shading.type, shading.light, shading.color_type = "SOLID", "FLAT", "TEXTURE"
    scene.view_settings.view_transform = "Standard"
    yield from press("N")
    assert region("UI").width > 1, "N opens the sidebar"
    region("UI").active_panel_category = "Animate Photo"
    region("UI").tag_redraw()
    yield from shot("1_imported")


def stops_a_prediction(scene, plane):
    yield from press_button("gid.predict")
    assert jobs.running() is not None
    yield from press("ESC")
    yield from job_ends()
    gid = bpy.context.object.gid
    assert "cancelled" in gid.status and not gid.motion, gid.status


def predicts(scene, plane):
    yield from press_button("gid.predict")
    assert jobs.running() is not None
    yield from until(lambda: jobs.running() is None or jobs.running().job.fraction > 0.3, JOB_SECONDS)
    yield from shot("2_predicting")
    yield from job_ends()
    yield from shot("3_predicted")
    if not plane.gid.motion:
        assert "weights" in plane.gid.status, plane.gid.status
        print("WITHOUT WEIGHTS:", plane.gid.status)
        plane.gid.motion = motion
        yield from press_button("gid.update_preview")
    assert not plane.gid.failed and plane.gid.display == "PREVIEW", plane.gid.status


def chooses_the_weather(scene, plane):
    (storm,) = (os.path.join(at, "Storm.py") for at in bpy.utils.preset_paths("blender_gid"))
    with inside("UI"):
        bpy.ops.script.execute_preset(filepath=storm, menu_idname="GID_PT_presets")
    assert plane.gid.wind_strength > 1
    scene.frame_set(30)
    yield from shot("4_storm")
    for name in ("amplitude", "speed", "wind_strength", "stiffness", "damping"):
        plane.gid.property_unset(name)
    yield from press("SPACE")
    yield from until(lambda: scene.frame_current > 33)
    yield from press("SPACE")
    assert not window.screen.is_animation_playing
    scene.frame_set(1)


def stops_a_bake(scene, plane):
    scene.frame_start, scene.frame_end, plane.gid.loop_frames = 1, 2000, 0
    yield from press_button("gid.bake")
    yield from job_moves()
    # Blender is usable meanwhile: it goes to the next frames, and undo does not disturb the job.
    frame = scene.frame_current
    for _ in range(3):
        yield from press("RIGHT_ARROW")
    assert scene.frame_current == frame + 3
    yield from press("Z", ctrl=True)
    assert jobs.running() is not None
    yield from shot("5_baking")
    yield from press("ESC")
    yield from job_ends()
    gid = bpy.context.object.gid
    assert "cancelled" in gid.status and gid.display != "BAKED", gid.status


def touches(scene, plane):
    plane.gid.display = "PREVIEW"
    scene.frame_start, scene.frame_end, plane.gid.loop_frames = 1, 8, 0
    yield from press("LEFT_ARROW", shift=True)
    assert scene.frame_current == 1
    yield from press_button("gid.draw_impulse")
    r = region("WINDOW")  # the plane fills its middle
    centre = r.x + r.width / 2, r.y + r.height / 2
    yield from drag(centre, (centre[0] + 24, centre[1]))
    (touch,) = plane.gid.impulses
    assert all(abs(c - 0.5) < 0.02 for c in touch.location), tuple(touch.location)
    assert abs(touch.direction) < 0.02, touch.direction  # to the right
    for _ in range(2):
        yield from press("Z", ctrl=True)
        assert not bpy.context.object.gid.impulses
        yield from press("Z", ctrl=True, shift=True)
    assert len(bpy.context.object.gid.impulses) == 1
    scene = bpy.context.scene
    scene.frame_set(5)
    yield from shot("6_touch")


def keys(scene, plane):
    """A key moved elsewhere reaches the preview by itself."""
    plane.gid.keyframe_insert("amplitude", frame=1)
    yield from pause(12)
    group = plane.modifiers["GID Preview"].node_group
    before = group["gid_score"]
    action = plane.animation_data.action
    curve = (
        action.fcurves[0] if hasattr(action, "fcurves") else action.layers[0].strips[0].channelbags[0].fcurves[0]
    )
    curve.keyframe_points[0].co.y = 2
    curve.update()
    action.update_tag()
    yield from until(lambda: group["gid_score"] != before)
    plane.animation_data_clear()
    plane.gid.amplitude = 1
    yield from pause(12)


def pins_and_regions(scene, plane):
    r = region("WINDOW")
    x, y = r.x + r.width / 2, r.y + r.height / 2
    with inside("WINDOW"):
        bpy.ops.gid.draw_pin("INVOKE_DEFAULT")
    yield from pause(4)
    yield from drag((x, y), (x + 40, y))
    (pin,) = plane.gid.pins
    assert all(abs(c - 0.5) < 0.02 for c in pin.location) and 0.01 < pin.radius < 0.3, tuple(pin.location)
    with inside("WINDOW"):
        bpy.ops.gid.draw_pin("INVOKE_DEFAULT")
    yield from pause(4)
    yield from press("ESC")
    assert len(plane.gid.pins) == 1, "Esc leaves everything as it was"
    with inside("WINDOW"):
        bpy.ops.gid.draw_region("INVOKE_DEFAULT")
    yield from pause(4)
    yield from drag((x - 30, y + 130), (x + 195, y - 175))  # around the large flower of examples/aster.jpg
    yield from job_ends()
    (found,) = plane.gid.regions
    assert found.file or "stands out" in plane.gid.status, plane.gid.status
    found.amplitude = 0.2
    yield from shot("6_region")
    plane.gid.pins.clear()
    plane.gid.regions.clear()
    with inside("WINDOW"):
        bpy.ops.gid.update_preview()
    yield from pause(6)


def bakes(scene, plane):
    yield from press_button("gid.bake")
    yield from job_ends()
    assert plane.gid.display == "BAKED" and not plane.gid.failed, plane.gid.status
    yield from shot("7_baked")


def renders(scene, plane):
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.data.type, camera.data.ortho_scale = "ORTHO", max(plane.dimensions)
    camera.matrix_world = plane.matrix_world.copy()
    camera.location = plane.location + plane.matrix_world.to_3x3().col[2]
    camera.hide_set(True)
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.light, scene.display.shading.color_type = "FLAT", "TEXTURE"
    scene.render.resolution_x, scene.render.resolution_y = plane.gid.photo_size
    scene.render.resolution_percentage = 25 if max(plane.gid.photo_size) > 1000 else 100
    scene.render.filepath = str(folder / "rendered_")
    yield from press("F12", ctrl=True)
    yield from until(lambda: len(list(folder.glob("rendered_*.png"))) == 8, JOB_SECONDS)
    yield from until(lambda: not bpy.app.is_job_running("RENDER"))
    yield from shot("8_rendered")
    yield from closes_other_windows()


def looks_at_the_engine(scene, plane):
    bpy.ops.preferences.addon_show(module=ADDON)
    yield from pause(10)
    yield from shot("9_preferences")
    yield from closes_other_windows()


def closes_other_windows():
    while len(bpy.context.window_manager.windows) > 1:
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[1]):
            bpy.ops.wm.window_close()
        yield from pause()


def opens_a_file_while_baking(scene, plane):
    scene.frame_end = 2000
    yield from press_button("gid.bake")
    yield from job_moves()
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.open_mainfile(filepath=str(folder / "shot.blend"))
    yield from pause(10)
    assert jobs.running() is None


# --- the clock --------------------------------------------------------------------------------------------------

pulse = []  # when Blender's main loop came round


def step():
    pulse.append(time.monotonic())
    try:
        next(running)
        return TICK
    except StopIteration:
        print("SESSION DONE", flush=True)
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
            bpy.ops.wm.quit_blender()
    except BaseException:
        traceback.print_exc()
        sys.stdout.flush()
        jobs.stop_engine()
        os._exit(1)  # an exception in a timer would only be printed


running = session()
bpy.app.timers.register(step, first_interval=1.0, persistent=True)
