"""Score: what the photo does now. Everything an artist controls ends as one complex number a band and a frame.

Every part is a closed form of time: any frame alone gives the same bits as in sequence.

Score file (JSON)::

    {"format": "gid-score", "version": 1, "fps": 30, "loop_frames": 150, "rest_frame": 0,
     "amplitude": 1.0, "speed": [[0, 1.0], [75, 0.5]], "band_gain": [1, 1, 1],
     "stiffness": 1.0, "damping": 1.0,
     "impulses": [{"frame": 40, "x": 0.5, "y": 0.3, "direction": [1, 0], "strength": 0.02, "radius": 0.08}],
     "drags": [{"frame_start": 60, "frame_release": 80, "x": 0.5, "y": 0.3, "offset": [0.03, 0], "radius": 0.08}],
     "wind": {"direction": [1, 0], "strength": 0.5, "gust": 0.5, "seed": 0}}

`amplitude`, `speed` and the wind's `strength` are a number or keys [[frame, value], …]. The amplitude scales the
free sway and the wind's answer; impulses and drags have a strength of their own.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import GidError
from .curve import Curve
from .modes import Modes
from .motion_file import write_whole
from .oscillator import frequency_response, impulse_response, release_response

FORMAT, VERSION = "gid-score", 1
_GUST_TERMS = 24
_GUST_PERIOD = 89.0  # seconds after which the gusts of an endless take repeat


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
class Wind:
    """Wind from one side: strength 1 leans about as far as the photo sways by itself; gust is the fluctuation
    over the mean (turbulence intensity)."""

    direction: tuple[float, float] = (1.0, 0.0)
    strength: Curve = field(default_factory=lambda: Curve.constant(0.0))
    gust: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class Score:
    """Controls of a performance. loop_frames 0 means an endless take that does not repeat."""

    fps: float = 30.0
    loop_frames: int = 150
    rest_frame: int = 0
    amplitude: Curve = field(default_factory=lambda: Curve.constant(1.0))
    speed: Curve = field(default_factory=lambda: Curve.constant(1.0))
    band_gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    stiffness: float = 1.0
    damping: float = 1.0
    impulses: tuple[Impulse, ...] = ()
    drags: tuple[Drag, ...] = ()
    wind: Wind | None = None

    def modal_coordinates(self, modes: Modes, frame: float) -> np.ndarray:
        """q at one frame: complex128 [K]. For many frames of the same modes make one `Performance`."""
        return Performance(self, modes).modal_coordinates(frame)

    def to_dict(self) -> dict:
        def plain(value):
            if isinstance(value, Curve):
                return (
                    value.values[0]
                    if len(value.values) == 1
                    else [list(k) for k in zip(value.frames, value.values, strict=True)]
                )
            if isinstance(value, tuple):
                return [plain(v) for v in value]
            if hasattr(value, "__dataclass_fields__"):
                return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
            return value

        return {"format": FORMAT, "version": VERSION, **plain(self)}

    @classmethod
    def from_dict(cls, data: dict, where: str = "The score") -> Score:
        """Read a score's table; GidError names the field that is wrong. Fields left out keep their default."""
        return _ScoreReader(where).score(data)

    def save(self, path: str | os.PathLike) -> None:
        write_whole(Path(path), [json.dumps(self.to_dict(), indent=1).encode()])

    @classmethod
    def load(cls, path: str | os.PathLike) -> Score:
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
        return cls.from_dict(data, str(path))


