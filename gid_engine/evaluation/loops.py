"""Measures of motion itself, on modes: seam, rest frame, static leak, spectrum, amplitude, coherence, truth."""

from __future__ import annotations

import cv2
import numpy as np

from ..motion import Modes
from .warp import played

STILL, MOVING = 0.1 / 512, 0.25 / 512  # rms in widths: 0.1 and 0.25 px of a picture 512 wide
TOLD = 0.005 / 512  # rms of a band over the picture that flow's noise has by itself: 0.005 px
DISTANCES = (0.02, 0.04, 0.08, 0.16, 0.32)  # widths, at which coherence is taken


def seam_of_modes(modes: Modes, fps: float = 30.0) -> dict[str, float]:
    """Speed and acceleration across the seam over the loop's medians, of the displacement as played."""
    take = played(modes, fps)
    count = take.score.loop_frames
    path = np.stack([take.displacement(f) for f in range(count)])
    return _seam(np.roll(path, -1, 0) - path)


def seam_of_frames(frames: np.ndarray) -> dict[str, float]:
    """The same of a video of one loop, uint8 [T, H, W, 3], by optical flow from frame to frame."""
    grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    return _seam(np.stack([flow.calc(a, b, None) for a, b in zip(grey, grey[1:] + grey[:1], strict=True)]))


def _seam(velocity: np.ndarray) -> dict[str, float]:
    """velocity [T, h, w, 2]: the last one leads from the last frame to the first."""
    speed = np.linalg.norm(velocity, axis=-1).mean((1, 2))
    change = np.linalg.norm(velocity - np.roll(velocity, 1, 0), axis=-1).mean((1, 2))
    across = max(change[-1], change[0])  # into and out of the seam
    floor = 1e-9
    return {
        "seam speed": float(speed[-1] / max(np.median(speed), floor)) if speed.any() else np.nan,
        "seam acceleration": float(across / max(np.median(change), floor)) if change.any() else np.nan,
    }


def rms_map(volume: np.ndarray) -> np.ndarray:
    """√(½ Σ|S|²) of a complex volume [K, 2, h, w]: float [h, w], widths."""
    return np.sqrt((np.abs(volume) ** 2).sum((0, 1)) / 2)


def amplitude_correlation(made: np.ndarray, real: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Pearson correlation of two maps [h, w], weighted by a third if given; NaN where one is flat."""
    w = np.ones(made.size) if weight is None else weight.astype(np.float64).ravel()
    a, b = (x.astype(np.float64).ravel() for x in (made, real))
    a, b = (x - (w @ x) / max(w.sum(), 1e-20) for x in (a, b))
    norm = np.sqrt((w @ (a * a)) * (w @ (b * b)))
    return float(w @ (a * b) / norm) if norm > 1e-20 else np.nan


def static_leak(made: np.ndarray, real: np.ndarray) -> float:
    """Mean rms of the made motion where the real one is under 0.1 px, over its mean where that moves.

    Maps of rms [h, w] in widths. NaN where either place is under a hundredth of the picture or nothing moves.
    """
    still, moving = real < STILL, real > MOVING
    if min(still.mean(), moving.mean()) < 0.01 or made[moving].mean() < 1e-7:
        return np.nan
    return float(made[still].mean() / made[moving].mean())


def spectral_distance(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """|log E_made − log E_real| a band, E_k = mean |S_k|² over the picture and what flow can't tell: float [K]."""
    energy = [(np.abs(v) ** 2).sum(1).mean((1, 2)) + 2 * TOLD**2 for v in (made, real)]
    return np.abs(np.log(energy[0]) - np.log(energy[1]))


def coherence(volume: np.ndarray) -> np.ndarray:
    """|Σ S_k(p)* S_k(p + d)| / Σ |S_k(p)||S_k(p + d)| over p and both directions: float [K, distances], 0…1.

    1: all places swing in step; what samples its bands or places apart falls off at once. Only where it moves.
    """
    size = volume.shape[-1]
    rms = rms_map(volume)
    volume = volume * (rms > max(0.1 * rms.max(), 1e-9))
    result = np.full((len(volume), len(DISTANCES)), np.nan)
    for column, distance in enumerate(DISTANCES):
        step = max(1, round(distance * size))
        if step >= min(volume.shape[2:]):
            continue
        pairs = ((volume[..., :-step], volume[..., step:]), (volume[..., :-step, :], volume[..., step:, :]))
        joint = sum((a.conj() * b).sum((1, 2, 3)) for a, b in pairs)
        alone = sum(
            (np.sqrt((np.abs(a) ** 2).sum(1)) * np.sqrt((np.abs(b) ** 2).sum(1))).sum((1, 2)) for a, b in pairs
        )
        result[:, column] = np.where(alone > 1e-20, np.abs(joint) / np.maximum(alone, 1e-20), np.nan)
    return result


def coherence_distance(made: np.ndarray, real: np.ndarray) -> float:
    """Mean difference of the coherences over bands and distances."""
    apart = np.abs(coherence(made) - coherence(real))
    return float(np.nanmean(apart)) if np.isfinite(apart).any() else np.nan


def end_point_error(made: np.ndarray, real: np.ndarray) -> float:
    """Root of the time-mean squared end-point error over that of staying still, after the best phase a band.

    Of complex volumes [K, 2, h, w]. A photo does not tell when its clip began, so that every band of the made
    volume is turned to meet the real one. 1: no better than a still picture.
    """
    phase = np.angle((made.conj() * real).sum((1, 2, 3)))
    turned = made * np.exp(1j * phase)[:, None, None, None]
    return float(rms_map(turned - real).mean() / max(rms_map(real).mean(), 1e-12))


def psnr(frame: np.ndarray, photo: np.ndarray) -> float:
    """Of two uint8 pictures in dB; infinite where they are the same."""
    error = np.square(frame.astype(np.float64) - photo).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")
