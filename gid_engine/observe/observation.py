"""gid observe: a clip of something that sways -> modes, with a map of how far they can be trusted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ..errors import GidError
from ..motion import Modes, loopify, spectrum_from_trajectories
from .camera import check_camera, check_cuts, check_same_picture, stabilised
from .clip import FPS, MIN_SECONDS, Clip, read_clip
from .flow import Tracks, track
from .resonance import band_damping, resonances
from .smoothing import believable

Progress = Callable[[float, str], None]

PERIOD_SECONDS = 5.0
TOP_HZ = 3.0  # K = 15 bands over 5 s (GID §3.1)
OVERLAP_SECONDS = 0.5  # of the loop's cross-fade
_HUM_HZ = 6.0  # plants in wind do not move faster; what flow does above it is noise
_PHASE_UNDER_PX = 0.3
_STILL_PX = 0.03  # rms of the liveliest hundredth of the picture, in working pixels


@dataclass(frozen=True)
class Observation:
    """What a clip tells.

    modes: with confidence; of the start frame. photo: uint8 [H, W, 3], the start frame. notes: sentences for the
    person. rms_px: of the liveliest hundredth, in pixels of a picture 512 wide or high. gain_db: by how much the
    PSNR of the clip's frames, brought back to the start frame by the modes, beats that of the frames as they are,
    where something moves. resonances: [(Hz, damping ratio)]. seconds: {stage: s}.
    """

    modes: Modes
    photo: np.ndarray = field(repr=False)
    notes: tuple[str, ...]
    rms_px: float
    gain_db: float
    resonances: tuple[tuple[float, float], ...]
    seconds: dict[str, float]


def observe(
    path: Path,
    start: int = 0,
    seconds: float = PERIOD_SECONDS,
    stabilise: bool = False,
    phase: bool = False,
    progress: Progress | None = None,
) -> Observation:
    """Read the modes of a clip from frame `start` on.

    The loop of the modes is `seconds` long, or as long as the clip allows. stabilise: take out the camera's motion
    instead of refusing it. phase: measure by local phase, for motion of under 0.3 px. Raises GidError for a clip
    that cannot be used: none, too short, blank, with a cut, from a moving camera, or with nothing that moves.
    """
    clock, told = _Clock(), progress or (lambda fraction, message: None)
    told(0.0, "Reading the clip")
    clip = read_clip(path, start, seconds, OVERLAP_SECONDS)
    clock.stage("decode")
    check_cuts(clip)
    if stabilise:
        told(0.1, "Stabilising")
        clip = stabilised(clip)
    else:
        check_camera(clip)
    check_same_picture(clip)
    clock.stage("camera")
    tracks = track(clip, phase, lambda fraction, message: told(0.15 + 0.7 * fraction, message))
    clock.stage("flow")
    told(0.9, "Finding the modes")
    found = _observation(clip, tracks, seconds, clock)
    told(1.0, "Done")
    return found


def _observation(clip: Clip, tracks: Tracks, seconds: float, clock: _Clock) -> Observation:
    motion, zero = _evenly(tracks.displacement, clip.times)
    motion -= _jitter(motion)[:, :, None, None]
    loop, clock_start = _loop(motion, zero, seconds)
    period = len(loop) / FPS
    bands = _bands(period, clip)
    spectrum = spectrum_from_trajectories(loop, bands)
    hum = _hum(loop)
    trust = tracks.trust * _steadiness(spectrum, hum)
    spectrum = _above_hum(spectrum, hum)
    colour = cv2.resize(clip.small, loop.shape[:1:-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    measured = np.concatenate([spectrum.real, spectrum.imag, loop.mean(0)[None]]).astype(np.float32)
    likely = believable(measured, trust, colour)
    modes, mean = likely[:bands] + 1j * likely[bands : 2 * bands], likely[-1]
    clock.stage("modes")
    frequency = np.arange(1, bands + 1) / period
    rms = np.sqrt((np.abs(modes) ** 2).sum((0, 1)) / 2)
    lively = float(np.percentile(rms, 99))
    if lively < _STILL_PX:
        raise GidError(
            "clip_still",
            f"Nothing moves in {clip.path} that can be told from noise.",
            "Choose a clip in which something sways.",
        )
    places = np.argsort(-rms.ravel())[:400]
    peaks = resonances(motion.reshape(len(motion), 2, -1)[..., places].reshape(len(motion), -1), FPS, TOP_HZ)
    gain = _warp_gain(clip, modes, mean, frequency, clock_start)
    clock.stage("checks")
    width = clip.frames.shape[2]
    return Observation(
        modes=Modes(
            modes=modes / width,
            frequency_hz=frequency,
            damping=band_damping(peaks, frequency),
            photo_size=(clip.photo.shape[1], clip.photo.shape[0]),
            source=f"clip {clip.path.name}",
            rest_time=_nearest_rest(modes, mean, frequency),
            confidence=np.clip((trust[0] + trust[2]) / 2, 0, 1),
        ),
        photo=clip.photo,
        notes=(*clip.notes, *_notes(period, seconds, gain, lively)),
        rms_px=lively,
        gain_db=gain,
        resonances=tuple(peaks),
        seconds=clock.seconds,
    )


def _evenly(displacement: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, int]:
    """The motion at FPS from its own, perhaps uneven, times [N, …], by Catmull-Rom; and the index of time 0."""
    first = int(np.ceil(times[0] * FPS - 1e-3))
    at = np.arange(first, int(np.floor(times[-1] * FPS + 1e-3)) + 1) / FPS
    right = np.clip(np.searchsorted(times, at, side="right"), 1, len(times) - 1)
    left = right - 1
    span = times[right] - times[left]
    s = np.clip((at - times[left]) / span, 0, 1)
    before, after = np.maximum(left - 1, 0), np.minimum(right + 1, len(times) - 1)
    weight = np.zeros((len(at), len(times)))
    rows = np.arange(len(at))
    # Hermite's basis; slopes by the neighbours, at their true distances.
    for index, basis in ((left, 2 * s**3 - 3 * s**2 + 1), (right, 3 * s**2 - 2 * s**3)):
        np.add.at(weight, (rows, index), basis)
    for low, high, basis in ((before, right, s**3 - 2 * s**2 + s), (left, after, s**3 - s**2)):
        slope = basis * span / (times[high] - times[low])
        np.add.at(weight, (rows, high), slope)
        np.add.at(weight, (rows, low), -slope)
    even = np.tensordot(weight.astype(np.float32), displacement, (1, 0))
    return even, -first


def _jitter(motion: np.ndarray) -> np.ndarray:
    """The shiver of the camera that is left, [N, 2]: the median over what hardly moves, if that is much of it."""
    rms = np.sqrt(np.square(motion - motion.mean(0)).sum(1).mean(0))
    quiet = rms <= np.percentile(rms, 30)
    if rms[quiet].max() > 0.3:  # px: all of the picture sways, and its mean is not the camera's
        return np.zeros(motion.shape[:2], np.float32)
    return np.median(motion[:, :, quiet], axis=2)


def _loop(motion: np.ndarray, zero: int, seconds: float) -> tuple[np.ndarray, int]:
    """(one period of the motion [T, …], the frame of the clip's grid at which it begins).

    A clip that is a loop already stays as it is. Else its end fades into its run-up.
    """
    count = round(seconds * FPS)
    overlap = max(2, min(round(OVERLAP_SECONDS * FPS), len(motion) // 6))
    speed = np.median(np.abs(np.diff(motion, axis=0)).mean((1, 2, 3)))
    for period in range(min(count, len(motion)), max(count - 2, len(motion) - 2, 2), -1):
        seam = motion[zero + period - 1] - motion[zero] if zero + period <= len(motion) else None
        if seam is not None and np.abs(seam).mean() < 1.5 * speed + 0.01:
            return motion[zero : zero + period], zero
    motion = motion[: count + overlap]
    return loopify(motion, overlap), overlap


def _bands(period: float, clip: Clip) -> int:
    """As many harmonics as lie under 3 Hz and under 0.4 of the clip's frame rate."""
    rate = (len(clip.times) - 1) / (clip.times[-1] - clip.times[0])
    bands = int(min(TOP_HZ, 0.4 * rate) * period + 1e-6)
    if bands < 2:
        raise GidError(
            "clip_too_short",
            f"{clip.path} is too short or has too few frames a second to show how something sways.",
            f"Choose at least {MIN_SECONDS:g} s at 10 frames a second or more.",
        )
    return bands


def _hum(loop: np.ndarray) -> np.ndarray:
    """Float32 [h, w]: mean |S_k|² of a band above what plants can do. Flow's noise is about alike in all bands."""
    first = int(_HUM_HZ * len(loop) / FPS)
    hum = np.abs(np.fft.rfft(loop, axis=0)[first : 2 * first]) * (2 / len(loop))
    return cv2.GaussianBlur(np.square(hum).sum(1).mean(0).astype(np.float32), (0, 0), 1.5)


def _steadiness(spectrum: np.ndarray, hum: np.ndarray) -> np.ndarray:
    """Float32 [h, w], 0…1: how small the noise is, against how much the clip moves."""
    rms = np.sqrt(np.square(np.abs(spectrum)).sum((0, 1)) / 2)
    scale = max(0.05, 0.25 * float(np.percentile(rms, 99)))
    return (1 / (1 + hum * len(spectrum) / 2 / scale**2)).astype(np.float32)


def _above_hum(spectrum: np.ndarray, hum: np.ndarray) -> np.ndarray:
    """The bands without what noise alone would give: Wiener's factor 1 − N/|S|², |S|² pooled over neighbours."""
    power = np.square(np.abs(spectrum)).sum(1).astype(np.float32)
    pooled = np.stack([cv2.GaussianBlur(p, (0, 0), 2.0) for p in power])
    return spectrum * np.maximum(1 - hum / (pooled + 1e-12), 0)[:, None]


def _nearest_rest(modes: np.ndarray, mean: np.ndarray, frequency: np.ndarray) -> float:
    """The second of the loop at which it passes nearest to the start frame's own position."""
    flat, rest = modes.reshape(len(modes), -1), mean.ravel()
    times = np.arange(0, 1 / frequency[0], 1 / FPS)
    turn = np.exp(2j * np.pi * np.outer(times, frequency))
    distance = [np.square((q @ flat).real + rest).sum() for q in turn]
    return float(times[int(np.argmin(distance))])


def _warp_gain(clip: Clip, modes: np.ndarray, mean: np.ndarray, frequency: np.ndarray, first: int) -> float:
    """PSNR of frames brought back by the modes, less that of the frames as they are, in dB, where it moves."""
    height, width = clip.frames.shape[1:]
    rms = np.sqrt((np.abs(modes) ** 2).sum((0, 1)) / 2)
    lively = cv2.resize(rms, (width, height)) > 0.3 * np.percentile(rms, 99)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    start = clip.frames[clip.start]
    origin = clip.times[0] + first / FPS
    still = warped = 1e-6
    inside = np.flatnonzero((clip.times > origin) & (clip.times < clip.times[-1] - 2 * OVERLAP_SECONDS))
    for index in inside[:: max(1, len(inside) // 20)]:
        q = np.exp(2j * np.pi * frequency * (clip.times[index] - origin))
        moved = np.tensordot(q, modes, (0, 0)).real + mean
        fx, fy = (cv2.resize(m.astype(np.float32), (width, height)) for m in moved)
        back = cv2.remap(clip.frames[index], x + fx, y + fy, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        still += np.square(cv2.absdiff(clip.frames[index], start)[lively], dtype=np.float32).mean()
        warped += np.square(cv2.absdiff(back, start)[lively], dtype=np.float32).mean()
    return float(10 * np.log10(still / warped))


def _notes(period: float, wanted: float, gain: float, lively: float) -> list[str]:
    notes = []
    if period < wanted - 0.5 / FPS:
        notes.append(
            f"The clip gives a loop of {period:.2f} s; its slowest sway is {1 / period:.2f} Hz, and slower ones "
            "are not in the modes."
        )
    if gain < 1:  # dB
        notes.append("The modes explain little of what changes in the clip; look at the result before you use it.")
    if lively < _PHASE_UNDER_PX:
        notes.append(f"The motion is small ({lively:.2f} px); measuring by phase may be better (--phase).")
    return notes


class _Clock:
    """Seconds of each stage."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = round(now - self._last, 2)
        self._last = now
