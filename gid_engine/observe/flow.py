"""Displacement of the start frame's pixels in every frame, and how far it can be trusted.

Flow goes directly from the start frame to each frame, never from frame to frame: errors of a chain add up.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np

from .clip import Clip
from .phase import PhaseFlow

Progress = Callable[[float, str], None]

GRID_SIDE = 256  # long side of the modes' grid
_BACKWARD_EVERY = 4  # the way back is for the confidence alone, for which some frames are enough
_WINDOW = 3.0  # σ in pixels over which structure and errors are pooled
_LOST_PX = 0.7  # forward-backward disagreement at which trust is halved
_BLIND = 2.0  # squared gradient (grey levels² a pixel²) at which trust in a direction is halved, plus
_BLIND_NOISE = 1.0  # this share of the noise's variance


@dataclass(frozen=True)
class Tracks:
    """displacement: float32 [N, 2, h, w], in working pixels, on the grid. trust: float32 [3, h, w], the xx, xy, yy
    of a matrix with eigenvalues 0…1: how well the picture tells the motion along each direction."""

    displacement: np.ndarray = field(repr=False)
    trust: np.ndarray = field(repr=False)


class DirectFlow:
    """DIS (Kroeger et al. 2016), medium, and a variational refinement with a firm smoothness term.

    α = 20, γ = 10, δ = 5 was the best of nine recipes on pictures moved by known fields (rms 0.3, 1.5 and 5 px).
    """

    def __init__(self, start: np.ndarray):
        self._start = start
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._refinement = cv2.VariationalRefinement_create()
        self._refinement.setAlpha(20)
        self._refinement.setGamma(10)
        self._refinement.setDelta(5)
        self._refinement.setFixedPointIterations(5)
        self._refinement.setSorIterations(20)

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """frame: uint8 [h, w] -> float32 [h, w, 2], pixels."""
        flow = self._dis.calc(self._start, frame, None)
        x, y = (np.ascontiguousarray(flow[..., i]) for i in (0, 1))
        self._refinement.calcUV(self._start, frame, x, y)
        return np.dstack([x, y])

    def back(self, frame: np.ndarray) -> np.ndarray:
        return self._dis.calc(frame, self._start, None)


def grid_of(shape: tuple[int, int]) -> tuple[int, int]:
    """(h, w) of the modes' grid for frames of a shape."""
    scale = min(1.0, GRID_SIDE / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def track(clip: Clip, phase: bool, progress: Progress | None = None) -> Tracks:
    """Follow every pixel of the start frame through the clip; phase: by local phase, for the smallest motion."""
    start = clip.frames[clip.start]
    grid = grid_of(start.shape)
    displacement = np.zeros((len(clip.frames), 2, *grid), np.float32)
    workers = min(4, os.cpu_count() or 1)
    sums = [_Evidence(start.shape) for _ in range(workers)]
    done, threads = iter(range(1, len(clip.frames) + 1)), cv2.getNumThreads()
    telling, stopped = threading.Lock(), threading.Event()

    def follow(worker: int) -> None:
        forward = DirectFlow(start)  # its buffers belong to one thread
        small = PhaseFlow(start) if phase else forward
        for index in range(worker, len(clip.frames), workers):
            if index != clip.start:
                frame = clip.frames[index]
                flow = small(frame)
                displacement[index] = [
                    cv2.resize(flow[..., i], grid[::-1], interpolation=cv2.INTER_AREA) for i in (0, 1)
                ]
                back = forward.back(frame) if index % _BACKWARD_EVERY == 0 else None
                sums[worker].add(start, frame, flow, back)
            if stopped.is_set():
                return
            with telling:  # in order, so that no bar runs backwards
                count = next(done)
                if progress is not None:
                    progress(count / len(clip.frames), f"Following frame {count} of {len(clip.frames)}")

    cv2.setNumThreads(1)  # frames are the unit of parallel work
    try:
        with ThreadPoolExecutor(workers) as pool:
            try:
                list(pool.map(follow, range(workers)))
            except BaseException:  # cancelled: the pool waits for its threads, so they must hear of it
                stopped.set()
                raise
    finally:
        cv2.setNumThreads(threads)
    trust = structure_trust(clip) * sum(sums[1:], sums[0]).trust()
    return Tracks(displacement, np.stack([cv2.resize(m, grid[::-1], interpolation=cv2.INTER_AREA) for m in trust]))


def structure_trust(clip: Clip) -> np.ndarray:
    """A(A + κ)⁻¹ of the structure tensor A as xx, xy, yy: float32 [3, h, w].

    Along a bare stem or in a soft background nothing tells the motion; across the stem it is told well.
    """
    start = clip.frames[clip.start]
    smooth = cv2.GaussianBlur(start.astype(np.float32), (0, 0), 1.0)
    gx, gy = (cv2.Scharr(smooth, cv2.CV_32F, *d, scale=1 / 32) for d in ((1, 0), (0, 1)))
    xx, xy, yy = (cv2.GaussianBlur(m, (0, 0), _WINDOW) for m in (gx * gx, gx * gy, gy * gy))
    blind = _BLIND + _BLIND_NOISE * noise_sigma(clip.frames) ** 2 / 8  # / 8: what the smoothing leaves of it
    determinant = (xx + blind) * (yy + blind) - xy * xy
    # (A + κI)⁻¹A in two dimensions, written out.
    return np.stack([xx * (yy + blind) - xy * xy, blind * xy, yy * (xx + blind) - xy * xy]) / determinant


def noise_sigma(frames: np.ndarray) -> float:
    """The sensor's noise in grey levels: the median change between frames (most of a picture hardly moves)."""
    pairs = range(1, len(frames), max(1, len(frames) // 8))
    change = np.concatenate([cv2.absdiff(frames[i], frames[i - 1])[::4, ::4].ravel() for i in pairs])
    return float(np.mean(np.minimum(change, np.median(change) * 2 + 1)) * np.sqrt(np.pi) / 2)


class _Evidence:
    """Sums over frames of what speaks for and against the flow."""

    def __init__(self, shape: tuple[int, int]):
        y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
        self._x, self._y = x, y
        self.still, self.warped, self.lost = (np.zeros(shape, np.float32) for _ in range(3))
        self.frames = self.returns = 0

    def add(self, start: np.ndarray, frame: np.ndarray, flow: np.ndarray, back: np.ndarray | None) -> None:
        x, y = self._x + flow[..., 0], self._y + flow[..., 1]
        moved = cv2.remap(frame, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        self.still += np.square(cv2.absdiff(frame, start), dtype=np.float32)
        self.warped += np.square(cv2.absdiff(moved, start), dtype=np.float32)
        self.frames += 1
        if back is not None:
            there = cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            self.lost += np.square(flow + there).sum(-1)
            self.returns += 1

    def __add__(self, other: _Evidence) -> _Evidence:
        for name in ("still", "warped", "lost", "frames", "returns"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def trust(self) -> np.ndarray:
        """float32 [h, w], 0…1: does the way back lead home, and does the flow explain how the picture changes?

        Light that flickers changes the picture, and no displacement undoes it.
        """
        still, warped, lost = (cv2.GaussianBlur(m, (0, 0), _WINDOW) for m in (self.still, self.warped, self.lost))
        home = 1 / (1 + lost / max(self.returns, 1) / _LOST_PX**2)
        floor = np.percentile(warped, 25) + self.frames  # noise alone, and rounding
        unexplained = np.maximum(warped - 2 * floor, 0) / (np.maximum(still - 2 * floor, 0) + floor)
        return home * (1 - np.clip(unexplained, 0, 1)) ** 2
