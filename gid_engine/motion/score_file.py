"""The score's file: JSON, read field by field so that what is wrong has a name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from pathlib import Path

from ..errors import GidError
from .curve import Curve
from .motion_file import write_whole
from .score import REGIONS, Drag, Hand, Impulse, Pin, Region, Score, Wind

FORMAT, VERSION = "gid-score", 2
_READABLE = (1, 2)  # version 1 had fewer fields, and numbers where there are curves now


def to_dict(score: Score) -> dict:
    return {"format": FORMAT, "version": VERSION, **_plain(score)}


def _plain(value):
    if isinstance(value, Curve):
        if len(value.values) == 1:
            return value.values[0]
        return [list(key) for key in zip(value.frames, value.values, strict=True)]
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value


def from_dict(data: dict, where: str) -> Score:
    return _ScoreReader(where).score(data)


def save(score: Score, path: str | os.PathLike) -> None:
    write_whole(Path(path), [json.dumps(to_dict(score), indent=1).encode()])


def load(path: str | os.PathLike) -> Score:
    path = Path(path)
    try:
        if path.stat().st_size > 64 << 20:
            raise GidError("score_damaged", f"{path} is too large for a score.", "Choose a score file.")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GidError(
            "score_unreadable",
            f"The score {path} could not be read: {error.strerror or error}.",
            "Check the path.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise GidError("score_damaged", f"{path} is not a JSON score.", "Choose a score file.") from error
    score = from_dict(data, str(path))
    regions = tuple(replace(r, mask=str(path.absolute().parent / r.mask)) for r in score.regions)
    return replace(score, regions=regions)


class _ScoreReader:
    """Reads a score's table field by field, naming what is wrong."""

    def __init__(self, where: str):
        self.where = where

    def score(self, data: dict) -> Score:
        self.table(data, "the score", {"format", "version", *(f.name for f in fields(Score))})
        if data.get("format", FORMAT) != FORMAT or data.get("version", VERSION) not in _READABLE:
            raise self.bad(f"it is not a {FORMAT} of version {VERSION}")
        readers = {
            "fps": self.number(1e-3, 1e4),
            "loop_frames": self.whole(0, 10**6),
            "loop_offset": self.number(-1e7, 1e7),
            "rest_frame": self.whole(-(10**7), 10**7),
            "amplitude": self.curve(-100, 100),
            "speed": self.curve(-100, 100),
            "band_gain": self.several(3, self.curve(-100, 100)),
            "stiffness": self.curve(1e-3, 1e3),
            "damping": self.curve(0, 1e3),
            "impulses": self.many(Impulse),
            "drags": self.many(Drag),
            "hands": self.many(Hand, 100),
            "pins": self.many(Pin),
            "regions": self.many(Region, REGIONS),
            "wind": lambda value, name: None if value is None else self.one(Wind, value, name),
        }
        return Score(**{name: read(data[name], name) for name, read in readers.items() if name in data})

    def many(self, kind: type, most: int = 10_000) -> Callable:
        def read(value, name):
            if not isinstance(value, list) or len(value) > most:
                raise self.bad(f"the field {name} is not a list of at most {most}")
            return tuple(self.one(kind, item, f"{name}[{i}]") for i, item in enumerate(value))

        return read

    def one(self, kind: type, value, name: str):
        place, far, factor = self.number(-10, 10), self.number(-1e7, 1e7), self.curve(-100, 100)
        readers = {
            Impulse: {"frame": far, "x": place, "y": place, "direction": self.several(2, self.number(-1e6, 1e6)),
                      "strength": self.number(-10, 10), "radius": self.number(0, 10)},
            Drag: {"frame_start": far, "frame_release": far, "x": place, "y": place,
                   "offset": self.several(2, place), "radius": self.number(0, 10)},
            Hand: {"x": self.curve(-1e3, 1e3), "y": self.curve(-1e3, 1e3), "radius": self.number(0, 10),
                   "strength": factor},
            Pin: {"x": place, "y": place, "radius": self.number(0, 10)},
            Region: {"mask": self.text, "amplitude": factor, "stiffness": self.number(1e-3, 1e3),
                     "damping": self.number(0, 1e3), "phase": self.number(-1e3, 1e3), "name": self.text},
            Wind: {"direction": self.several(2, self.curve(-1e6, 1e6)), "strength": factor,
                   "gust": self.curve(0, 100), "speed": self.number(0, 1e3), "seed": self.whole(0, 2**63 - 1)},
        }[kind]  # fmt: skip
        self.table(value, name, set(readers))
        needed = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
        if missing := sorted(needed - set(value)):
            raise self.bad(f"the field {name} lacks {', '.join(missing)}")
        return kind(**{key: readers[key](item, f"{name}.{key}") for key, item in value.items()})

    def table(self, value, name: str, known: set[str]) -> None:
        if not isinstance(value, dict):
            raise self.bad(f"{name} is not a table")
        unknown = sorted(str(key) for key in value if key not in known)
        if unknown:
            raise self.bad(f"{name} has the unknown field {unknown[0]!r}")

    def number(self, low: float, high: float) -> Callable:
        def read(value, name):
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise self.bad(f"the field {name} must be a number from {low:g} to {high:g}")
            return float(value)

        return read

    def whole(self, low: int, high: int) -> Callable:
        def read(value, name):
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not low <= value <= high
                or value % 1
            ):
                raise self.bad(f"the field {name} must be a whole number from {low} to {high}")
            return int(value)

        return read

    def several(self, count: int, read_one: Callable) -> Callable:
        def read(value, name):
            if not isinstance(value, list | tuple) or len(value) != count:
                raise self.bad(f"the field {name} must have {count} values")
            return tuple(read_one(item, name) for item in value)

        return read

    def text(self, value, name: str) -> str:
        if not isinstance(value, str) or len(value) > 4096 or "\0" in value:
            raise self.bad(f"the field {name} must be a text")
        return value

    def curve(self, low: float, high: float) -> Callable:
        def read(value, name):
            if not isinstance(value, list):
                return Curve.constant(self.number(low, high)(value, name))
            keys = [self.several(2, self.number(-1e7, 1e7))(key, name) for key in value]
            for _, v in keys:
                self.number(low, high)(v, name)
            try:
                return Curve(tuple(f for f, _ in keys), tuple(v for _, v in keys))
            except GidError as error:
                raise self.bad(f"the field {name} needs keys with rising frames") from error

        return read

    def bad(self, what: str) -> GidError:
        return GidError("score_damaged", f"{self.where} can't be used: {what}.", "Correct the score.")
