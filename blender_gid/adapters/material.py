"""The plane's material: the photo or the baked sequence, shining by itself, with the photo's alpha."""

from __future__ import annotations

import bpy

from . import compat

UPRIGHT_UV, STORED_UV = "UVMap", "Stored Photo"  # UV maps: of the upright photo, of the pixels as they are stored
PHOTO, BAKED, _EMISSION, _ALPHA, _OUTPUT = "GID Photo", "GID Baked", "GID Emission", "GID Alpha", "GID Output"
_MASK, _TINT, _TINT_SHARE = "GID Mask", "GID Tint", "GID Tint Share"  # while a region is painted


def new_material(name: str, image: bpy.types.Image, uv: str) -> bpy.types.Material:
    """A material that shows the image by the UV map `uv`, as bright as it is."""
    result = bpy.data.materials.new(name)
    compat.use_nodes(result)
    nodes, links = result.node_tree.nodes, result.node_tree.links
    nodes.clear()
    output = _node(nodes, "ShaderNodeOutputMaterial", _OUTPUT, 600, 0)
    emission = _node(nodes, "ShaderNodeEmission", _EMISSION, 200, -60)
    links.new(emission.outputs[0], output.inputs["Surface"])
    _image_node(result, PHOTO, image, uv, 160)
    show(result, PHOTO)
    if has_alpha(image):
        add_alpha(result)
        compat.blend_transparency(result)
    return result


def has_alpha(image: bpy.types.Image) -> bool:
    return image.depth == (128 if image.is_float else 32)  # bits a pixel: four channels


def add_alpha(result: bpy.types.Material) -> None:
    """Let the material be as transparent as its image says; nothing where it is already."""
    nodes, links = result.node_tree.nodes, result.node_tree.links
    emission, output = nodes.get(_EMISSION), nodes.get(_OUTPUT)
    if emission is None or output is None or _ALPHA in nodes:
        return
    shader = _node(nodes, "ShaderNodeMixShader", _ALPHA, 400, 0)
    clear = _node(nodes, "ShaderNodeBsdfTransparent", "GID Clear", 200, 60)
    links.new(clear.outputs[0], shader.inputs[1])
    links.new(emission.outputs[0], shader.inputs[2])
    links.new(shader.outputs[0], output.inputs["Surface"])
    links.new(nodes.active.outputs["Alpha"], shader.inputs[0])


def image_node(result: bpy.types.Material, name: str) -> bpy.types.Node | None:
    """The material's image node PHOTO or BAKED, or None where it has none."""
    tree = result.node_tree if result else None
    return tree.nodes.get(name) if tree else None


def photo_image(plane: bpy.types.Object) -> bpy.types.Image | None:
    """The image of the plane's photo, or None where its material was replaced."""
    node = image_node(plane.active_material, PHOTO)
    return node.image if node else None


def set_baked(result: bpy.types.Material, image: bpy.types.Image, uv: str) -> bpy.types.Node:
    """The material's node of the baked sequence, holding `image`."""
    node = image_node(result, BAKED) or _image_node(result, BAKED, image, uv, -160)
    node.image, node.label = image, BAKED
    return node


def remove_baked(result: bpy.types.Material) -> None:
    """Take the node of the baked sequence away, and its image where nothing else uses it."""
    nodes = result.node_tree.nodes
    node = nodes[BAKED]
    image = node.image
    nodes.remove(nodes[f"{BAKED} UV"])
    nodes.remove(node)
    if image is not None and image.users == 0:
        bpy.data.images.remove(image)


def show(result: bpy.types.Material, name: str) -> bool:
    """Let the material show its node PHOTO or BAKED (Workbench: the active one); False where it lacks it."""
    node = image_node(result, name)
    emission = image_node(result, _EMISSION)
    if node is None or emission is None:
        return False
    links = result.node_tree.links
    links.new(node.outputs["Color"], emission.inputs["Color"])
    if alpha := image_node(result, _ALPHA):
        links.new(node.outputs["Alpha"], alpha.inputs[0])
    for other in result.node_tree.nodes:
        other.select = other == node
    result.node_tree.nodes.active = node
    return True


def begin_painting(plane: bpy.types.Object, image: bpy.types.Image, color) -> None:
    """Lay a mask over the photo, in a colour, until `end_painting`."""
    end_painting(plane)
    result = plane.active_material
    photo, emission = image_node(result, PHOTO), image_node(result, _EMISSION)
    if photo is None or emission is None:
        return
    mask = _image_node(result, _MASK, image, UPRIGHT_UV, -480)
    over = _node(result.node_tree.nodes, "ShaderNodeMixRGB", _TINT, 50, -260)
    share = _node(result.node_tree.nodes, "ShaderNodeMath", _TINT_SHARE, -50, -400)
    share.operation, share.inputs[1].default_value = "MULTIPLY", 0.6
    links = result.node_tree.links
    links.new(mask.outputs["Color"], share.inputs[0])
    links.new(share.outputs[0], over.inputs[0])
    links.new(photo.outputs["Color"], over.inputs[1])
    over.inputs[2].default_value = (*color, 1)
    links.new(over.outputs[0], emission.inputs["Color"])
    result.node_tree.nodes.active = mask
    layers = plane.data.uv_layers
    if UPRIGHT_UV in layers:
        layers.active = layers[UPRIGHT_UV]


def end_painting(plane: bpy.types.Object) -> bool:
    """Take the mask off the photo again; whether there was one."""
    if image_node(plane.active_material, _TINT) is None:
        return False
    nodes = plane.active_material.node_tree.nodes
    for name in (_MASK, f"{_MASK} UV", _TINT, _TINT_SHARE):
        if name in nodes:
            nodes.remove(nodes[name])
    return True


def _image_node(result, name: str, image: bpy.types.Image, uv: str, y: float) -> bpy.types.Node:
    nodes = result.node_tree.nodes
    node = _node(nodes, "ShaderNodeTexImage", name, -150, y)
    node.image = image
    node.extension = "EXTEND"
    place = _node(nodes, "ShaderNodeUVMap", f"{name} UV", -350, y)
    place.uv_map = uv
    result.node_tree.links.new(place.outputs["UV"], node.inputs["Vector"])
    return node


def _node(nodes, kind: str, name: str, x: float, y: float) -> bpy.types.Node:
    node = nodes.new(kind)
    node.name = node.label = name
    node.location = x, y
    return node
