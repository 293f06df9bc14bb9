"""The renderer on a graphics card: the steps of backward.py and sample.py in PyTorch, on the card from end to end.

What goes in for a frame is the displacement on the modes' small grid, what comes out are the frame's pixels. The
result is that of the CPU to 1/255, but for single pixels where things tear or pass in front of one another.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .backward import AROUND, HOLE, SOLID, TEARING, THICK, THIN, TORN, BackwardFlow
from .plate import OUTLINE
from .splat import SHARES, VALUE_BITS, bilinear_corners, fixed_point, padded_zeros, sum_splat_exactly

TILE_PIXELS, LEAST_PIXELS = 1 << 22, 1 << 16  # pixels of a frame at a time, and what they are halved down to


class DeviceFrames:
    """Frames of one photo [H, W, 3 or 4] on a device.

    backward: what its motion is inverted with; plate: float32 [gh, gw, C], alpha premultiplied. Raises
    torch.OutOfMemoryError where even small tiles do not fit.
    """

    def __init__(self, photo: np.ndarray, backward: BackwardFlow, plate: np.ndarray, device: torch.device):
        self.device, self.grid, self.scale = device, backward.grid, backward.scale
        self.kind, self.size, self.photo = photo.dtype, photo.shape[:2], photo
        self.tile_pixels = TILE_PIXELS
        self._prepare_flow(backward)
        self.pixels = self._premultiplied(self._to(photo).to(torch.float32).permute(2, 0, 1))[None]
        self.plate = self._to(plate).permute(2, 0, 1)

    def _prepare_flow(self, backward: BackwardFlow) -> None:
        _, w = self.grid
        rows, columns = backward.cells
        # grid_sample takes places as -1 … 1 between the outer pixels' centres.
        unit = backward.positions * np.float32([2 / max(columns - 1, 1), 2 / max(rows - 1, 1)]) - 1
        self.positions, self.taper = self._to(unit)[None], self._to(backward.taper)
        self.behind = self._to(~backward.in_front)
        self.tears = [self._to(step) for step in backward.tears]
        moving = backward.moving
        self.moving = self._to(np.flatnonzero(moving))
        home_y, home_x = np.divmod(np.flatnonzero(moving), w)
        self.home_x, self.home_y = (self._to(home.astype(np.float32)) for home in (home_x, home_y))
        self.weight = self._to(backward.weight[moving])
        still_y, still_x = (self._to(home.astype(np.float32)) for home in np.nonzero(~moving))
        (index, _), *_ = bilinear_corners(still_x, still_y, self.grid)
        nothing = padded_zeros(self.grid, dtype=torch.int64, device=self.device)
        weight = fixed_point(self._to(backward.weight[~moving])) * SHARES
        self.still_sums = [
            nothing,
            nothing,
            nothing.index_add(0, index, weight),
            nothing.index_add(0, index, torch.full_like(index, SHARES << VALUE_BITS)),
        ]

    def _to(self, array: np.ndarray) -> Tensor:
        array = array.astype(np.int32) if array.dtype == np.uint16 else array
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    # The flow

    @torch.inference_mode()
    def flow(self, coarse: np.ndarray) -> Tensor:
        """As BackwardFlow.__call__: (x, y, share) [3, gh, gw]."""
        if not coarse.any() or not len(self.moving):
            return torch.zeros(3, *self.grid, device=self.device)
        flow = self._displacement(coarse)
        steps = [plane * scale for plane, scale in zip(flow, self.scale, strict=True)]
        whole = self._wholeness(*steps)
        largest = max(float(flow.abs().max()), 1e-12)
        flow_x, flow_y, step_x, step_y, whole = (
            plane.reshape(-1)[self.moving] for plane in (*flow, *steps, whole)
        )
        weight = self.weight * whole
        pull = weight * (-1 / largest)
        sum_x, sum_y, total, coverage = sum_splat_exactly(
            [flow_x * pull, flow_y * pull, weight, whole],
            self.home_x + step_x,
            self.home_y + step_y,
            self.grid,
            self.still_sums,
        )
        total = largest / total.clamp_min(1e-12)
        flow = _with_holes(torch.stack([sum_x * total, sum_y * total]), coverage)
        flow[:, [0, -1]] = 0
        flow[:, :, [0, -1]] = 0
        return flow

    def _displacement(self, coarse: np.ndarray) -> Tensor:
        maps = self._to(np.clip(coarse, -1, 1)).permute(2, 0, 1)[None]
        maps = F.grid_sample(maps, self.positions, "bilinear", "border", align_corners=True)
        return maps[0] * self.taper

    def _wholeness(self, step_x: Tensor, step_y: Tensor) -> Tensor:
        inner, outer = torch.zeros_like(step_x), torch.zeros_like(step_x)
        for axis, along, across in ((0, step_y, step_x), (1, step_x, step_y)):
            stretch = (torch.hypot(along.diff(dim=axis) + 1, across.diff(dim=axis)) - 1) * self.tears[axis]
            before = F.pad(stretch, (0, 0, 1, 0) if axis == 0 else (1, 0))
            after = F.pad(stretch, (0, 0, 0, 1) if axis == 0 else (0, 1))
            inner = torch.maximum(inner, torch.minimum(before, after))
            outer = torch.maximum(outer, torch.maximum(before, after))
        near = F.max_pool2d(outer[None], 2 * OUTLINE + 1, 1, OUTLINE)[0]
        return ((TORN - 1 - torch.where(self.behind, near, inner)) / (TORN - TEARING)).clamp(0, 1)

    # The pixels

    @torch.inference_mode()
    def render(self, flow: Tensor, still_px: float) -> np.ndarray:
        """The frame: the photo's shape and dtype; pixels that move less than still_px keep the photo's bits."""
        frame = np.empty_like(self.photo)
        top = 0
        while top < self.size[0]:
            bottom = min(self.size[0], top + max(1, self.tile_pixels // self.size[1]))
            try:
                frame[top:bottom] = self._tile(flow, top, bottom, still_px)
                top = bottom
            except torch.OutOfMemoryError:
                if self.tile_pixels <= LEAST_PIXELS:
                    raise
                self.tile_pixels //= 2
        return frame

    def _tile(self, flow: Tensor, top: int, bottom: int, still_px: float) -> np.ndarray:
        """Rows top…bottom of the frame."""
        h, w = self.size
        move_x, move_y, share = _enlarge(flow, self.size, top, bottom)
        home_y, home_x = (torch.arange(*span, device=self.device) for span in ((top, bottom), (0, w)))
        x, y = (move_x * w + home_x).clamp(0, w - 1), (move_y * w + home_y[:, None]).clamp(0, h - 1)
        moved = (share > 0) | ((x - home_x).abs() >= still_px) | ((y - home_y[:, None]).abs() >= still_px)
        sampled = self._sample(x, y)
        sampled += (_enlarge(self.plate, self.size, top, bottom) - sampled) * share
        photo = self._to(self.photo[top:bottom])
        return torch.where(moved[..., None], self._straight(sampled).permute(1, 2, 0), photo).cpu().numpy()

    def _sample(self, x: Tensor, y: Tensor) -> Tensor:
        """The photo at (x, y), alpha premultiplied: float32 [C, h, w]."""
        h, w = self.size
        unit = torch.stack([x * (2 / max(w - 1, 1)) - 1, y * (2 / max(h - 1, 1)) - 1], -1)[None]
        sampled = F.grid_sample(self.pixels, unit, "bicubic", "border", align_corners=True)[0]
        if self.kind == np.float32 or len(sampled) == 4:
            left, top = x.long(), y.long()
            right, below = (left + 1).clamp_max(w - 1), (top + 1).clamp_max(h - 1)
            corners = [self.pixels[0][:, j, i] for j in (top, below) for i in (left, right)]
            lowest = torch.minimum(torch.minimum(*corners[:2]), torch.minimum(*corners[2:]))
            highest = torch.maximum(torch.maximum(*corners[:2]), torch.maximum(*corners[2:]))
            return torch.minimum(torch.maximum(sampled, lowest), highest)
        return sampled if self.kind == np.float32 else sampled.clamp(0, float(np.iinfo(self.kind).max))

    def _premultiplied(self, pixels: Tensor) -> Tensor:
        if len(pixels) == 4 and self.kind != np.float32:
            pixels[:3] *= pixels[3:] / float(np.iinfo(self.kind).max)
        return pixels.contiguous()

    def _straight(self, pixels: Tensor) -> Tensor:
        """In the photo's kind of number, 16 bit as int32."""
        if self.kind == np.float32:
            return pixels
        limit = float(np.iinfo(self.kind).max)
        if len(pixels) == 4:
            pixels = torch.cat([pixels[:3] * (limit / pixels[3:].clamp_min(1e-3)), pixels[3:]])
        return pixels.clamp(0, limit).round().to(torch.uint8 if self.kind == np.uint8 else torch.int32)


