"""Clips whose motion is known exactly: a picture moved by smooth fields, to measure what observe finds."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..motion import spectrum_from_trajectories

PERIOD_SECONDS, FPS, BANDS = 5.0, 30.0, 15


@dataclass(frozen=True)
class KnownClip:
    """frames: uint8 [N, h, w, 3]; modes: complex64 [15, 2, h, w], the exact motion of the first frame's pixels in
    pixels, with the phase of the clip's first frame at time 0."""

    frames: np.ndarray
    modes: np.ndarray


def known_clip(picture: np.ndarray, rms_px: float, seed: int = 0, noise: float = 2.0, seconds: float = 5.5):
    """Move a picture (uint8 RGB [2h, 2w, 3]) by smooth fields with the given rms where they move; noise: σ of 255.

    A frame shows at x the picture at x − d(x). The pixel p of the picture at rest is then at p + F with
    F = d(p + F), which is solved point by point; so the truth does not come from any warp of ours. Resampling is
    done at twice the size, so that its blur stays outside the clip's own frequencies.
    """
    rng = np.random.default_rng(seed)
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    fields = _smooth_fields(rng, height, width)
    times = np.arange(round(seconds * FPS)) / FPS
    turn = np.exp(2j * np.pi * np.outer(times, np.arange(1, BANDS + 1)) / PERIOD_SECONDS)
    moving = np.sqrt((np.abs(fields) ** 2).sum((0, 1)) / 2)
    fields *= rms_px / np.sqrt(np.square(moving[moving > 0.1 * moving.max()]).mean())
    start = _at(fields, turn[0])  # the first frame is the picture at rest
    frames, truth = [], []
    for q in turn:
        d = _at(fields, q) - start
        shown = _inverse_warp(picture, d) + rng.normal(0, noise, (height, width, 3))
        frames.append(np.clip(np.rint(shown), 0, 255).astype(np.uint8))
        truth.append(_forward(d))
    period = round(PERIOD_SECONDS * FPS)
    modes = spectrum_from_trajectories(np.stack(truth[:period]), BANDS).astype(np.complex64)
    return KnownClip(np.stack(frames), modes)


def relative_errors(found: np.ndarray, truth: np.ndarray) -> dict:
    """How far found modes are from the truth, both complex [K, 2, h, w] on one grid and clock.

    error: ‖found − truth‖ / ‖truth‖ over all bands; bands: the same band by band; correlation: of the rms maps;
    epe: root mean square of the difference over time and picture, in the unit of the modes.
    """
    difference = found - truth
    maps = [np.sqrt((np.abs(m) ** 2).sum((0, 1)) / 2).ravel() for m in (found, truth)]

    def norm(a):
        return float(np.sqrt((np.abs(a) ** 2).sum()))

    return {
        "error": norm(difference) / norm(truth),
        "bands": [norm(d) / norm(t) for d, t in zip(difference, truth, strict=True)],
        "correlation": float(np.corrcoef(*maps)[0, 1]),
        "epe": float(np.sqrt((np.abs(difference) ** 2).sum((0, 1)).mean() / 2)),
    }


def _smooth_fields(rng, height: int, width: int) -> np.ndarray:
    """complex [K, 2, h, w]: 1/f modes of a few smooth patches that each sway along their own direction."""
    y, x = np.mgrid[0:height, 0:width] / width
    fields = np.zeros((BANDS, 2, height, width), np.complex64)
    for _ in range(4):
        cx, cy, size = rng.uniform(0.15, 0.85), rng.uniform(0.15, 0.85) * height / width, rng.uniform(0.06, 0.14)
        patch = np.exp(-(((x - cx) / size) ** 2 + ((y - cy) / size) ** 2)).astype(np.float32)
        angle = rng.uniform(0, 2 * np.pi)
        for k in range(BANDS):
            q = (rng.normal() + 1j * rng.normal()) / (k + 1)
            fields[k, 0] += q * np.cos(angle) * patch
            fields[k, 1] += q * np.sin(angle) * patch
    return fields


def _at(fields: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.tensordot(q, fields, (0, 0)).real.astype(np.float32)


def _inverse_warp(picture: np.ndarray, d: np.ndarray) -> np.ndarray:
    height, width = d.shape[1:]
    fine = [cv2.resize(2 * c, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR) for c in d]
    y, x = np.mgrid[0 : 2 * height, 0 : 2 * width].astype(np.float32)
    moved = cv2.remap(
        picture.astype(np.float32), x - fine[0], y - fine[1], cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT
    )
    return cv2.resize(moved, (width, height), interpolation=cv2.INTER_AREA)


def _forward(d: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[0 : d.shape[1], 0 : d.shape[2]].astype(np.float32)
    moved = d.copy()
    for _ in range(6):  # F ← d(p + F) contracts, since the fields are smooth
        moved = np.stack([cv2.remap(c, x + moved[0], y + moved[1], cv2.INTER_LINEAR) for c in d])
    return moved
