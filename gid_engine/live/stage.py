"""The stage: events in, frames out. What is done to the photo grows into a score that renders the same again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ..jobs import Take
from ..media import DisplayTransform, VideoWriter, resize_photo
from ..motion import Curve, Drag, Impulse, Modes, Wind
from .events import Event

RADIUS = 0.04  # photo widths, of a touch: about a fingertip on a photo the size of a hand
POKE = 0.02  # photo widths
FARTHEST = 0.12  # photo widths that a thing can be pulled; farther the picture would tear
_CLICK = 0.004  # photo widths under which a pull is a click
_GRASP = 3.0  # frames that a pull takes at least, so that its replay does not snap
_STEP = 1.25  # of amplitude, a key
_AMPLITUDE = 0.1, 6.0
_EASE = 0.3, 1.0  # seconds in which amplitude, and wind, follow their keys
_BREEZE = Wind((1.0, 0.0), 0.0, 0.6, speed=0.4)
# Long sides of (the picture, the splat grid, the modes), from fine to fast.
QUALITIES = ((1920, 960, 256), (1280, 640, 256), (1280, 400, 160), (960, 320, 128), (640, 256, 128))


class Stage:
    """A take that is played and touched.

    quality: long sides of the picture, of the splat grid and of the modes in pixels; None renders as for a bake.
    Raises GidError if photo and motion don't belong together.
    """

    def __init__(self, take: Take, quality: tuple[int, int, int] | None = None):
        if quality:
            modes = _reduced(take.modes, quality[2])
            take = replace(take, photo=resize_photo(take.photo, quality[0]), modes=modes)
        self._start, self._performance, self._renderer = take.score, take.performance, take.renderer
        if quality:
            scale = min(1.0, quality[1] / max(self._renderer.size))
            self._renderer.grid = tuple(max(2, round(side * scale)) for side in self._renderer.size)
        self._display = DisplayTransform(take.photo)
        self.size = take.photo.size
        self.pointer = self._before = 0.5, 0.5
        self._way = 1.0, 0.0  # of the pointer
        self.reset()

    @classmethod
    def fitted(cls, take: Take, long_side: int, seconds_a_frame: float) -> Stage:
        """The finest stage of at most long_side pixels that renders a frame in time on this computer."""
        for picture, *grids in QUALITIES:
            stage = cls(take, (min(picture, long_side), *grids))
            if stage._seconds_a_frame() <= seconds_a_frame:
                break
        stage.reset()
        return stage

    def _seconds_a_frame(self) -> float:
        times = []
        for _ in range(6):
            self.advance(0.37)
            start = time.perf_counter()
            self.frame()
            times.append(time.perf_counter() - start)
        return min(times[1:])  # the first sets up; other programs' bursts don't count

    # Playing

    def reset(self) -> None:
        """Back to the start, untouched."""
        self.score, self.seconds, self.paused = self._start, 0.0, False
        self._pull: tuple[float, float, float] | None = None  # (frame, x, y) at which it began

    def advance(self, seconds: float) -> None:
        if not self.paused:
            self.seconds += seconds

    def frame(self) -> np.ndarray:
        """The picture now: uint8 sRGB [H, W, 3]."""
        score = self.score
        if (pull := self._pulled()) is not None:
            score = replace(score, drags=(*score.drags, pull))
        if score != self._performance.score:
            self._performance = self._performance.with_score(score)
            self._renderer.modes = self._performance.modes
        return self._display(self._renderer.render(self._performance.modal_coordinates(self._frame)))

    @property
    def _frame(self) -> float:
        return self.seconds * self.score.fps

    @property
    def windy(self) -> bool:
        wind = self.score.wind
        return wind is not None and wind.strength.values[-1] != 0

    # Events

    def handle(self, event: Event) -> None:
        """Do what the event says, at the stage's time."""
        if event.kind == "key":
            self._press_key(event.key)
            return
        self._point(event.x, event.y)
        if event.button == "right":
            if event.kind == "press":
                poke = Impulse(self._frame, event.x, event.y, self._way, POKE, RADIUS)
                self.score = replace(self.score, impulses=(*self.score.impulses, poke))
        elif event.kind == "press":
            self._pull = self._frame, event.x, event.y
        elif event.kind == "release" and self._pull is not None:
            drag, self._pull = self._pulled(), None
            if drag is not None:
                self.score = replace(self.score, drags=(*self.score.drags, drag))

    def _point(self, x: float, y: float) -> None:
        """A poke goes the way the pointer came."""
        self.pointer = x, y
        way = self._between(self._before, self.pointer)
        if math.hypot(*way) > _CLICK:
            self._before, self._way = self.pointer, way

    def _between(self, a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
        """From place to place, in photo widths."""
        return b[0] - a[0], (b[1] - a[1]) * self.size[1] / self.size[0]

    @property
    def pulling(self) -> tuple[float, float] | None:
        """Where the thing in hand was grasped, x, y in 0…1 of width and height."""
        return self._pull and self._pull[1:]

    def _pulled(self) -> Drag | None:
        """What the hand holds, as if it let go now."""
        if self._pull is None:
            return None
        since, x, y = self._pull
        offset = self._between((x, y), self.pointer)
        length = math.hypot(*offset)
        if length < _CLICK:
            return None
        cut = min(1, FARTHEST / length)
        return Drag(
            min(since, self._frame - _GRASP), self._frame, x, y, (offset[0] * cut, offset[1] * cut), RADIUS
        )

    def _press_key(self, key: str) -> None:
        if key == "space":
            self.paused = not self.paused
        elif key == "r":
            self.reset()
        elif key == "w":
            wind = self.score.wind or _BREEZE
            strength = self._eased(wind.strength, 0.0 if self.windy else 1.0, _EASE[1])
            self.score = replace(self.score, wind=replace(wind, strength=strength))
        elif key in ("+", "-"):
            amplitude = self.score.amplitude.values[-1] * (_STEP if key == "+" else 1 / _STEP)
            low, high = _AMPLITUDE
            eased = self._eased(self.score.amplitude, min(max(amplitude, low), high), _EASE[0])
            self.score = replace(self.score, amplitude=eased)

    def _eased(self, curve: Curve, value: float, seconds: float) -> Curve:
        """The curve as it was, and from now on towards the value."""
        now = self._frame
        past = [(f, v) for f, v in zip(curve.frames, curve.values, strict=True) if f < now]
        keys = [*past, (now, curve.at(now)), (now + seconds * self.score.fps, value)]
        return Curve(*zip(*keys, strict=True))


def _reduced(modes: Modes, long_side: int) -> Modes:
    """The modes on a smaller grid, by area; as they are where it is already no larger."""
    height, width = modes.grid
    scale = long_side / max(height, width)
    if scale >= 1:
        return modes
    size = max(1, round(width * scale)), max(1, round(height * scale))
    maps = modes.modes.reshape(-1, height, width)
    small = [[cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (m.real, m.imag)] for m in maps]
    small = np.array([real + 1j * imag for real, imag in small]).reshape(modes.bands, 2, *size[::-1])
    return replace(modes, modes=small, mask=None, depth=None, confidence=None)


def record(
    stage: Stage,
    events: Iterable[Event],
    out: Path,
    progress: Callable[[float, str], None] | None = None,
    rest: float = 3.0,
) -> None:
    """Play events to a video, and `rest` seconds on, whatever the speed of this computer."""
    events = list(events)
    fps = stage.score.fps
    count = 1 + math.ceil(((events[-1].time if events else 0) + rest) * fps)
    with VideoWriter(out, stage.size, fps) as video:
        clock = 0.0
        for index in range(count):
            while events and events[0].time <= index / fps:
                event = events.pop(0)
                stage.advance(event.time - clock)
                stage.handle(event)
                clock = event.time
            stage.advance(index / fps - clock)
            clock = index / fps
            video.write(stage.frame())
            if progress is not None:
                progress((index + 1) / count, f"Frame {index + 1} of {count}")
