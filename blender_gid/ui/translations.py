"""What the interface says in other languages. Another language is another table with the same keys."""

import bpy

from ..adapters import compat

_GERMAN = {
    # buttons
    ("Operator", "Import Photo to Animate"): "Foto zum Animieren importieren",
    ("Operator", "Import Photo"): "Foto importieren",
    ("Operator", "Photo to Animate"): "Foto zum Animieren",
    ("Operator", "Predict Motion"): "Bewegung vorhersagen",
    ("Operator", "Update Preview"): "Vorschau aktualisieren",
    ("Operator", "Bake Frames"): "Bilder backen",
    ("Operator", "Link Baked Sequence"): "Gebackene Bildfolge verknüpfen",
    ("Operator", "Add Touch"): "Berührung hinzufügen",
    ("Operator", "Draw Touch"): "Berührung zeichnen",
    ("Operator", "Duplicate Touch"): "Berührung duplizieren",
    ("Operator", "Jump to Touch"): "Zur Berührung springen",
    ("Operator", "Draw Pin"): "Nadel setzen",
    ("Operator", "New Hand"): "Neue Hand",
    ("Operator", "Select by Box"): "Mit Rahmen auswählen",
    ("Operator", "Paint Region"): "Bereich malen",
    ("Operator", "Predict Variations"): "Varianten vorhersagen",
    ("Operator", "Keep the Photo's Colours"): "Farben des Fotos erhalten",
    ("Operator", "Cancel"): "Abbrechen",
    ("Operator", "Release Memory"): "Speicher freigeben",
    ("Operator", "Install Engine"): "Engine installieren",
    ("Operator", "Go On Installing"): "Weiter installieren",
    ("Operator", "Install Again"): "Neu installieren",
    ("Operator", "Update Engine"): "Engine aktualisieren",
    ("Operator", "Set Up the Engine"): "Engine einrichten",
    ("Operator", "Test Engine"): "Engine testen",
    ("Operator", "Check and Repair"): "Prüfen und reparieren",
    ("Operator", "Remove Engine"): "Engine entfernen",
    # panels
    ("*", "Animate Photo"): "Foto animieren",
    ("*", "Motion"): "Bewegung",
    ("*", "Wind"): "Wind",
    ("*", "Touches"): "Berührungen",
    ("*", "Hand"): "Hand",
    ("*", "Pins"): "Nadeln",
    ("*", "Regions"): "Bereiche",
    ("*", "Weather"): "Wetter",
    # controls
    ("*", "Show"): "Zeigen",
    ("*", "Photo"): "Foto",
    ("*", "Preview"): "Vorschau",
    ("*", "Baked"): "Gebacken",
    ("*", "Amplitude"): "Ausschlag",
    ("*", "Speed"): "Tempo",
    ("*", "Loop"): "Schleife",
    ("*", "Offset"): "Versatz",
    ("*", "Rest Frame"): "Ruhebild",
    ("*", "Stiffness"): "Steifigkeit",
    ("*", "Damping"): "Dämpfung",
    ("*", "Wind Strength"): "Windstärke",
    ("*", "Wind Direction"): "Windrichtung",
    ("*", "Gusts"): "Böen",
    ("*", "Travel"): "Wanderung",
    ("*", "Feather"): "Weichheit",
    ("*", "Silhouette"): "Umriss",
    # preferences
    ("*", "Engine Folder"): "Ordner der Engine",
    ("*", "Backend"): "Rechenwerk",
    ("*", "Packages Folder"): "Paketordner",
    ("*", "Release Memory After"): "Speicher freigeben nach",
}

# The name of a language was once that of a country's: Blender knows one or the other.
TABLES = {"de_DE": _GERMAN, "de": _GERMAN}


def register() -> None:
    bpy.app.translations.register(compat.ADDON, TABLES)


def unregister() -> None:
    bpy.app.translations.unregister(compat.ADDON)
