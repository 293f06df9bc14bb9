"""Check for a farm, and bake and check from the command line: `blender -b FILE.blend --command gid_bake …`."""

import argparse
import time

import bpy

from ..adapters import bakes, farm, gather, jobs
from ..core import engine
from ..core.bake import parse_frames
from ..core.engine import GidError
from .base import UNDOABLE, describe, photos_of, refuse

_TEXT = "Farm Check"


class GID_OT_check_farm(bpy.types.Operator):
    """List what a render farm would miss: frames, photos and paths of the animated photos in this scene"""

    bl_idname = "gid.check_farm"
    bl_label = "Check for Farm"

    def execute(self, context):
        findings = farm.check(context.scene)
        lines = report(context.scene, findings)
        text = bpy.data.texts.get(_TEXT) or bpy.data.texts.new(_TEXT)
        text.from_string("\n".join(lines) + "\n")
        if not bpy.app.background:
            context.window_manager.popup_menu(_drawn(lines), title=self.bl_label, icon="INFO")
        wrong = [finding for finding in findings if finding.wrong]
        self.report({"WARNING" if wrong else "INFO"}, str(wrong[0]) if wrong else lines[0])
        return {"FINISHED"}


class GID_OT_gather_files(bpy.types.Operator):
    """Bring photos, motions and frames of all animated photos beside the .blend file, where a farm finds them"""

    bl_idname = "gid.gather_files"
    bl_label = "Bring Files Beside the .blend"
    bl_options = UNDOABLE

    @classmethod
    def poll(cls, context):
        if not bpy.data.filepath:
            cls.poll_message_set("Save the file first")
            return False
        return True

    def execute(self, context):
        brought = 0
        for plane in photos_of(context, "ALL"):
            try:
                brought += gather.gather(plane)
            except GidError as error:
                return refuse(self, error, plane)
        self.report({"INFO"}, f"{brought} files and folders were brought beside {bpy.data.filepath}.")
        return {"FINISHED"}


def report(scene: bpy.types.Scene, findings: list[farm.Finding]) -> list[str]:
    """The findings as lines; the first one sums up."""
    count, wrong = len(farm.rendered_photos(scene)), sum(f.wrong for f in findings)
    photos = f"{count} animated photo{'s' if count != 1 else ''}"
    if not wrong:
        return [
            f"Ready for a farm: {photos}, frames {scene.frame_start} to {scene.frame_end}.",
            *map(str, findings),
        ]
    return [f"Not ready for a farm: {wrong} fault{'s' if wrong != 1 else ''} in {photos}.", *map(str, findings)]


def _drawn(lines: list[str]):
    def draw(self, context):
        for line in lines[:20]:
            self.layout.label(text=line)
        if len(lines) > 20:
            self.layout.label(text=f"… {len(lines) - 20} more in the text “{_TEXT}”")

    return draw


# --- command line -----------------------------------------------------------------------------------------------


def bake_command(arguments: list[str]) -> int:
    """`gid_bake`: bake the open file's photos and save it; the exit code, 1 where something failed."""
    parser = argparse.ArgumentParser("gid_bake", description="Bake the animated photos of a .blend file.")
    parser.add_argument("--planes", nargs="+", metavar="NAME", help="only these objects; all photos by default")
    parser.add_argument("--frames", metavar="A-B", help="only these frames, as a farm shares them out")
    parser.add_argument("--new-version", action="store_true", help="keep the frames that are there")
    parser.add_argument("--no-save", action="store_true", help="leave the .blend file as it is")
    options = _parsed(parser, arguments)
    if isinstance(options, int):
        return options
    try:
        frames = parse_frames(options.frames) if options.frames else None
        planes = _chosen(options.planes)
        run = jobs.start_batch(lambda: bakes.batch(planes, bpy.context.scene, options.new_version, frames))
    except GidError as error:
        return _told(error)
    batch = run.job
    try:
        while not batch.finished:
            if batch.poll():
                print(f"GID: {describe(run)}", flush=True)
            time.sleep(0.02)
    except KeyboardInterrupt:
        batch.abandon()
    finally:
        jobs.stop_engine()
    for sentence in batch.sentences:
        print(f"GID: {sentence}")
    for name, error in batch.failures:
        print(f"GID: {name}: {str(error).strip()}")
    if frames is None and batch.sentences and bpy.data.filepath and not options.no_save:
        bpy.ops.wm.save_mainfile()
    return 0 if batch.state == "DONE" else 1


def check_command(arguments: list[str]) -> int:
    """`gid_check`: print what a farm would miss; 1 where something is."""
    options = _parsed(argparse.ArgumentParser("gid_check", description=GID_OT_check_farm.__doc__), arguments)
    if isinstance(options, int):
        return options
    findings = farm.check(bpy.context.scene)
    print("\n".join(report(bpy.context.scene, findings)))
    return int(any(finding.wrong for finding in findings))


def _parsed(parser: argparse.ArgumentParser, arguments: list[str]) -> argparse.Namespace | int:
    try:
        return parser.parse_args(arguments)
    except SystemExit as end:  # Blender would not survive it
        return int(end.code or 0)


def _chosen(names: list[str] | None) -> list[bpy.types.Object]:
    if engine.problem:
        raise GidError("no_numpy", engine.problem, "")
    photos = {plane.name: plane for plane in photos_of(bpy.context, "ALL")}
    if missing := [name for name in names or () if name not in photos]:
        raise GidError("no_photo", f"There is no animated photo {missing[0]}.", f"There are: {', '.join(photos)}.")
    chosen = [photos[name] for name in names] if names else [p for p in photos.values() if p.gid.motion]
    if not chosen:
        raise GidError("no_photo", "The scene has no animated photo with a motion.", "Predict one first.")
    return chosen


def _told(error: GidError) -> int:
    print(f"GID: {str(error).strip()}")
    return 1


CLASSES = (GID_OT_check_farm, GID_OT_gather_files)
_commands: list = []


def register() -> None:
    if hasattr(bpy.utils, "register_cli_command"):
        for name, command in (("gid_bake", bake_command), ("gid_check", check_command)):
            _commands.append(bpy.utils.register_cli_command(name, command))


def unregister() -> None:
    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
