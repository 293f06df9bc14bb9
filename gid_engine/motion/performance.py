"""Performance: a score played on modes, any frame alone, in any order, with the same bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from .clock import Clock
from .modes import Modes
from .score import Hand, Score
from .touch import Ringing, Touchable, TouchedPlace
from .wind import Air

PLACES = 32  # touched places that are told apart; more are taken to the nearest of these
STILL = 1e-6  # photo widths: what rings less has come to rest


class Performance:
    """A score on modes. What does not depend on the frame is computed once.

    masks: float [h, w] in 0…1, any size, one a region of the score. `modes` are the modes that `modal_coordinates`
    belong to: the given ones (faded at pins), then those of each region, then one complex map a touched place.
    Raises ValueError if there are not as many masks as regions.
    """

    def __init__(self, score: Score, modes: Modes, masks: Sequence[np.ndarray] = ()):
        if len(masks) != len(score.regions):
            raise ValueError(f"the score has {len(score.regions)} regions, there are {len(masks)} masks")
        self.score, self.source, self._masks = score, modes, tuple(masks)
        groups = 1 + len(score.regions)
        stiffness = np.repeat([1.0, *(r.stiffness for r in score.regions)], modes.bands)
        self._frequency = np.tile(modes.frequency_hz.astype(np.float64), groups) * np.sqrt(stiffness)
        self._zeta = np.tile(modes.damping.astype(np.float64), groups)
        self._zeta *= np.repeat([1.0, *(r.damping for r in score.regions)], modes.bands)
        self._omega = 2 * np.pi * self._frequency
        phase = np.repeat([0.0, *(r.phase for r in score.regions)], modes.bands) / modes.frequency_hz[0]
        self._sway = Clock((score.speed, 1), (score.stiffness, 0.5), start=score.rest_frame)
        self._ring = Clock((score.stiffness, 0.5))
        self._decay = Clock((score.damping, 1), (score.stiffness, 0.5))
        self._cycles, self._drift = self._loop_cycles()
        clock = modes.rest_time + phase
        shift = self._cycles + self._drift
        self._origin = np.exp(2j * np.pi * (self._frequency * clock + shift * score.loop_offset))

    def with_score(self, score: Score) -> Performance:
        """The same modes and masks under another score, in a fraction of the time where only touches and keys have
        changed: for a score that grows while it plays."""
        new = Performance(score, self.source, self._masks)
        kept = ["_rms"]
        if (score.pins, score.regions) == (self.score.pins, self.score.regions):
            kept += ["_held", "_shares", "_base", "_touchable"]
            if _air(score) == _air(self.score):
                kept += ["_moved_air"]
        new.__dict__.update({name: self.__dict__[name] for name in kept if name in self.__dict__})
        return new

    @cached_property
    def modes(self) -> Modes:
        if not self._places:
            return self._base
        shapes = np.stack([place.shape * self._longest[i] for i, place in enumerate(self._places)])
        tempo = [float(place.share @ self.source.frequency_hz) for place in self._places]
        return replace(
            self._base,
            modes=np.concatenate([self._base.modes, shapes]),
            frequency_hz=np.concatenate([self._base.frequency_hz, np.maximum(tempo, 1e-3)]),
            damping=np.concatenate([self._base.damping, np.full(len(shapes), self.source.damping.mean())]),
        )

    def displacement(self, frame: float) -> np.ndarray:
        """F at a frame: float32 [h, w, 2] in photo widths."""
        return self.modes.displacement(self.modal_coordinates(frame))

    def modal_coordinates(self, frame: float) -> np.ndarray:
        """q at a frame: complex128 [modes.bands]; exactly 0 at the rest frame where only sway and wind act."""
        score = self.score
        gains = tuple(curve.at(frame) for curve in score.band_gain)
        q = self._free(frame) * np.tile(_band_gain(gains, self.source.frequency_hz), 1 + len(score.regions))
        if score.wind is not None:
            q = q + self._blow(frame) - self._blow(score.rest_frame)
        q = q * score.amplitude.at(frame)
        for i, region in enumerate(score.regions, 1):
            q[i * self.source.bands : (i + 1) * self.source.bands] *= region.amplitude.at(frame)
        return np.concatenate([q, self._touched(frame)]) if self._places else q

    @cached_property
    def _held(self) -> Modes:
        return _pinned(self.source, self.score)

    @cached_property
    def _shares(self) -> np.ndarray:
        return _shares(self._masks, self.source.grid)

    @cached_property
    def _base(self) -> Modes:
        if not self.score.regions:
            return self._held
        return _split(self._held, self._shares, self._frequency, self._zeta)

    # The free sway

    def _loop_cycles(self) -> tuple[np.ndarray, np.ndarray]:
        """(cycles per frame of warped time, cycles per frame of correction) for each band.

        In a loop of N frames every band must end on a whole number of cycles: the nearest one is taken and the
        rest is spread evenly over the loop, whatever speed and stiffness do within it.
        """
        per_frame = self._frequency / self.score.fps
        count = self.score.loop_frames
        if not count:
            # Harmonics of one period would repeat after it; shifts by irrational parts of half a bin do not.
            bands = self.source.bands
            golden = np.tile((np.arange(1, bands + 1) * 0.6180339887498949) % 1 - 0.5, len(per_frame) // bands)
            return per_frame + 0.5 * golden * per_frame[0], np.zeros_like(per_frame)
        turns = per_frame * self._sway.at(self.score.rest_frame + count)
        whole = np.where(np.abs(turns) < 0.25, 0, np.sign(turns) * np.maximum(1, np.round(np.abs(turns))))
        return per_frame, (whole - turns) / count

    def _since_rest(self, frame: float) -> float:
        since = frame - self.score.rest_frame
        return since % self.score.loop_frames if self.score.loop_frames else since

    def _free(self, frame: float) -> np.ndarray:
        since = self._since_rest(frame)
        turns = self._cycles * self._sway.at(self.score.rest_frame + since) + self._drift * since
        return self._origin * np.exp(2j * np.pi * turns) - self._origin

    # Wind

    def _blow(self, frame: float) -> np.ndarray:
        """Steady-state answer of the bands to wind: the mean's lean and the gusts, a sum of sinusoids.

        The bands answer as they are tuned at the frame (stiffness may be keyed): exact where that changes slowly
        beside a gust.
        """
        wind, score = self.score.wind, self.score
        strength = wind.strength.at(frame)
        x, y = (curve.at(frame) for curve in wind.direction)
        length = math.hypot(x, y)
        if not strength or not length:
            return np.zeros(len(self._omega), np.complex128)
        air = self._moved_air
        x, y = x / max(length, 1), y / max(length, 1)
        omega = self._omega * math.sqrt(score.stiffness.at(frame))
        zeta = np.maximum(self._zeta * score.damping.at(frame), 0.02)
        seconds = (self._since_rest(frame) + score.loop_offset) / score.fps
        gusts = air.gusts(omega, zeta, (x / length, y / length), seconds)
        softness = np.square(self._omega[0] / self._omega)
        return strength * air.lean(x, y) * softness * (1 + wind.gust.at(frame) * gusts)

    @cached_property
    def _moved_air(self) -> Air:
        score = self.score
        period = score.loop_frames / score.fps if score.loop_frames else None
        return Air(self._base, self._rms, period, score.wind.speed, score.wind.seed)

    @cached_property
    def _rms(self) -> np.ndarray:
        return self.source.rms()

    # Touches

    @cached_property
    def _touchable(self) -> Touchable:
        return Touchable(self._held)

    @cached_property
    def _places(self) -> list[TouchedPlace]:
        return [place for place, _ in self._touches]

    @cached_property
    def _acts(self) -> list[list[tuple]]:
        return [acts for _, acts in self._touches]

    @cached_property
    def _touches(self) -> list[tuple[TouchedPlace, list[tuple]]]:
        """The places touched, and for each what acts there: (kind, frames, complex displacements)."""
        score = self.score
        acts = [("blow", i.frame, _along(i.direction, i.strength)) for i in score.impulses]
        acts += [("drag", d.frame_start, d.frame_release, complex(*d.offset)) for d in score.drags]
        touches = [(t.x, t.y, t.radius, act) for t, act in zip(score.impulses + score.drags, acts, strict=True)]
        touches += [touch for hand in score.hands for touch in self._strokes(hand)]
        found: list[tuple[TouchedPlace, list[tuple]]] = []
        for x, y, radius, act in touches:
            if act[-1] == 0:
                continue
            near = self._nearest(found, x, y, radius)
            if near is None:
                near = len(found)
                found.append((self._touchable.place(x, y, radius), []))
            found[near][1].append(act)
        return found

    @cached_property
    def _longest(self) -> list[float]:
        return [sum(abs(act[-1]) for act in acts) for acts in self._acts]

    @cached_property
    def _ringing(self) -> list[Ringing]:
        return [self._tuned(place) for place in self._places]

    def _nearest(self, found: list[tuple], x: float, y: float, radius: float) -> int | None:
        aspect = self.source.photo_size[1] / self.source.photo_size[0]
        distances = [
            math.hypot(p.x - x, (p.y - y) * aspect) + abs(math.log((p.radius + 1e-3) / (radius + 1e-3))) * radius
            for p, _ in found
        ]
        if not distances:
            return None
        nearest = int(np.argmin(distances))
        if distances[nearest] <= radius / 4 or len(distances) >= PLACES:
            return nearest
        return None

    def _tuned(self, place: TouchedPlace) -> Ringing:
        """How a place rings: its bands, as stiff and as damped as the regions make it there."""
        height, width = self.source.grid
        row, column = (min(max(int(v * n), 0), n - 1) for v, n in ((place.y, height), (place.x, width)))
        share = self._shares[:, row, column]
        stiffness = 1 + sum(s * (r.stiffness - 1) for s, r in zip(share, self.score.regions, strict=True))
        damping = 1 + sum(s * (r.damping - 1) for s, r in zip(share, self.score.regions, strict=True))
        omega = 2 * np.pi * self.source.frequency_hz.astype(np.float64) * math.sqrt(stiffness)
        return Ringing(omega, self.source.damping.astype(np.float64) * damping, place.share)

    def _strokes(self, hand: Hand) -> list[tuple]:
        """A hand as a row of blows, two a frame; each takes its place as far along as the hand goes meanwhile."""
        frames = [f for curve in (hand.x, hand.y) for f in curve.frames]
        first, last = max(min(frames), -1e5), min(max(frames), 1e5)
        aspect = self.source.photo_size[1] / self.source.photo_size[0]
        strokes = []
        for frame in np.arange(first, last, 0.5)[:20_000]:
            before, after = ((hand.x.at(f), hand.y.at(f)) for f in (frame, frame + 0.5))
            step = complex(after[0] - before[0], (after[1] - before[1]) * aspect) * hand.strength.at(frame)
            inside = all(-hand.radius <= v <= 1 + hand.radius for v in before)
            if step and inside:
                strokes.append((*before, hand.radius, ("blow", frame, step)))
        return strokes

    def _touched(self, frame: float) -> np.ndarray:
        q = np.zeros(len(self._places), np.complex128)
        for i, (ringing, acts) in enumerate(zip(self._ringing, self._acts, strict=True)):
            blows = [act for act in acts if act[0] == "blow" and act[1] < frame]
            if blows:
                times = [self._ringing_time(act[1], frame) for act in blows]
                seconds, damping, size = np.array(times).T
                q[i] += np.sum(ringing.struck(seconds, damping) * size * np.array([act[2] for act in blows]))
            for _, start, release, offset in (act for act in acts if act[0] == "drag"):
                s = min(max((frame - start) / max(release - start, 1e-9), 0.0), 1.0)
                seconds, damping, size = self._ringing_time(release, max(frame, release))
                q[i] += s * s * (3 - 2 * s) * offset * size * ringing.released(seconds, damping)
            q[i] = q[i] / self._longest[i] if abs(q[i]) >= STILL else 0
        return q

    def _ringing_time(self, start: float, frame: float) -> tuple[float, float, float]:
        """(seconds on the oscillators' own clock, mean damping factor, size) from a start to a frame.

        Where stiffness s is keyed, an oscillator turns by ∫ω√s and its swing goes with s^−¼ (the adiabatic
        invariant, WKB): exact for constant s, and to first order in its rate of change.
        """
        turned = self._ring.at(frame) - self._ring.at(start)
        decayed = self._decay.at(frame) - self._decay.at(start)
        stiffness = self.score.stiffness
        size = (stiffness.at(start) / stiffness.at(frame)) ** 0.25
        mean = decayed / turned if turned > 1e-12 else self.score.damping.at(start)
        return turned / self.score.fps, mean, size


def _air(score: Score) -> tuple:
    """What the air's movement hangs on, besides the modes."""
    wind = score.wind
    return score.fps, score.loop_frames, None if wind is None else (wind.speed, wind.seed)


def _along(direction: tuple[float, float], strength: float) -> complex:
    length = math.hypot(*direction)
    return strength * complex(*direction) / length if length else 0j


def _band_gain(gains: tuple[float, float, float], frequency_hz: np.ndarray) -> np.ndarray:
    """Low, mid and high gain as a smooth factor a band: low at 0.4 Hz and below, mid at 1.1, high from 2.2 Hz."""
    return np.interp(np.log(frequency_hz), np.log([0.4, 1.1, 2.2]), gains)


def _pinned(modes: Modes, score: Score) -> Modes:
    """The modes, faded to nothing at the score's pins."""
    if not score.pins:
        return modes
    height, width = modes.grid
    aspect = modes.photo_size[1] / modes.photo_size[0]
    free = np.ones((height, width))
    for pin in score.pins:
        dx = (np.arange(width) + 0.5) / width - pin.x
        dy = ((np.arange(height) + 0.5) / height - pin.y) * aspect
        far = np.clip(np.hypot(dx, dy[:, None]) / max(pin.radius, 1.0 / width), 0, 1)
        free *= far * far * (3 - 2 * far)
    return replace(modes, modes=modes.modes * free.astype(np.float32))


def _shares(masks: Sequence[np.ndarray], grid: tuple[int, int]) -> np.ndarray:
    """Share of each region at each place, float32 [R, h, w]; together at most 1."""
    shares = np.stack([_resized(mask, grid) for mask in masks]) if masks else np.zeros((0, *grid), np.float32)
    return shares / np.maximum(shares.sum(0), 1)


def _split(modes: Modes, shares: np.ndarray, frequency: np.ndarray, damping: np.ndarray) -> Modes:
    rest = 1 - shares.sum(0)
    parts = [modes.modes * share for share in (rest, *shares)]
    return replace(modes, modes=np.concatenate(parts), frequency_hz=frequency, damping=damping)


def _resized(mask: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Bilinear, float32 [h, w] in 0…1; shrunk by whole factors first, so that no thin stroke is stepped over."""
    mask = np.clip(np.nan_to_num(np.asarray(mask, np.float32)), 0, 1)
    for n in grid:  # rows, then columns, by turning the picture
        factor = max(1, len(mask) // n)
        mask = mask[: len(mask) // factor * factor].reshape(-1, factor, mask.shape[1]).mean(1)
        at = np.clip((np.arange(n) + 0.5) * len(mask) / n - 0.5, 0, len(mask) - 1)
        low = at.astype(int)
        part = (at - low).astype(np.float32)[:, None]
        mask = (mask[low] * (1 - part) + mask[np.minimum(low + 1, len(mask) - 1)] * part).T
    return mask
