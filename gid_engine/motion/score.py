"""Score: what the photo does now, as an artist directs it; performance.py plays it."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

import numpy as np

from .curve import Curve
from .modes import Modes

REGIONS = 8  # at most


class _Keyed:
    """Fields that are curves also take a number: a curve that never changes."""

    def __post_init__(self):
        for f in fields(self):
            if "Curve" in f.type:
                object.__setattr__(self, f.name, _curve(getattr(self, f.name)))


def _curve(value):
    if isinstance(value, tuple):
        return tuple(_curve(v) for v in value)
    return value if isinstance(value, Curve) else Curve.constant(value)


@dataclass(frozen=True)
class Impulse:
    """A poke at a frame: place (x, y in 0…1 of width and height), direction (x right, y down), radius and
    strength in photo widths; the strength is the peak displacement at the place."""

    frame: float
    x: float
    y: float
    direction: tuple[float, float] = (1.0, 0.0)
    strength: float = 0.02
    radius: float = 0.08


@dataclass(frozen=True)
class Drag:
    """Pulled from frame_start on, held until frame_release, then let go; offset and radius in photo widths."""

    frame_start: float
    frame_release: float
    x: float
    y: float
    offset: tuple[float, float] = (0.03, 0.0)
    radius: float = 0.08


@dataclass(frozen=True)
class Hand(_Keyed):
    """Something that moves through the picture and takes along what it touches: its place (x, y in 0…1 of width
    and height) over the frames; strength 1 takes things as far along as it goes itself while it touches them."""

    x: Curve
    y: Curve
    radius: float = 0.05
    strength: Curve = 1.0


@dataclass(frozen=True)
class Pin:
    """A place that is held still: x, y in 0…1 of width and height, radius in photo widths."""

    x: float
    y: float
    radius: float = 0.05


@dataclass(frozen=True)
class Region(_Keyed):
    """A part of the photo with a character of its own.

    mask: path of an image (white is the region), in a score's file relative to that file; amplitude, stiffness and
    damping multiply those of the score; phase shifts its sway by so many turns of the slowest band.
    """

    mask: str
    amplitude: Curve = 1.0
    stiffness: float = 1.0
    damping: float = 1.0
    phase: float = 0.0
    name: str = ""


@dataclass(frozen=True)
class Wind(_Keyed):
    """Wind on top of the free sway.

    direction: (x right, y down) where it blows to. strength 1 leans about as far as the photo sways by itself;
    gust is the fluctuation over the mean (turbulence intensity); speed, in photo widths a second, is how fast
    gusts travel over the picture (0: they come everywhere at once).
    """

    direction: tuple[Curve, Curve] = (1.0, 0.0)
    strength: Curve = 0.0
    gust: Curve = 0.5
    speed: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Score(_Keyed):
    """Controls of a performance. loop_frames 0 means an endless take that does not repeat; loop_offset shifts sway
    and gusts along the loop; at rest_frame the picture is the photo wherever nothing but sway and wind act."""

    fps: float = 30.0
    loop_frames: int = 150
    loop_offset: float = 0.0
    rest_frame: int = 0
    amplitude: Curve = 1.0
    speed: Curve = 1.0
    band_gain: tuple[Curve, Curve, Curve] = (1.0, 1.0, 1.0)
    stiffness: Curve = 1.0
    damping: Curve = 1.0
    impulses: tuple[Impulse, ...] = ()
    drags: tuple[Drag, ...] = ()
    hands: tuple[Hand, ...] = ()
    pins: tuple[Pin, ...] = ()
    regions: tuple[Region, ...] = ()
    wind: Wind | None = None

    def modal_coordinates(self, modes: Modes, frame: float) -> np.ndarray:
        """q at one frame, for `Performance(self, modes).modes`. For many frames make one `Performance`."""
        from .performance import Performance

        return Performance(self, modes).modal_coordinates(frame)

    def to_dict(self) -> dict:
        from .score_file import to_dict

        return to_dict(self)

    @classmethod
    def from_dict(cls, data: dict, where: str = "The score") -> Score:
        """Read a score's table; GidError names the field that is wrong. Fields left out keep their default."""
        from .score_file import from_dict

        return from_dict(data, where)

    def save(self, path: str | os.PathLike) -> None:
        from .score_file import save

        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Score:
        from .score_file import load

        return load(path)
