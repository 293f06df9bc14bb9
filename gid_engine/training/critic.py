"""Training of evaluation's critic: clips as they are and moved in wrong ways, cut into windows.

What is right and what is wrong pass through the same warp, so that the critic judges motion and not the warp.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from ..errors import GidError
from ..evaluation.clips import Clip, as_modes, centre_crop, load_clip, resampled
from ..evaluation.critic import MADE, Critic, luma
from ..evaluation.warp import remapped
from ..motion import Modes
from .annotated import annotated_scene
from .dataset import Material
from .render_pairs import training_clips
from .scenes import random_scene
from .train import Run, device, start

Progress = Callable[[float, str], None]

LENGTH = 64  # frames of each performance that is kept
SIDE = 128  # px: windows are cropped to squares of this
REAL, STATIC, SHUFFLED, DISORDER, REVERSED, SHAKE = range(len(MADE))


def moved_wrongly(modes: Modes, others: Modes, kind: int, rng: np.random.Generator, photo: np.ndarray) -> Modes:
    """Modes for a photo as wrong as `kind` says; REAL and DISORDER keep them, another photo's have this size."""
    volume = resampled(modes, photo)
    if kind == STATIC:
        volume = 0 * volume
    elif kind == SHUFFLED:
        volume = resampled(others, photo)
    elif kind == REVERSED:
        energy = np.sqrt((np.abs(volume) ** 2).mean((1, 2, 3)))
        volume = volume * (energy[::-1] / np.maximum(energy, 1e-9))[:, None, None, None]
    elif kind == SHAKE:
        turn = np.exp(2j * np.pi * rng.random((15, 2, 1, 1)))
        rms = np.sqrt((np.abs(volume) ** 2).mean((2, 3), keepdims=True))
        volume = np.broadcast_to(rms * turn, volume.shape).astype(np.complex64)
    return as_modes(volume.astype(np.complex64), photo)


class Windows:
    """All performances in memory: uint8 [T, 128, 256] luma by (source, kind)."""

    def __init__(self, sources: int):
        self.sources = sources
        self.films: dict[tuple[int, int], list[np.ndarray]] = {}

    def add(self, source: int, kind: int, frames: np.ndarray) -> None:
        self.films.setdefault((source, kind), []).append(luma(centre_crop(frames)))

    def batch(self, rng: np.random.Generator, count: int, length: int) -> tuple[torch.Tensor, ...]:
        """(luma [B, T, 128, 128], kinds [B], sources [B]); kinds are as frequent as each other."""
        chosen, kinds, sources = [], [], []
        for i in range(count):
            kind = i % len(MADE)
            keys = [k for k in self.films if k[1] == kind]
            key = keys[rng.integers(len(keys))]
            film = self.films[key][rng.integers(len(self.films[key]))]
            chosen.append(_window(rng, film, length, kind))
            kinds.append(kind)
            sources.append(key[0])
        pictures = torch.from_numpy(np.stack(chosen).astype(np.float32) / 255)
        return tuple(t.to(device()) for t in (pictures, torch.tensor(kinds), torch.tensor(sources)))


def _window(rng: np.random.Generator, film: np.ndarray, length: int, kind: int) -> np.ndarray:
    first = rng.integers(len(film) - length + 1)
    left = rng.integers(film.shape[2] - SIDE + 1)
    part = film[first : first + length, :, left : left + SIDE]
    if kind == DISORDER:
        part = part[rng.permutation(length)]
    if rng.random() < 0.5:
        part = part[:, :, ::-1]
    if rng.random() < 0.5:
        part = part[::-1]  # a sway may as well run backwards
    light = (part.astype(np.float32) - 128) * rng.uniform(0.7, 1.2) + 128 + rng.uniform(-20, 20)
    if rng.random() < 0.5:
        light = light + rng.normal(0, rng.uniform(0.5, 2.5), light.shape)
    return np.clip(light, 0, 255)


def gather_windows(data: Sequence[Path], material: Material, scenes: int, seed: int = 0,
                   progress: Progress | None = None) -> Windows:  # fmt: skip
    """Clips that may train, photos moved by simulation and drawn scenes, right and wrong."""
    rng = np.random.default_rng(seed)
    performers = []
    for path in training_clips(data):
        try:
            clip = load_clip(path)
        except GidError:
            continue  # a short clip is no loss here
        performers.append((clip, clip.modes))
    clips = len(performers)
    if not clips:
        raise GidError("data_missing", "No clip that may train lies in the data folders.", "Give --data FOLDER.")
    for _ in range(scenes):
        photos = material.photos
        real = photos and rng.random() < 0.7
        scene = (annotated_scene(rng, photos[rng.integers(len(photos))], 256, 144) if real
                 else random_scene(rng, 256, 144))  # fmt: skip
        modes = as_modes(scene.modes(72, 128), scene.photo)
        performers.append((Clip("scene", "scene", 30.0, scene.photo[None]), modes))
    windows = Windows(clips + 1)
    for number, (clip, modes) in enumerate(performers):
        source = min(number, clips)
        if number < clips:
            windows.add(source, REAL, clip.frames)
        others = performers[(number + 1 + rng.integers(len(performers) - 1)) % len(performers)][1]
        for kind in range(len(MADE)):
            wrong = moved_wrongly(modes, others, kind, rng, clip.photo)
            begin = int(rng.integers(clip.loop_frames))
            still = replace(wrong, modes=wrong.modes * np.float32(np.exp(rng.uniform(-0.5, 0.4))))
            windows.add(source, kind, remapped(clip.photo, still, clip.fps, range(begin, begin + LENGTH)))
        if progress:
            progress(0.0, f"performance {number + 1} of {len(performers)}")
    return windows


def train_critic(
    windows: Windows, folder: Path, minutes: float, batch: int = 18, rate: float = 1.5e-3, seed: int = 0,
    progress: Progress | None = None,
) -> Run:  # fmt: skip
    rng = start(seed)
    cv2.setNumThreads(1)
    run = Run(folder, "critic", Critic(windows.sources).to(device()), rate, ema=0.995)
    run.resume()
    run.model.train()
    begun = saved = time.monotonic()
    right = []
    facts = {"seed": str(seed), "batch": str(batch), "sources": str(windows.sources)}
    while (share := (time.monotonic() - begun) / (60 * minutes)) < 1:
        length = 16 if rng.random() < 0.7 else 32
        pictures, kinds, sources = windows.batch(rng, batch if length == 16 else batch // 2 // 6 * 6 or 6, length)
        made, source = run.model.answers(run.model(pictures))
        right.append((made.argmax(1) == kinds).float().mean().item())
        run.update(F.cross_entropy(made, kinds) + 0.3 * F.cross_entropy(source, sources), share)
        if time.monotonic() - saved > 60:
            saved = time.monotonic()
            run.save(facts)
            if progress:
                progress(share, f"step {run.step}, loss {np.mean(run.losses[-100:]):.3f}, "
                                f"right {np.mean(right[-100:]):.2f}")  # fmt: skip
    run.save(facts | {"right": f"{np.mean(right[-100:]):.2f}"})
    return run
