"""What a person does at the window, and its file: a JSON list, so that a session can be scripted and replayed."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import GidError

KINDS = ("press", "move", "release", "key")
BUTTONS = ("left", "right")
KEYS = ("space", "w", "+", "-", "r")
_MOST, _LONGEST = 100_000, 3600.0


@dataclass(frozen=True)
class Event:
    """Something that happens at a time (seconds from the start): a button or the pointer at (x, y), in 0…1 of the
    photo's width and height, or a key."""

    time: float
    kind: str
    x: float = 0.0
    y: float = 0.0
    button: str = "left"
    key: str = ""


def load_events(path: str | os.PathLike) -> list[Event]:
    """Events of a JSON file, by time. Raises GidError that names the event that is wrong."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        message = f"The events {path} could not be read: {error.strerror or error}."
        raise GidError("events_unreadable", message, "Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is not JSON") from error
    if not isinstance(data, list) or len(data) > _MOST:
        raise _damaged(path, f"it is not a list of at most {_MOST} events")
    return sorted((_event(item, f"event {i}", path) for i, item in enumerate(data)), key=lambda event: event.time)


def _event(item, name: str, path) -> Event:
    fields = Event.__dataclass_fields__
    if not isinstance(item, dict) or not {"time", "kind"} <= set(item) <= set(fields):
        raise _damaged(path, f"{name} is not a table of {', '.join(fields)}, with time and kind")
    for field, most in (("time", _LONGEST), ("x", 2), ("y", 2)):
        value = item.get(field, 0)
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not good or not (0 if field == "time" else -1) <= value <= most:
            raise _damaged(path, f"{field} of {name} is not a number up to {most:g}")
    event = Event(**item)
    choices = {"kind": KINDS, "button": BUTTONS} | ({"key": KEYS} if event.kind == "key" else {})
    for field, known in choices.items():
        if getattr(event, field) not in known:
            raise _damaged(path, f"{field} of {name} is none of {', '.join(known)}")
    return event


def _damaged(path, what: str) -> GidError:
    return GidError("events_damaged", f"{path} can't be replayed: {what}.", "Correct the file.")
