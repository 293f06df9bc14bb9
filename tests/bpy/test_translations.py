"""Every phrase that is translated is one that the interface shows; everything has a tooltip."""

import ast
from pathlib import Path

import bpy
import pytest

from blender_gid.ui import translations

UI = Path(translations.__file__).parent


def classes(*kinds):
    """The add-on's registered classes of these kinds of Blender's."""
    for kind in kinds:
        for cls in kind.__subclasses__():
            if cls.__module__.startswith("blender_gid") and cls.__name__.startswith("GID_"):
                yield cls


def rna(cls):
    """What Blender knows of a class: its tooltip and its properties."""
    if not issubclass(cls, bpy.types.Operator):
        return cls.bl_rna
    category, name = cls.bl_idname.split(".")
    return getattr(getattr(bpy.ops, category), name).get_rna_type()


OPERATORS = (bpy.types.Operator,)
HOLDERS = {"COLLECTION", "POINTER"}  # of properties that have their own
PROPERTIES = (bpy.types.PropertyGroup, bpy.types.AddonPreferences)


def shown():
    """(context, phrase) of everything that the add-on's classes and drawing code show."""
    found = set()
    for cls in classes(*OPERATORS, *PROPERTIES, bpy.types.Panel):
        context = "Operator" if issubclass(cls, bpy.types.Operator) else "*"
        found.add((context, getattr(cls, "bl_label", "")))
        for prop in rna(cls).properties:
            found |= {("*", prop.name), ("*", prop.description)}
            if prop.type == "ENUM":
                found |= {("*", text) for item in prop.enum_items for text in (item.name, item.description)}
    for path in UI.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and path.name != "translations.py":
                found |= {("Operator", node.value), ("*", node.value)}
    return found


@pytest.mark.parametrize("language", sorted(translations.TABLES))
def test_every_key_is_shown_somewhere(language):
    assert not set(translations.TABLES[language]) - shown()


def test_no_phrase_is_left_empty_and_buttons_of_the_main_way_are_all_there():
    german = translations.TABLES["de_DE"]
    assert all(text.strip() for text in german.values())
    for operator in ("GID_OT_import_photo", "GID_OT_predict", "GID_OT_bake", "GID_OT_install_engine"):
        assert ("Operator", getattr(bpy.types, operator).bl_label) in german


def test_every_operator_and_every_property_that_is_shown_has_a_tooltip():
    drawn = {phrase for context, phrase in shown()}
    bare = [cls.__name__ for cls in classes(*OPERATORS) if not rna(cls).description]
    for cls in classes(*OPERATORS, *PROPERTIES):
        for prop in rna(cls).properties:
            seen = issubclass(cls, bpy.types.Operator) or prop.identifier in drawn
            if prop.identifier in cls.__annotations__ and seen and prop.type not in HOLDERS and not prop.is_hidden:
                bare += [] if prop.description else [f"{cls.__name__}.{prop.identifier}"]
    assert not bare