class Performance:
    """A score played on modes: the projections of forces are computed once, frames in any order after that."""

    def __init__(self, score: Score, modes: Modes):
        self.score, self.modes = score, modes
        frequency = modes.frequency_hz.astype(np.float64) * math.sqrt(score.stiffness)
        self._omega = 2 * np.pi * frequency
        self._zeta = modes.damping.astype(np.float64) * score.damping
        self._gain = _band_gain(score.band_gain, modes.frequency_hz)
        self._phase0 = 2 * np.pi * modes.frequency_hz.astype(np.float64) * modes.rest_time
        self._cycles, self._drift = self._loop_cycles(frequency)
        self._impulses = [
            (i, self._poke(i.x, i.y, i.direction, i.radius, i.strength, peak=True)) for i in score.impulses
        ]
        self._drags = [
            (d, self._poke(d.x, d.y, d.offset, d.radius, math.hypot(*d.offset), peak=False)) for d in score.drags
        ]

    def displacement(self, frame: float) -> np.ndarray:
        """F at a frame: float32 [h, w, 2] in photo widths."""
        return self.modes.displacement(self.modal_coordinates(frame))

    def modal_coordinates(self, frame: float) -> np.ndarray:
        """q at a frame: complex128 [K]; exactly 0 at the rest frame where nothing but the free loop acts."""
        q = self._free(frame) * self._gain
        if self.score.wind is not None:
            q = q + self._blow(frame) - self._blow(self.score.rest_frame)
        q = q * self.score.amplitude.at(frame)
        for impulse, coupling in self._impulses:
            q = q + coupling * impulse_response(self._omega, self._zeta, (frame - impulse.frame) / self.score.fps)
        for drag, coupling in self._drags:
            q = q + coupling * self._drag(drag, frame)
        return q

    def _loop_cycles(self, frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(cycles per unit of warped time, cycles per frame of correction) for each band.

        In a loop of N frames every band must end on a whole number of cycles: the nearest one is taken and the
        rest is spread evenly over the loop, whatever the speed does within it.
        """
        per_frame = frequency / self.score.fps
        count = self.score.loop_frames
        if not count:
            # Harmonics of one period would repeat after it; shifts by irrational parts of half a bin do not.
            golden = (np.arange(1, len(frequency) + 1) * 0.6180339887498949) % 1 - 0.5
            return per_frame + 0.5 * golden * per_frame[0], np.zeros_like(per_frame)
        turns = per_frame * self._warp(count)
        whole = np.where(np.abs(turns) < 0.25, 0, np.sign(turns) * np.maximum(1, np.round(np.abs(turns))))
        return per_frame, (whole - turns) / count

    def _warp(self, frames: float) -> float:
        """Warped time since the rest frame, in frames: the integral of the speed."""
        start = self.score.rest_frame
        return self.score.speed.integral(start + frames) - self.score.speed.integral(start)

    def _free(self, frame: float) -> np.ndarray:
        since = frame - self.score.rest_frame
        if self.score.loop_frames:
            since %= self.score.loop_frames
        turns = self._cycles * self._warp(since) + self._drift * since
        origin = np.exp(1j * self._phase0)
        return origin * np.exp(2j * np.pi * turns) - origin

    def _poke(self, x, y, direction, radius, strength, peak: bool) -> np.ndarray:
        """Coupling of a force at a place to each band: complex [K] (GID §6: the force projected on the modes).

        The phase of each band is such that the place starts in the force's direction; the scale such that it
        gets as far as `strength` (at the peak of the ringing, or statically for a held drag). Bands weigh by
        their frequency: wind falls off as about 1/f, so that dividing by it leaves what the plant itself does.
        Where next to nothing can move, next to nothing does: the floor under the reach.
        """
        length = math.hypot(*direction)
        if not length or not strength:
            return np.zeros(self.modes.bands, np.complex128)
        towards = np.asarray(direction, np.float64) / length
        coupling = np.conj(self._local_average(x, y, radius) @ towards) * self._omega
        share = np.abs(coupling) ** 2 / self._omega
        if peak:
            coupling = coupling * self._omega  # an impulse answers with 1/ω of its momentum
            times = np.linspace(0, 2 * np.pi / self._omega[0], 400)[1:]
            ringing = impulse_response(self._omega[:, None], self._zeta[:, None], times)
            share = np.array([np.max(np.abs((share * self._omega) @ ringing))])
        reach, floor = share.sum(), 0.01 * self._liveliest
        return strength * coupling * reach / (reach + floor) ** 2

    @cached_property
    def _liveliest(self) -> float:
        """The greatest reach of any point: max over the picture of Σ_k ω_k |S_k|²."""
        power = sum(w * (np.abs(band) ** 2).sum(0) for w, band in zip(self._omega, self.modes.modes, strict=True))
        return float(power.max()) + 1e-30

    def _local_average(self, x: float, y: float, radius: float) -> np.ndarray:
        """Gaussian-weighted mean of the modes around a place: complex128 [K, 2]."""
        height, width = self.modes.grid
        aspect = self.modes.photo_size[1] / self.modes.photo_size[0]
        dx = (np.arange(width) + 0.5) / width - x
        dy = ((np.arange(height) + 0.5) / height - y) * aspect
        radius = max(radius, 1.0 / width)
        wx, wy = (np.exp(-2 * np.square(d / radius)) for d in (dx, dy))
        total = wx.sum() * wy.sum()
        if total < 1e-12:
            return np.zeros((self.modes.bands, 2), np.complex128)
        return (
            np.stack([[wy @ axis.astype(np.complex128) @ wx for axis in band] for band in self.modes.modes])
            / total
        )

    def _drag(self, drag: Drag, frame: float) -> np.ndarray:
        pull = max(drag.frame_release - drag.frame_start, 1e-9)
        s = min(max((frame - drag.frame_start) / pull, 0.0), 1.0)
        released = release_response(self._omega, self._zeta, (frame - drag.frame_release) / self.score.fps)
        return s * s * (3 - 2 * s) * released

    def _blow(self, frame: float) -> np.ndarray:
        """Steady-state answer of the bands to wind: the mean's lean and the gusts, a sum of sinusoids."""
        wind = self.score.wind
        strength = wind.strength.at(frame)
        if not strength:
            return np.zeros(self.modes.bands, np.complex128)
        drive, amplitude, response = self._gusts
        seconds = (frame - self.score.rest_frame) / self.score.fps
        if self.score.loop_frames:
            seconds = ((frame - self.score.rest_frame) % self.score.loop_frames) / self.score.fps
        gusts = (response * (amplitude * np.exp(1j * drive * seconds))).real.sum(axis=1)
        softness = np.square(self._omega[0] / self._omega)
        return strength * self._wind_coupling * softness * (1 + wind.gust * gusts)

    @cached_property
    def _gusts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Angular frequencies [J], complex amplitudes [J] with rms 1 in sum, responses [K, J] of the bands.

        Kaimal's spectrum of turbulence, S(n) ∝ (1 + 6nL/U)^(−5/3), with L/U = 2 s, at harmonics of the loop.
        """
        score = self.score
        period = score.loop_frames / score.fps if score.loop_frames else _GUST_PERIOD
        n = np.arange(1, _GUST_TERMS + 1) / period
        power = np.power(1 + 12 * n, -5 / 3)
        rng = np.random.Generator(np.random.PCG64(score.wind.seed))
        phase = np.exp(2j * np.pi * rng.random(_GUST_TERMS))
        drive = 2 * np.pi * n
        response = frequency_response(self._omega[:, None], np.maximum(self._zeta, 0.02)[:, None], drive)
        return drive, np.sqrt(2 * power / power.sum()) * phase, response

    @cached_property
    def _wind_coupling(self) -> np.ndarray:
        """Unit complex number a band: the phase at which the whole leans with the wind."""
        direction = np.asarray(self.score.wind.direction, np.float64)
        length = float(np.hypot(*direction)) or 1.0
        lean = np.einsum("kchw,hw,c->k", self.modes.modes, self._rms, direction / length)
        return np.exp(-1j * np.angle(lean)) * bool(direction.any())

    @cached_property
    def _rms(self) -> np.ndarray:
        return self.modes.rms()


def _band_gain(gains: tuple[float, float, float], frequency_hz: np.ndarray) -> np.ndarray:
    """Low, mid and high gain as a smooth factor a band: low at 0.4 Hz and below, mid at 1.1, high from 2.2 Hz."""
    return np.interp(np.log(frequency_hz), np.log([0.4, 1.1, 2.2]), gains)


class _ScoreReader:
    """Reads a score's table field by field, naming what is wrong."""

    def __init__(self, where: str):
        self.where = where

    def score(self, data: dict) -> Score:
        self.table(data, "the score", {"format", "version", *(f.name for f in fields(Score))})
        if data.get("format", FORMAT) != FORMAT or data.get("version", VERSION) != VERSION:
            raise self.bad(f"it is not a {FORMAT} of version {VERSION}")
        numbers = {
            "fps": self.number(1e-3, 1e4),
            "loop_frames": self.whole(0, 10**6),
            "rest_frame": self.whole(-(10**7), 10**7),
            "amplitude": self.curve(-100, 100),
            "speed": self.curve(-100, 100),
            "band_gain": self.vector(3, -100, 100),
            "stiffness": self.number(1e-3, 1e3),
            "damping": self.number(0, 1e3),
            "impulses": self.many(Impulse),
            "drags": self.many(Drag),
        }
        values = {name: read(data[name], name) for name, read in numbers.items() if name in data}
        if data.get("wind") is not None:
            values["wind"] = self.one(Wind, data["wind"], "wind")
        return Score(**values)

    def many(self, kind: type) -> Callable:
        def read(value, name):
            if not isinstance(value, list) or len(value) > 10_000:
                raise self.bad(f"the field {name} is not a list")
            return tuple(self.one(kind, item, f"{name}[{i}]") for i, item in enumerate(value))

        return read

    def one(self, kind: type, value, name: str):
        place, far = self.number(-10, 10), self.number(-1e7, 1e7)
        readers = {
            "frame": far, "frame_start": far, "frame_release": far, "x": place, "y": place,
            "direction": self.vector(2, -1e6, 1e6), "offset": self.vector(2, -10, 10),
            "strength": self.curve(-100, 100) if kind is Wind else self.number(-10, 10),
            "radius": self.number(0, 10), "gust": self.number(0, 100), "seed": self.whole(0, 2**63 - 1),
        }  # fmt: skip
        known = {f.name for f in fields(kind)}
        self.table(value, name, known)
        try:
            return kind(**{key: readers[key](item, f"{name}.{key}") for key, item in value.items()})
        except TypeError as error:
            missing = sorted(
                f for f in known & {"frame", "frame_start", "frame_release", "x", "y"} if f not in value
            )
            raise self.bad(f"the field {name} lacks {', '.join(missing)}") from error

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

    def vector(self, count: int, low: float, high: float) -> Callable:
        def read(value, name):
            if not isinstance(value, list | tuple) or len(value) != count:
                raise self.bad(f"the field {name} must have {count} numbers")
            return tuple(self.number(low, high)(item, name) for item in value)

        return read

    def curve(self, low: float, high: float) -> Callable:
        def read(value, name):
            if not isinstance(value, list):
                return Curve.constant(self.number(low, high)(value, name))
            keys = [self.vector(2, -1e7, 1e7)(key, name) for key in value]
            for _, v in keys:
                self.number(low, high)(v, name)
            try:
                return Curve(tuple(f for f, _ in keys), tuple(v for _, v in keys))
            except GidError as error:
                raise self.bad(f"the field {name} needs keys with rising frames") from error

        return read

    def bad(self, what: str) -> GidError:
        return GidError("score_damaged", f"{self.where} can't be used: {what}.", "Correct the score.")
