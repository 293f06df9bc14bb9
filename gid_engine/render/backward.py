"""From the displacement of the photo's pixels to the place each pixel of the frame comes from.

F says where photo pixels go; a frame needs the inverse. Splatting −F forwards inverts F, settles who covers whom,
and shows where nothing landed. This runs on a grid of at most SPLAT_SIDE pixels whatever the photo's size.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from ..motion import Modes, border_taper
from .guide import guide_motion
from .limit import Limiter
from .plate import OUTLINE, ends_at_background
from .splat import sum_splat_rows
from .threads import bands, in_parallel

METRIC = 12.0  # exponent of the strongest motion's softmax weight (GID §5: Z = time-mean ‖F‖); 20 is no sharper
STILL_RMS_PX = 1e-4  # photo pixels whose whole motion is less are not splatted
IN_FRONT = 0.7  # share of the strongest motion beside it from which a sample belongs to the thing that moves
# Where motion tears: samples stretched this much begin to leave the splat, and have left it.
TEARING, TORN = 1.6, 2.4
BLURRED = 0.015  # share of the width by which modes are blurred at the end of an object, and a little more
BAND_ROWS = 64  # rows of the splat grid that are splatted together
# Coverage below which the flow is the mean of the samples around, above which it is the pixel's own.
THIN, THICK = 0.45, 0.65
AROUND = 7, 1.5  # Gaussian window and σ, in pixels: samples up to 3 pixels apart are bridged evenly
HOLE, SOLID = 0.15, 0.35  # coverage below which only the plate shows, above which only the photo


class BackwardFlow:
    """The inverse of a photo's motion, frame by frame.

    colour: float32 [gh, gw, 3], the photo on the splat grid in perceptual values 0…1; photo_size: (W, H).
    rms: float32 [gh, gw], time-mean motion in photo widths on that grid; reach: how far, in its pixels, the
    motion can uncover background, with as much again to see what it is.
    """

    def __init__(self, colour: np.ndarray, modes: Modes, photo_size: tuple[int, int]):
        self.grid = colour.shape[:2]
        h, w = self.grid
        # From photo widths to pixels of the grid.
        self.scale = float(w), float(h * photo_size[0] / photo_size[1])
        rms = modes.rms()
        self.cells = rms.shape
        guide = guide_motion(colour, cv2.resize(rms, (w, h)))
        # From pixels of the splat grid to cells of the modes, pixel centres on both.
        self.positions = (guide.positions + 0.5) * np.float32([self.cells[1] / w, self.cells[0] / h]) - 0.5
        self.taper = border_taper(*self.grid)
        self.rms = _look_up(rms, self.positions) * self.taper
        self.reach = min(4 * float(self.rms.max()) * w, 0.08 * max(h, w)) + 2
        self._prepare_tearing(modes, guide.outlines)
        self._prepare_splat(photo_size[0])

    def _prepare_tearing(self, modes: Modes, outlines: tuple[np.ndarray, np.ndarray]) -> None:
        beside = cv2.dilate(self.rms, _square(OUTLINE))
        self.in_front = self.rms >= IN_FRONT * beside
        near = ends_at_background(self.rms, self.reach)
        self.tears = ends = [outline * near[: outline.shape[0], : outline.shape[1]] for outline in outlines]
        whole = np.maximum(np.pad(ends[0], [(0, 1), (0, 0)]), np.pad(ends[1], [(0, 0), (0, 1)]))
        self.limit = Limiter(modes, _on_cells(whole, self.cells))

    def _prepare_splat(self, photo_width: int) -> None:
        self.weight = np.exp(METRIC * (self.rms / max(float(self.rms.max()), 1e-12) - 1)).astype(np.float32)
        self.moving = cv2.dilate(self.rms, _square(OUTLINE)) * photo_width > STILL_RMS_PX
        # Still pixels stay where they are: their part of the sums is the same in every frame.
        self.still_sums = np.zeros((4, *self.grid), np.float32)
        self.still_sums[2:] = np.where(self.moving, 0, [self.weight, np.ones(self.grid)])
        self.bands = [_Band(self, top, bottom) for top, bottom in bands(self.grid[0], BAND_ROWS)]

    def displacement(self, coarse: np.ndarray) -> np.ndarray:
        """Modes.displacement [h, w, 2] on the splat grid: float32 [gh, gw, 2] in photo widths, guided by the
        photo's edges, zero at the border. Nothing moves farther than a photo width."""
        planes = cv2.split(np.clip(coarse, -1, 1))
        return np.dstack([_look_up(plane, self.positions) * self.taper for plane in planes])

    def __call__(self, coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Modes.displacement [h, w, 2] -> (x, y, share): float32 [gh, gw] each. A pixel of the frame at p shows
        the photo at p + (x, y), in photo widths, and by share (0…1) the background plate instead."""
        if not coarse.any() or not self.moving.any():
            still = np.zeros(self.grid, np.float32)
            return still, still, still
        coarse = np.clip(coarse, -1, 1)
        sums = self.still_sums.copy()
        # In order, whatever the order they were made in.
        for top, part in in_parallel(lambda band: band.splat(coarse), self.bands):
            sums[:, top : top + part.shape[1]] += part
        x, y, total, coverage = sums

        def normalise(rows: tuple[int, int]) -> None:
            some = slice(*rows)
            weight = np.maximum(total[some], np.float32(1e-12))
            x[some] /= weight
            y[some] /= weight

        in_parallel(normalise, bands(self.grid[0], 2 * BAND_ROWS))
        return [_pinned(plane) for plane in _with_holes(x, y, coverage)]


class _Band:
    """Rows top…bottom of the splat grid, whose moving pixels are splatted together."""

    def __init__(self, whole: BackwardFlow, top: int, bottom: int):
        # Whether a sample is whole depends on rows around it.
        rows = slice(max(0, top - OUTLINE - 1), min(whole.grid[0], bottom + OUTLINE + 1))
        self.grid, self.scale = whole.grid, whole.scale
        self.positions, self.taper, self.in_front = (
            plane[rows] for plane in (whole.positions, whole.taper, whole.in_front)
        )
        down, right = whole.tears
        self.tears = down[rows.start : rows.stop - 1], right[rows]
        inside = np.zeros_like(self.in_front)
        inside[top - rows.start : bottom - rows.start] = whole.moving[top:bottom]
        moving = np.flatnonzero(inside)
        home_y, home_x = np.divmod(moving + rows.start * self.grid[1], self.grid[1])
        self.home_x, self.home_y = (torch.from_numpy(home.astype(np.float32)) for home in (home_x, home_y))
        # Where all of them move nothing needs to be picked.
        full = len(moving) and moving[-1] - moving[0] + 1 == len(moving)
        self.moving = slice(moving[0], moving[-1] + 1) if full else moving
        self.weight = torch.from_numpy(whole.weight[rows].ravel()[self.moving])

    def splat(self, coarse: np.ndarray) -> tuple[int, np.ndarray]:
        """Splats −flow: (first row, sums [4, rows, gw] of x, y, weight and coverage)."""
        if not len(self.weight):
            return 0, np.zeros((4, 0, self.grid[1]), np.float32)
        flow = [_look_up(plane, self.positions) * self.taper for plane in cv2.split(coarse)]
        steps = [plane * np.float32(scale) for plane, scale in zip(flow, self.scale, strict=True)]
        whole = _wholeness(*steps, self.in_front, self.tears)
        flow_x, flow_y, step_x, step_y, whole = (
            torch.from_numpy(plane.ravel()[self.moving]) for plane in (*flow, *steps, whole)
        )
        weight = self.weight * whole
        pull = -weight
        step_x, step_y = self.home_x + step_x, self.home_y + step_y
        top, sums = sum_splat_rows([flow_x * pull, flow_y * pull, weight, whole], step_x, step_y, self.grid)
        return top, sums.numpy()


def _with_holes(x: np.ndarray, y: np.ndarray, coverage: np.ndarray):
    """(x, y, share of the plate): where samples are drawn apart or there are none, the flow goes on evenly from
    the covered pixels, a few deep."""
    # Coverage by samples drawn apart is spotty; its mean over 5×5 pixels is not.
    even = cv2.blur(coverage, (5, 5), borderType=cv2.BORDER_REPLICATE)
    share = np.zeros_like(even)
    thin = cv2.min(even, coverage + np.float32(THICK - HOLE)) < THICK
    rows, columns = (np.flatnonzero(thin.any(axis)) for axis in (1, 0))
    if not len(rows):
        return x, y, share
    rim = AROUND[0]
    window = tuple(slice(max(0, some[0] - rim), some[-1] + rim + 1) for some in (rows, columns))
    _interpolate(x[window], y[window], coverage[window], even[window])
    share[window] = np.clip((SOLID - even[window]) * np.float32(1 / (SOLID - HOLE)), 0, 1)
    return x, y, share


def _interpolate(x: np.ndarray, y: np.ndarray, coverage: np.ndarray, even: np.ndarray) -> None:
    """Where few samples land each rules the pixels around it alone: makes the flow there their weighted mean."""
    thin = np.clip((THICK - even) * np.float32(1 / (THICK - THIN)), 0, 1)
    np.copyto(thin, 1, where=coverage < HOLE)
    known = np.minimum(coverage, 1)
    spread = np.maximum(_around(known), np.float32(1e-6))
    for plane in (x, y):
        mean = _around(plane * known)
        mean /= spread
        mean -= plane
        mean *= thin
        plane += mean


def _around(plane: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(plane, (AROUND[0], AROUND[0]), AROUND[1])


def _pinned(plane: np.ndarray) -> np.ndarray:
    """Zero on the outermost pixels, also where motion was stronger than the taper at the border can hold."""
    plane[[0, -1]] = 0
    plane[:, [0, -1]] = 0
    return plane


def _wholeness(step_x, step_y, in_front: np.ndarray, tears: list[np.ndarray]) -> np.ndarray:
    """1 where the displacement (step_x, step_y [h, w], in its own pixels) stretches little, 0 where it tears.

    A blurred motion boundary that opens up is a ramp of samples drawn far apart. They belong to neither side,
    and without them a clean hole for the plate is left. At the ramp's end in front (in_front: bool [h, w]) the
    last whole sample stays; behind, the samples that the thing's antialiased outline has coloured go too, or they
    would be left standing as its ghost. Stretch counts as much as an object ends there (tears: steps down
    [h-1, w] and right [h, w-1]), so that a stem is drawn out and a petal comes off.
    """
    stretches = [
        _stretch(step_y[:-1], step_y[1:], step_x[:-1], step_x[1:]) * tears[0],
        _stretch(step_x[:, :-1], step_x[:, 1:], step_y[:, :-1], step_y[:, 1:]) * tears[1],
    ]
    inner, outer = np.zeros_like(step_x), np.zeros_like(step_x)
    if max(float(stretch.max(initial=0)) for stretch in stretches) <= TEARING - 1:
        return inner + 1
    for axis, stretch in enumerate(stretches):
        before = np.pad(stretch, [(1, 0) if axis == i else (0, 0) for i in (0, 1)])
        after = np.pad(stretch, [(0, 1) if axis == i else (0, 0) for i in (0, 1)])
        cv2.max(inner, cv2.min(before, after), inner)
        cv2.max(outer, cv2.max(before, after), outer)
    np.copyto(inner, cv2.dilate(outer, _square(OUTLINE)), where=~in_front)
    return np.clip((TORN - 1 - inner) * np.float32(1 / (TORN - TEARING)), 0, 1)


def _stretch(along, next_along, across, next_across) -> np.ndarray:
    """By how much samples one pixel apart are drawn further apart."""
    gap = next_along - along
    gap += 1
    stretch = cv2.magnitude(gap, next_across - across)
    stretch -= 1
    return stretch


def _on_cells(plane: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """The largest of a plane [gh, gw] within reach of each cell of the modes, whose edges are blurred: [h, w]."""
    reach = round(BLURRED * plane.shape[1]) + round(plane.shape[1] / cells[1] / 2)
    return cv2.resize(cv2.dilate(plane, _square(reach)), cells[::-1], interpolation=cv2.INTER_LINEAR)


def _look_up(plane: np.ndarray, positions: np.ndarray) -> np.ndarray:
    # Plane by plane: of two channels at once OpenCV reads in steps of 1/32 cell, which slow motion shows.
    return cv2.remap(plane, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _square(radius: int) -> np.ndarray:
    return np.ones((2 * radius + 1,) * 2, np.uint8)
