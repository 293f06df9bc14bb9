"""Forward warping by softmax splatting (Niklaus & Liu, Softmax Splatting, CVPR 2020; used by GID §5).

A sample that lands at p is shared among the four pixels around p by the bilinear kernel b. Where several samples
meet, each counts with b·exp(Z): the larger metric Z wins, softly.
"""

from __future__ import annotations

from contextlib import contextmanager

import torch

# Fixed point: values of up to 1 in 32 bits (a weight of e^-12 still has 4 digits), the shares of the four pixels
# in 15; that leaves room for 2^16 full samples in one pixel.
VALUE_BITS, SHARES = 32, 1 << 15
CPU_CHUNK = 1 << 15  # samples at a time on the CPU, so that they stay in its cache


def bilinear_corners(x: torch.Tensor, y: torch.Tensor, size: tuple[int, int], first: int = 0):
    """The four pixels around each position: a list of (index int64 [N], weight [N]).

    x, y: [N] in pixels, pixel centres at whole numbers; size: (h, w). The index counts row by row in a padded
    image of (h + 3) × (w + 3) pixels whose pixel (1, 1) is the image's first: what lands outside lands there
    (see cropped). first: the padded image's row at which it begins to count.
    """
    h, w = size
    x, y = x.clamp(-1, w), y.clamp(-1, h)
    left, top = x.detach().floor(), y.detach().floor()
    right_share, lower_share = x - left, y - top
    left_share, upper_share = 1 - right_share, 1 - lower_share
    index = ((top + (1 - first)) * (w + 3) + (left + 1)).long()
    return [
        (index, upper_share * left_share),
        (index + 1, upper_share * right_share),
        (index + (w + 3), lower_share * left_share),
        (index + (w + 4), lower_share * right_share),
    ]


def padded_zeros(size: tuple[int, int], **options) -> torch.Tensor:
    """A flat padded image for the indices of bilinear_corners."""
    return torch.zeros((size[0] + 3) * (size[1] + 3), **options)


def cropped(padded: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The image [h, w] in a flat padded one."""
    h, w = size
    return padded.view(h + 3, w + 3)[1 : h + 1, 1 : w + 1]


def sum_splat(values: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor, size: tuple[int, int]):
    """Σ b·value for every channel [N] at the positions x, y [N]: a list of [h, w]; differentiable."""
    corners = bilinear_corners(x, y, size)
    totals = []
    for value in values:
        total = padded_zeros(size, dtype=value.dtype, device=value.device)
        for index, weight in corners:
            total = total.index_add(0, index, value * weight)
        totals.append(cropped(total, size))
    return totals


@contextmanager
def one_thread():
    """PyTorch on one thread: for short operations on a busy machine waiting for the others costs more than they
    save (ten times as much beside a rendering Blender)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def fixed_point(values: torch.Tensor) -> torch.Tensor:
    """Values of up to 1 as int64, unit 2^-VALUE_BITS."""
    return (values * float(1 << VALUE_BITS)).long()


def sum_splat_exactly(
    values: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor, size: tuple[int, int], start: list[torch.Tensor]
):
    """sum_splat of values of up to 1, added to start (flat padded int64 images, unit 2^-VALUE_BITS / SHARES): a
    list of float [h, w].

    Sums of integers do not depend on their order, so that a frame has the same bits whatever the number of
    threads, and on a GPU, where floating-point atomics would not.
    """
    totals = [total.clone() for total in start]
    chunk = CPU_CHUNK if x.device.type == "cpu" else max(1, len(x))
    for x_part, y_part, *parts in zip(*(column.split(chunk) for column in (x, y, *values)), strict=True):
        parts = [fixed_point(part) for part in parts]
        for index, share in bilinear_corners(x_part, y_part, size):
            share = (share * SHARES).round_().long()
            for total, part in zip(totals, parts, strict=True):
                total.index_add_(0, index, part * share)
    unit = 1 / (SHARES << VALUE_BITS)
    return [cropped(total, size).float() * unit for total in totals]


def sum_splat_rows(values: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor, size: tuple[int, int]):
    """sum_splat on the CPU of an even number of channels, of the rows that anything lands on: (first row, sums
    float32 [C, rows, w]).

    One thread adds up in the samples' order, so that the same samples give the same bits.
    """
    h, w = size
    first, last = (int(end) for end in torch.stack(y.aminmax()).clamp(-1, h).floor())
    # Two channels as one complex number: adding it up takes as long as one of them.
    sums = torch.zeros(len(values) // 2, (last - first + 2) * (w + 3), dtype=torch.complex64)
    for x_part, y_part, *parts in zip(*(column.split(CPU_CHUNK) for column in (x, y, *values)), strict=True):
        pairs = [torch.complex(one, other) for one, other in zip(parts[::2], parts[1::2], strict=True)]
        for index, share in bilinear_corners(x_part, y_part, size, first + 1):
            for total, pair in zip(sums, pairs, strict=True):
                total.scatter_add_(0, index, pair * share)
    sums = torch.view_as_real(sums).movedim(2, 1).reshape(len(values), -1, w + 3)[..., 1:-2]
    return max(first, 0), sums[:, max(0, -first) : h - first]


def softmax_splat(image: torch.Tensor, flow: torch.Tensor, metric: torch.Tensor):
    """Splat image [C, h, w] along flow [2, h, w] (pixels, x right, y down) with weights exp(metric [h, w]).

    Returns (warped [C, h, w], coverage [h, w]): coverage is Σ b without the metric, 0 where nothing landed
    (a hole; warped is 0 there). The largest metric is subtracted first, so that no weight overflows.
    Differentiable in all three.
    """
    h, w = metric.shape
    options = {"dtype": flow.dtype, "device": flow.device}
    rows, columns = torch.meshgrid(torch.arange(h, **options), torch.arange(w, **options), indexing="ij")
    weight = torch.exp(metric - metric.detach().max()).reshape(-1)
    values = [channel.reshape(-1) * weight for channel in image]
    x, y = (columns + flow[0]).reshape(-1), (rows + flow[1]).reshape(-1)
    *warped, total, coverage = sum_splat([*values, weight, torch.ones_like(weight)], x, y, (h, w))
    return torch.stack(warped) / total.clamp_min(torch.finfo(total.dtype).tiny), coverage
