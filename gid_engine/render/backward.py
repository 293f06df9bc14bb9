"""From the displacement of the photo's pixels to the place each pixel of the frame comes from.

F says where photo pixels go; a frame needs the inverse. Splatting −F forwards inverts F, settles who covers whom,
and shows where nothing landed. This runs on a grid of at most SPLAT_SIDE pixels whatever the photo's size.
"""

from __future__ import annotations

import logging

import cv2
import numpy as np
import torch

from ..motion import Modes
from .guide import guide_motion
from .plate import OUTLINE, background_near
from .splat import SHARES, VALUE_BITS, bilinear_corners, fixed_point, one_thread, padded_zeros, sum_splat_exactly

LOG = logging.getLogger(__name__)

METRIC = 12.0  # exponent of the strongest motion's softmax weight (GID §5: Z = time-mean ‖F‖); 20 is no sharper
BORDER = 16 / 512  # share of the width along which the motion fades to zero at the frame
STILL_RMS_PX = 1e-4  # photo pixels whose whole motion is less are not splatted
IN_FRONT = 0.7  # share of the strongest motion beside it from which a sample belongs to the thing that moves
# Where motion tears: samples stretched this much begin to leave the splat, and have left it.
TEARING, TORN = 1.4, 1.9
WITHIN = 0.3  # share of a stretch that counts as tearing where no object ends
HOLE, SOLID = 0.15, 0.35  # coverage below which only the plate shows, above which only the photo


