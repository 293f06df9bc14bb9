"""What a render farm, which has only the .blend file and what lies beside it, would miss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..core.sequence import sequence_from, spans
from . import bakes, compat, files, material, sequence
from .preview import MODIFIER


@dataclass(frozen=True)
class Finding:
    """Something that a farm would render otherwise than this Blender; wrong: not only otherwise, but wrongly."""

    name: str
    sentence: str
    wrong: bool

    def __str__(self) -> str:
        return f"{'Missing' if self.wrong else 'Note'}: {self.name}: {self.sentence}"


def check(scene: bpy.types.Scene) -> list[Finding]:
    """Everything found in the scene and its file, what is wrong first."""
    found = [*_file(), *(f for plane in rendered_photos(scene) for f in _plane(plane, scene)), *_extras(scene)]
    return sorted(found, key=lambda finding: not finding.wrong)


def rendered_photos(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    return [o for o in scene.objects if o.type == "MESH" and o.gid.photo_size[0] and not o.hide_render]


def _file() -> Iterator[Finding]:
    if not bpy.data.filepath:
        yield Finding("This file", "it is not saved, so that nothing can lie beside it. Save it.", True)
    elif bpy.data.is_dirty and not bpy.app.background:  # always dirty there
        yield Finding("This file", "it has changes that are not saved.", False)


def _plane(plane: bpy.types.Object, scene: bpy.types.Scene) -> Iterator[Finding]:
    name, shown = plane.name, plane.gid.display
    bake = sequence.shown(plane)
    if plane.library is not None:
        yield from _place(name, files.absolute(plane.library.filepath), "its library", plane.library.filepath)
    if shown == "BAKED" and bake is not None:
        yield from _bake(plane, bake, scene)
        return
    if shown == "BAKED":
        yield Finding(name, "it is set to show baked frames, and has none. Bake it.", True)
    yield from _photo(plane)
    if shown == "PREVIEW":
        yield from _preview(plane)
    elif shown == "PHOTO" and plane.gid.motion:
        yield Finding(name, "it shows the still photo, though it has a motion.", False)


def _bake(plane, bake, scene: bpy.types.Scene) -> Iterator[Finding]:
    name = plane.name
    image = material.image_node(plane.active_material, material.BAKED).image
    due = {bake.shown_at(frame) for frame in range(scene.frame_start, scene.frame_end + 1)}
    gone = [n for n in bake.missing() if n in due]
    if gone:
        yield Finding(name, f"frames {spans(gone)} of {bake.folder} are missing or cut off. Bake it again.", True)
    beyond = [f for f in range(scene.frame_start, scene.frame_end + 1) if not bake.first <= f <= bake.last]
    if beyond and not bake.cyclic:
        yield Finding(name, f"frames {spans(beyond)} of the scene are not baked, and would stand still.", True)
    if bakes.out_of_date(plane, scene, step=True):
        yield Finding(name, "its controls have changed since it was baked. Bake it again.", True)
    yield from _place(name, bake.folder, "its frames", image.filepath)


def _photo(plane) -> Iterator[Finding]:
    image = material.photo_image(plane)
    if image is None:
        yield Finding(plane.name, "it has lost its photo's material.", True)
    elif not image.packed_file:
        path = files.absolute(image.filepath, image)
        if not path.is_file():
            yield Finding(plane.name, f"its photo {path} is missing.", True)
        else:
            yield from _place(plane.name, path, "its photo", image.filepath)


def _preview(plane) -> Iterator[Finding]:
    modifier = plane.modifiers.get(MODIFIER)
    group = modifier.node_group if modifier else None
    names = [n.inputs["Name"].default_value for n in group.nodes if "Name" in n.inputs] if group else []
    if not names or any(name not in plane.data.attributes for name in names) or not modifier.show_render:
        yield Finding(plane.name, "its preview has lost its data and would stand still. Update the preview.", True)
    else:
        yield Finding(
            plane.name, "it renders the preview, which stretches at edges. Bake it for the finals.", False
        )


def _place(name: str, path: Path, what: str, stored: str) -> Iterator[Finding]:
    """Files are found on another machine where they are named from the .blend file's folder, and lie in it."""
    if not bpy.data.filepath:
        return
    home, path = Path(bpy.data.filepath).resolve().parent, path.resolve()
    if not path.is_relative_to(home):
        yield Finding(name, f"{what} {path} is outside {home}.", True)
    elif not stored.startswith("//"):
        yield Finding(
            name, f"{what} {path} is named from the disk's root. File > External Data > Make Relative.", True
        )


def _extras(scene: bpy.types.Scene) -> Iterator[Finding]:
    """Image sequences of the compositor and the sequencer."""
    for node in compat.compositor_nodes(scene):
        image = getattr(node, "image", None)
        if image is None or image.source != "SEQUENCE":
            continue
        path = files.absolute(image.filepath, image)
        used = sequence_from(path, node.frame_duration, node.use_cyclic)
        if used and (gone := used.missing()):
            yield Finding(node.name, f"frames {spans(gone)} of {used.folder} are missing or cut off.", True)
        yield from _place(node.name, path, "its images", image.filepath)
    editor = scene.sequence_editor
    for strip in (getattr(editor, "strips_all", None) or getattr(editor, "sequences_all", ())) if editor else ():
        if strip.type != "IMAGE":
            continue
        folder = files.absolute(strip.directory)
        gone = sorted({e.filename for e in strip.elements if not (folder / e.filename).is_file()})
        if gone:
            yield Finding(
                strip.name, f"{len(gone)} images of the strip are missing, the first {folder / gone[0]}.", True
            )
        yield from _place(strip.name, folder, "the folder of the strip", strip.directory)
