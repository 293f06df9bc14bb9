"""Every difference between Blender versions, found by asking "does it exist?"."""

from __future__ import annotations

from pathlib import Path

import bpy

#: The add-on's own name: "blender_gid" in the development tree, "bl_ext.REPOSITORY.blender_gid" installed.
ADDON = __package__.rpartition(".")[0]


#: Options of a string property that holds a path which may start with "//" (4.5 warns without it).
RELATIVE_PATH = (
    {"PATH_SUPPORTS_BLEND_RELATIVE"}
    if "is_path_supports_blend_relative" in bpy.types.Property.bl_rna.properties
    else set()
)


def fcurves(datablock: bpy.types.ID) -> list[bpy.types.FCurve]:
    """The F-curves that animate a datablock through its action (slotted from 4.4 on)."""
    data = datablock.animation_data
    if data is None or data.action is None:
        return []
    if hasattr(data.action, "layers") and getattr(data, "action_slot", None) is not None:
        bags = [
            bag
            for layer in data.action.layers
            for strip in layer.strips
            if hasattr(strip, "channelbag") and (bag := strip.channelbag(data.action_slot))
        ]
        return [curve for bag in bags for curve in bag.fcurves]
    return list(getattr(data.action, "fcurves", ()))


def new_fcurve(datablock: bpy.types.ID, action: bpy.types.Action, data_path: str, index: int = 0):
    """A new, empty F-curve of the datablock in the action that it already uses."""
    if hasattr(action, "fcurve_ensure_for_datablock"):
        return action.fcurve_ensure_for_datablock(datablock, data_path, index=index)
    return action.fcurves.new(data_path, index=index)


def remove_fcurve(datablock: bpy.types.ID, curve: bpy.types.FCurve) -> None:
    """Remove an F-curve from the datablock's action."""
    action = datablock.animation_data.action
    if hasattr(action, "fcurves"):
        action.fcurves.remove(curve)
        return
    for strip in (strip for layer in action.layers for strip in layer.strips):
        bag = strip.channelbag(datablock.animation_data.action_slot)
        if bag is not None and any(other == curve for other in bag.fcurves):
            bag.fcurves.remove(curve)
            return


def session_uid(datablock: bpy.types.ID) -> int:
    """A number that names the datablock until the file is closed, through undo and renames; 0 if unknown."""
    return getattr(datablock, "session_uid", 0)


def preferences():
    """The add-on's preferences, or None where it runs without being enabled (from a script)."""
    addon = bpy.context.preferences.addons.get(ADDON)
    return addon.preferences if addon else None


def user_folder(name: str) -> Path:
    """A folder of the user's for files that no .blend file holds yet."""
    try:
        return Path(bpy.utils.extension_path_user(ADDON, path=name, create=True))
    except ValueError:  # not installed as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path=f"blender_gid/{name}", create=True))


def blend_transparency(material: bpy.types.Material) -> None:
    """Let EEVEE blend the material's alpha instead of dithering it."""
    if hasattr(material, "surface_render_method"):
        material.surface_render_method = "BLENDED"
    elif hasattr(material, "blend_method"):
        material.blend_method = "BLEND"


def cut_out_transparency(material: bpy.types.Material) -> None:
    """Let the material's alpha cut things out: hidden behind and casting shadows as what is seen, not sorted."""
    if hasattr(material, "surface_render_method"):
        material.surface_render_method = "DITHERED"
    elif hasattr(material, "blend_method"):
        material.blend_method = "HASHED"
    if hasattr(material, "use_transparent_shadow"):
        material.use_transparent_shadow = True
    elif hasattr(material, "shadow_method"):
        material.shadow_method = "HASHED"


def strips(scene: bpy.types.Scene):
    """The sequencer's strips ("sequences" before 4.4)."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def compositor(scene: bpy.types.Scene) -> tuple[bpy.types.NodeTree, bpy.types.NodeSocket]:
    """(the scene's compositor, made where there is none; the socket of its result)."""
    if not hasattr(scene, "compositing_node_group"):
        scene.use_nodes = True
        return scene.node_tree, _node_of(scene.node_tree, "CompositorNodeComposite").inputs["Image"]
    tree = scene.compositing_node_group
    if tree is None:
        tree = scene.compositing_node_group = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
    if not any(item.item_type == "SOCKET" and item.in_out == "OUTPUT" for item in tree.interface.items_tree):
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    return tree, _node_of(tree, "NodeGroupOutput").inputs[0]


def compositor_nodes(scene: bpy.types.Scene) -> list[bpy.types.Node]:
    """The nodes of the scene's compositor; none where it has none."""
    if hasattr(scene, "compositing_node_group"):
        tree = scene.compositing_node_group
    else:
        tree = scene.node_tree if scene.use_nodes else None
    return list(tree.nodes) if tree else []


def _node_of(tree: bpy.types.NodeTree, kind: str) -> bpy.types.Node:
    return next((node for node in tree.nodes if node.bl_idname == kind), None) or tree.nodes.new(kind)


def scale_to_render(node: bpy.types.Node) -> None:
    """Let a compositor's Scale node fill the render and cut what is over."""
    if "Frame Type" in node.inputs:  # from 5.0 on
        node.inputs["Type"].default_value, node.inputs["Frame Type"].default_value = "Render Size", "Crop"
    else:
        node.space, node.frame_method = "RENDER_SIZE", "CROP"


def alpha_over_sockets(node: bpy.types.Node) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """(background, foreground) of a compositor's Alpha Over node."""
    if "Background" in node.inputs:
        return node.inputs["Background"], node.inputs["Foreground"]
    return node.inputs[1], node.inputs[2]


def use_nodes(material: bpy.types.Material) -> None:
    """Give the material a node tree (from 5.0 on it always has one)."""
    if material.node_tree is None:
        material.use_nodes = True


def network_refusal() -> str:
    """Why the add-on may not use the network, and what to do; "" where it may."""
    if getattr(bpy.app, "online_access", True):
        return ""
    if getattr(bpy.app, "online_access_override", False):
        return "Blender was started without a network (--offline-mode): start it without that option"
    return "Turn on Preferences > System > Network > Allow Online Access"
