"""Forward warping by softmax splatting (Niklaus & Liu, Softmax Splatting, CVPR 2020; used by GID §5).

A sample at p with displacement F lands between the four pixels around p + F and is shared among them by the
bilinear kernel b. Where several samples meet, each counts with b·exp(Z): the larger metric Z wins, softly.
"""

from __future__ import annotations

import torch

# 46 fractional bits hold weights down to e^-20 with 5 digits and leave room for 2^17 full samples in one cell.
FIXED_POINT = float(2**46)


def bilinear_corners(position: torch.Tensor, size: tuple[int, int]):
    """The four pixels around each position: yields (index int64 [N], weight [N]), the weight 0 outside.

    position: [N, 2] in pixels (x, y), pixel centres at whole numbers; size: (h, w); index counts row by row.
    """
    h, w = size
    corner = position.detach().floor()
    fraction = position - corner
    corner = corner.long()
    for dy in (0, 1):
        for dx in (0, 1):
            x, y = corner[:, 0] + dx, corner[:, 1] + dy
            weight_x = fraction[:, 0] if dx else 1 - fraction[:, 0]
            weight_y = fraction[:, 1] if dy else 1 - fraction[:, 1]
            inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
            index = y.clamp(0, h - 1) * w + x.clamp(0, w - 1)
            yield index, weight_x * weight_y * inside


def sum_splat(values: torch.Tensor, position: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Σ b·value on the pixels of an h×w image: [N, C] at positions [N, 2] -> [h·w, C]; differentiable."""
    total = values.new_zeros(size[0] * size[1], values.shape[1])
    for index, weight in bilinear_corners(position, size):
        total = total.index_add(0, index, values * weight[:, None])
    return total


def softmax_splat(image: torch.Tensor, flow: torch.Tensor, metric: torch.Tensor):
    """Splat image [C, h, w] along flow [2, h, w] (pixels, x right, y down) with weights exp(metric [h, w]).

    Returns (warped [C, h, w], coverage [h, w]): coverage is Σ b without the metric, 0 where nothing landed
    (a hole; warped is 0 there). The largest metric is subtracted first, so that no weight overflows.
    Differentiable in all three.
    """
    channels, h, w = image.shape
    rows, columns = torch.meshgrid(
        torch.arange(h, dtype=flow.dtype, device=flow.device),
        torch.arange(w, dtype=flow.dtype, device=flow.device),
        indexing="ij",
    )
    position = torch.stack([columns + flow[0], rows + flow[1]], -1).reshape(-1, 2)
    weight = torch.exp(metric - metric.detach().max()).reshape(-1, 1)
    values = torch.cat([image.reshape(channels, -1).T * weight, weight, torch.ones_like(weight)], 1)
    total = sum_splat(values, position, (h, w)).T.reshape(-1, h, w)
    tiny = torch.finfo(total.dtype).tiny
    return total[:channels] / total[channels].clamp_min(tiny), total[channels + 1]


def accumulate(
    totals: list[torch.Tensor], values: list[torch.Tensor], position: torch.Tensor, size: tuple[int, int]
) -> None:
    """sum_splat of channels [N] into int64 totals [h·w], in place, as fixed-point numbers (unit 1/FIXED_POINT).

    Integer sums do not depend on their order, so that a frame has the same bits whatever the number of
    threads and on a GPU, where floating-point atomics would not.
    """
    for index, weight in bilinear_corners(position, size):
        weight = weight * FIXED_POINT
        for total, value in zip(totals, values, strict=True):
            total.index_add_(0, index, (value * weight).long())