class BackwardFlow:
    """The inverse of a photo's motion, frame by frame.

    colour: float32 [gh, gw, 3], the photo on the splat grid in perceptual values 0…1; photo_size: (W, H).
    rms: float32 [gh, gw], time-mean motion in photo widths on that grid; reach: how far, in its pixels, the
    motion can uncover background, with as much again to see what it is.
    """

    def __init__(self, colour: np.ndarray, modes: Modes, photo_size: tuple[int, int], device: torch.device):
        self.grid, self.device = colour.shape[:2], device
        h, w = self.grid
        # From photo widths to pixels of the grid.
        self.scale = float(w), float(h * photo_size[0] / photo_size[1])
        rms = modes.rms()
        guide = guide_motion(colour, cv2.resize(rms, (w, h)))
        # From pixels of the splat grid to cells of the modes, pixel centres on both.
        self.positions = (guide.positions + 0.5) * np.float32([rms.shape[1] / w, rms.shape[0] / h]) - 0.5
        self.taper = _border_taper(self.grid)
        self.rms = _look_up(rms, self.positions) * self.taper
        self.reach = min(4 * float(self.rms.max()) * w, 0.08 * max(h, w)) + 2
        self._prepare_tearing(guide.outlines)
        self._prepare_splat(photo_size[0])

    def _prepare_tearing(self, outlines: tuple[np.ndarray, np.ndarray]) -> None:
        beside = cv2.dilate(self.rms, _square(OUTLINE))
        self.in_front = self.rms >= IN_FRONT * beside
        near = background_near(self.rms, self.reach)
        self.tears = [
            WITHIN + (1 - WITHIN) * outline * near[: outline.shape[0], : outline.shape[1]] for outline in outlines
        ]

    def _prepare_splat(self, photo_width: int) -> None:
        weight = np.exp(METRIC * (self.rms / max(float(self.rms.max()), 1e-12) - 1)).astype(np.float32)
        moving = cv2.dilate(self.rms, _square(OUTLINE)) * photo_width > STILL_RMS_PX
        columns, rows = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in self.grid[::-1]))
        self.moving = np.flatnonzero(moving)
        self.weight, self.home_x, self.home_y = (self._tensor(a[moving]) for a in (weight, columns, rows))
        # Still pixels stay where they are: their part of the sums is the same in every frame.
        nothing = padded_zeros(self.grid, dtype=torch.int64, device=self.device)
        (index, _), *_ = bilinear_corners(self._tensor(columns[~moving]), self._tensor(rows[~moving]), self.grid)
        still_weight = fixed_point(self._tensor(weight[~moving])) * SHARES
        still_coverage = torch.full_like(index, SHARES << VALUE_BITS)
        self.still_sums = [
            nothing,
            nothing,
            nothing.index_add(0, index, still_weight),
            nothing.index_add(0, index, still_coverage),
        ]

    def _move_to(self, device: torch.device) -> None:
        self.device = device
        self.weight, self.home_x, self.home_y = (t.to(device) for t in (self.weight, self.home_x, self.home_y))
        self.still_sums = [total.to(device) for total in self.still_sums]

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def displacement(self, coarse: np.ndarray) -> np.ndarray:
        """Modes.displacement [h, w, 2] on the splat grid: float32 [gh, gw, 2] in photo widths, guided by the
        photo's edges, zero at the border. Nothing moves farther than a photo width."""
        fine = _look_up(np.clip(coarse, -1, 1), self.positions)
        fine *= self.taper[..., None]
        return fine

    def __call__(self, coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Modes.displacement [h, w, 2] -> (x, y, share): float32 [gh, gw] each. A pixel of the frame at p shows
        the photo at p + (x, y), in photo widths, and by share (0…1) the background plate instead."""
        flow = cv2.split(self.displacement(coarse))
        largest = max(float(np.abs(plane).max()) for plane in flow)
        if largest == 0 or not len(self.moving):
            still = np.zeros(self.grid, np.float32)
            return still, still, still
        steps = [plane * np.float32(scale) for plane, scale in zip(flow, self.scale, strict=True)]
        whole = _wholeness(*steps, self.in_front, self.tears)
        with one_thread():
            try:
                planes = self._splat(flow, steps, whole, largest)
            except torch.OutOfMemoryError:
                LOG.warning("The memory of %s is full: rendering goes on, on the CPU.", self.device)
                self._move_to(torch.device("cpu"))
                planes = self._splat(flow, steps, whole, largest)
        return [_pinned(plane) for plane in _with_holes(*planes)]

    def _splat(self, flow, steps, whole: np.ndarray, largest: float) -> list[np.ndarray]:
        """Splats −flow (x and y [gh, gw]) by steps: (backward flow x, y, coverage), float32 [gh, gw] each."""
        flow_x, flow_y, step_x, step_y, whole = (
            self._tensor(plane.ravel()[self.moving]) for plane in (*flow, *steps, whole)
        )
        weight = self.weight * whole
        # The fixed-point numbers hold values of up to 1.
        pull = weight * (-1 / largest)
        sum_x, sum_y, total, coverage = sum_splat_exactly(
            [flow_x * pull, flow_y * pull, weight, whole],
            self.home_x + step_x,
            self.home_y + step_y,
            self.grid,
            self.still_sums,
        )
        total = largest / total.clamp_min(1e-12)
        return [plane.cpu().numpy() for plane in (sum_x * total, sum_y * total, coverage)]


def _with_holes(x: np.ndarray, y: np.ndarray, coverage: np.ndarray):
    """(x, y, share of the plate): the flow in holes is continued from the covered pixels, a few deep."""
    # Coverage by samples drawn apart is spotty; its mean over 5×5 pixels is not.
    even = cv2.blur(coverage, (5, 5), borderType=cv2.BORDER_REPLICATE)
    share = np.clip((SOLID - even) * np.float32(1 / (SOLID - HOLE)), 0, 1)
    hole = coverage < HOLE
    if hole.any():
        known = 1 - hole.astype(np.float32)
        spread = np.maximum(cv2.blur(known, (5, 5))[hole], np.float32(1e-6))
        for plane in (x, y):
            plane[hole] = cv2.blur(plane * known, (5, 5))[hole] / spread
    return x, y, share


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
    inner, outer = np.zeros_like(step_x), np.zeros_like(step_x)
    for axis, along, across in ((0, step_y, step_x), (1, step_x, step_y)):
        stretch = cv2.magnitude(np.diff(along, axis=axis) + 1, np.diff(across, axis=axis))
        stretch -= 1
        stretch *= tears[axis]
        before = np.pad(stretch, [(1, 0) if axis == i else (0, 0) for i in (0, 1)])
        after = np.pad(stretch, [(0, 1) if axis == i else (0, 0) for i in (0, 1)])
        cv2.max(inner, cv2.min(before, after), inner)
        cv2.max(outer, cv2.max(before, after), outer)
    np.copyto(inner, cv2.dilate(outer, _square(OUTLINE)), where=~in_front)
    return np.clip((TORN - 1 - inner) * np.float32(1 / (TORN - TEARING)), 0, 1)


def _border_taper(grid: tuple[int, int]) -> np.ndarray:
    """0 on the outermost pixels, rising smoothly to 1 over BORDER of the width."""
    reach = max(2.0, BORDER * grid[1])
    ramps = [np.clip(np.minimum(np.arange(n), n - 1 - np.arange(n)) / min(reach, n / 4), 0, 1) for n in grid]
    ramps = [(ramp * ramp * (3 - 2 * ramp)).astype(np.float32) for ramp in ramps]
    return np.minimum(ramps[0][:, None], ramps[1][None, :])


def _look_up(maps: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return cv2.remap(maps, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _square(radius: int) -> np.ndarray:
    return np.ones((2 * radius + 1,) * 2, np.uint8)
