"""Control curves → score: what an artist set and keyed, as the engine's Score."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass

from . import engine
from .engine import GidError


@dataclass(frozen=True)
class Track:
    """A control over frames: one value, or one value a frame from first_frame on."""

    values: tuple[float, ...]
    first_frame: int = 0

    @property
    def constant(self) -> bool:
        return all(v == self.values[0] for v in self.values)

    def at(self, frame: int) -> float:
        return self.values[min(max(frame - self.first_frame, 0), len(self.values) - 1)]

    def curve(self, function: Callable[[float], float] = float):
        """The engine's Curve of the values, each put through a function."""
        if self.constant:
            return engine.motion.Curve.constant(function(self.values[0]))
        return engine.motion.Curve.sampled(self.first_frame, map(function, self.values))


@dataclass(frozen=True)
class Touch:
    """A push as Blender shows it: uv place (v up), angle (0 right, counter-clockwise), strength and radius in
    photo widths; with a `release` a pull from `frame` on that is let go at that frame."""

    frame: int
    uv: tuple[float, float]
    angle: float
    strength: float
    radius: float
    release: int | None = None

    def event(self):
        """The engine's Impulse or Drag."""
        motion, (x, y) = engine.motion, (self.uv[0], 1 - self.uv[1])
        direction = _right(self.angle), _down(self.angle)
        if self.release is None:
            return motion.Impulse(self.frame, x, y, direction, self.strength, self.radius)
        offset = tuple(self.strength * d for d in direction)
        return motion.Drag(self.frame, self.release, x, y, offset, self.radius)


@dataclass(frozen=True)
class Stroke:
    """An object that goes through the picture: its uv place over frames (v up)."""

    u: Track
    v: Track
    radius: float
    strength: Track

    @property
    def still(self) -> bool:
        return self.u.constant and self.v.constant


@dataclass(frozen=True)
class Hold:
    """A pin: its uv place (v up), its radius in photo widths."""

    uv: tuple[float, float]
    radius: float


@dataclass(frozen=True)
class Area:
    """A region: the file of its mask, and what sets it apart from the rest."""

    name: str
    mask: str
    amplitude: Track
    stiffness: float
    damping: float
    phase: float


@dataclass(frozen=True)
class Controls:
    """Everything an artist can set on a plane; frames are the scene's."""

    fps: float
    loop_frames: int
    loop_offset: int
    rest_frame: int
    amplitude: Track
    speed: Track
    gain_low: Track
    gain_mid: Track
    gain_high: Track
    stiffness: Track
    damping: Track
    wind_direction: Track
    wind_strength: Track
    wind_gust: Track
    wind_speed: float
    wind_seed: int
    touches: tuple[Touch, ...] = ()
    strokes: tuple[Stroke, ...] = ()
    holds: tuple[Hold, ...] = ()
    areas: tuple[Area, ...] = ()

    @property
    def repeats(self) -> bool:
        """Whether the motion after loop_frames is that of before: nothing acts but loop-periodic controls."""
        bands = self.gain_low, self.gain_mid, self.gain_high
        wind = self.wind_direction, self.wind_strength, self.wind_gust
        areas = (area.amplitude for area in self.areas)
        keyed = self.amplitude, *bands, self.stiffness, self.damping, *wind, *areas
        touched = self.touches or any(not stroke.still for stroke in self.strokes)
        return self.loop_frames > 0 and all(track.constant for track in keyed) and not touched

    def score(self):
        """The engine's Score of these controls."""
        motion = engine.motion
        events = [touch.event() for touch in self.touches]
        return motion.Score(
            fps=self.fps,
            loop_frames=self.loop_frames,
            loop_offset=self.loop_offset,
            rest_frame=self.rest_frame,
            amplitude=self.amplitude.curve(),
            speed=self.speed.curve(),
            band_gain=tuple(gain.curve() for gain in (self.gain_low, self.gain_mid, self.gain_high)),
            stiffness=self.stiffness.curve(),
            damping=self.damping.curve(),
            impulses=tuple(event for event in events if isinstance(event, motion.Impulse)),
            drags=tuple(event for event in events if isinstance(event, motion.Drag)),
            hands=tuple(self._hand(stroke) for stroke in self.strokes if not stroke.still),
            pins=tuple(motion.Pin(hold.uv[0], 1 - hold.uv[1], hold.radius) for hold in self.holds),
            regions=tuple(self._region(area) for area in self.areas),
            wind=self._wind(),
        )

    def _wind(self):
        if not any(self.wind_strength.values):
            return None
        return engine.motion.Wind(
            direction=(self.wind_direction.curve(_right), self.wind_direction.curve(_down)),
            strength=self.wind_strength.curve(),
            gust=self.wind_gust.curve(),
            speed=self.wind_speed,
            seed=self.wind_seed,
        )

    @staticmethod
    def _hand(stroke: Stroke):
        return engine.motion.Hand(
            stroke.u.curve(), stroke.v.curve(lambda v: 1 - v), stroke.radius, stroke.strength.curve()
        )

    @staticmethod
    def _region(area: Area):
        return engine.motion.Region(
            area.mask, area.amplitude.curve(), area.stiffness, area.damping, area.phase, area.name
        )


# The photo's y points down, Blender's angles turn counter-clockwise.


def _right(angle: float) -> float:
    return math.cos(angle)


def _down(angle: float) -> float:
    return -math.sin(angle)


def fingerprint(*parts) -> str:
    """A short text that changes with what it is made of: plain values, the engine's Score, its Pins …"""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class FrameRange:
    """Frames to compute, both ends included; cyclic: the first follows on the last."""

    first: int
    last: int
    cyclic: bool

    def __len__(self) -> int:
        return self.last - self.first + 1


def frame_range(controls: Controls, scene_first: int, scene_last: int) -> FrameRange:
    """One loop where the motion repeats and the scene is at least as long, else the scene's range."""
    if scene_first < 0:
        raise GidError(
            "negative_frame",
            f"The scene starts at frame {scene_first}, and file names know no negative frames.",
            "Let the scene start at frame 0 or later.",
        )
    if controls.repeats and scene_last - scene_first + 1 >= controls.loop_frames:
        return FrameRange(scene_first, scene_first + controls.loop_frames - 1, True)
    return FrameRange(scene_first, scene_last, False)
