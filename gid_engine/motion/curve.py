"""Keyframed values: piecewise-linear functions of the frame with an exact integral."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..errors import GidError


@dataclass(frozen=True)
class Curve:
    """A value over frames: linear between keys, constant before the first and after the last."""

    frames: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self):
        object.__setattr__(self, "frames", tuple(float(f) for f in self.frames))
        object.__setattr__(self, "values", tuple(float(v) for v in self.values))
        rising = all(a < b for a, b in zip(self.frames, self.frames[1:], strict=False))
        finite = all(map(math.isfinite, self.frames + self.values))
        if not self.frames or len(self.frames) != len(self.values) or not rising or not finite:
            raise GidError(
                "bad_curve",
                "A keyframed value needs at least one key, finite numbers, and frames that rise.",
                "Check the keys of the score.",
            )

    @classmethod
    def constant(cls, value: float) -> Curve:
        return cls((0.0,), (value,))

    @classmethod
    def sampled(cls, first_frame: int, values: Iterable[float]) -> Curve:
        """One key a frame from first_frame on: how F-curves of any interpolation enter a score."""
        values = tuple(values)
        return cls(tuple(range(first_frame, first_frame + len(values))), values)

    def at(self, frame: float) -> float:
        i = bisect_right(self.frames, frame)
        if i == 0:
            return self.values[0]
        if i == len(self.frames):
            return self.values[-1]
        a, b = self.frames[i - 1], self.frames[i]
        s = (frame - a) / (b - a)
        return self.values[i - 1] * (1 - s) + self.values[i] * s

    def integral(self, frame: float) -> float:
        """∫ from the first key to the frame, in value × frames; negative before the first key."""
        i = bisect_right(self.frames, frame)
        if i == 0:
            return self.values[0] * (frame - self.frames[0])
        span = frame - self.frames[i - 1]
        return self._cumulative[i - 1] + span * (self.values[i - 1] + self.at(frame)) / 2

    @cached_property
    def _cumulative(self) -> tuple[float, ...]:
        total = [0.0]
        for i in range(1, len(self.frames)):
            span = self.frames[i] - self.frames[i - 1]
            total.append(total[-1] + span * (self.values[i] + self.values[i - 1]) / 2)
        return tuple(total)
