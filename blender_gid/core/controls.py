"""Control curves → score: what an artist set and keyed, as the engine's Score."""

from __future__ import annotations

import math
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

    def curve(self):
        if self.constant:
            return engine.motion.Curve.constant(self.values[0])
        return engine.motion.Curve.sampled(self.first_frame, self.values)


@dataclass(frozen=True)
class Touch:
    """An impulse as Blender shows it: uv place (v up), angle (0 right, counter-clockwise), photo widths."""

    frame: int
    uv: tuple[float, float]
    angle: float
    strength: float
    radius: float


@dataclass(frozen=True)
class Controls:
    """Everything an artist can set on a plane; frames are the scene's."""

    fps: float
    loop_frames: int
    rest_frame: int
    amplitude: Track
    speed: Track
    band_gain: tuple[float, float, float]
    stiffness: float
    damping: float
    wind_angle: float
    wind_strength: Track
    wind_gust: float
    wind_seed: int
    impulses: tuple[Touch, ...] = ()

    @property
    def repeats(self) -> bool:
        """Whether the motion after loop_frames is that of before: nothing acts but loop-periodic controls."""
        steady = self.amplitude.constant and self.wind_strength.constant
        return self.loop_frames > 0 and steady and not self.impulses

    def score(self):
        """The engine's Score of these controls."""
        motion = engine.motion
        wind = None
        if any(self.wind_strength.values):
            wind = motion.Wind(
                direction=_image_direction(self.wind_angle),
                strength=self.wind_strength.curve(),
                gust=self.wind_gust,
                seed=self.wind_seed,
            )
        return motion.Score(
            fps=self.fps,
            loop_frames=self.loop_frames,
            rest_frame=self.rest_frame,
            amplitude=self.amplitude.curve(),
            speed=self.speed.curve(),
            band_gain=self.band_gain,
            stiffness=self.stiffness,
            damping=self.damping,
            impulses=tuple(
                motion.Impulse(
                    frame=t.frame,
                    x=t.uv[0],
                    y=1 - t.uv[1],
                    direction=_image_direction(t.angle),
                    strength=t.strength,
                    radius=t.radius,
                )
                for t in self.impulses
            ),
            wind=wind,
        )


def _image_direction(angle: float) -> tuple[float, float]:
    # The photo's y points down, Blender's angles turn counter-clockwise.
    return math.cos(angle), -math.sin(angle)


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