def _with_holes(flow: Tensor, coverage: Tensor) -> Tensor:
    """As backward._with_holes: (x, y, share of the plate) [3, h, w]."""
    even = F.avg_pool2d(F.pad(coverage[None, None], (2, 2, 2, 2), mode="replicate"), 5, 1)[0]
    share = ((SOLID - even) / (SOLID - HOLE)).clamp(0, 1)
    thin = torch.where(coverage < HOLE, 1, ((THICK - even) / (THICK - THIN)).clamp(0, 1))
    known = coverage.clamp_max(1)
    around = _around(flow * known) / _around(known[None]).clamp_min(1e-6)
    return torch.cat([flow + (around - flow) * thin, share])


def _around(planes: Tensor) -> Tensor:
    """Mean over a Gaussian window: [C, h, w]."""
    size, sigma = AROUND
    window = planes.new_tensor(cv2.getGaussianKernel(size, sigma).ravel())
    rim = size // 2
    # A thin picture cannot be reflected by three pixels.
    mode = "reflect" if min(planes.shape[1:]) > rim else "replicate"
    planes = F.pad(planes[:, None], (rim, rim, rim, rim), mode=mode)
    return F.conv2d(F.conv2d(planes, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))[:, 0]


def _enlarge(planes: Tensor, size: tuple[int, int], top: int, bottom: int) -> Tensor:
    """Planes [C, gh, gw] enlarged linearly to size (H, W), of which rows top…bottom."""
    rows, row_share = _between(planes.shape[1], size[0], top, bottom, planes.device)
    columns, column_share = _between(planes.shape[2], size[1], 0, size[1], planes.device)
    band = torch.lerp(planes[:, rows], planes[:, rows + 1], row_share[:, None])
    return torch.lerp(band[..., columns], band[..., columns + 1], column_share)


def _between(few: int, many: int, first: int, last: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Of places first…last on an axis of `many` pixels: the pixel before each on one of `few`, and the share of
    the pixel after."""
    places = (torch.arange(first, last, device=device) + 0.5) * (few / many) - 0.5
    places = places.clamp(0, few - 1)
    before = places.long().clamp_max(few - 2)
    return before, places - before
