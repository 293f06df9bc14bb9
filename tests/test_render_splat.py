"""The splat: differentiable, conserving, and the same bits in any order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gid_engine.render import softmax_splat
from gid_engine.render.splat import SHARES, VALUE_BITS, padded_zeros, sum_splat, sum_splat_exactly

SIZE = 6, 9


def samples(seed: int, count: int = 40):
    """Values of up to 1 at places inside the image, a pixel away from its edge."""
    generator = torch.Generator().manual_seed(seed)
    h, w = SIZE
    x, y, value = (torch.rand(count, generator=generator, dtype=torch.float64) for _ in range(3))
    return 1 + x * (w - 3), 1 + y * (h - 3), value


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_lands_inside_is_conserved(seed):
    x, y, value = samples(seed)
    (total,) = sum_splat([value], x, y, SIZE)
    assert total.sum().item() == pytest.approx(value.sum().item(), rel=1e-12)
    # The centre of mass is where the samples are: bilinear weights reproduce linear functions.
    (moment,) = sum_splat([value * x], x, y, SIZE)
    columns = torch.arange(SIZE[1], dtype=torch.float64)
    assert (total * columns).sum().item() == pytest.approx(moment.sum().item(), rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.floats(-50, 50), st.floats(-50, 50))
def test_what_lands_outside_leaves_no_trace(x, y):
    (total,) = sum_splat([torch.ones(1)], torch.tensor([x]), torch.tensor([y]), SIZE)
    h, w = SIZE
    if x <= -1 or y <= -1 or x >= w or y >= h:
        assert total.sum() == 0
    else:
        assert 0 <= total.sum() <= 1 + 1e-5


def test_exact_sums_do_not_depend_on_the_order():
    x, y, value = (tensor.float() for tensor in samples(1, 5000))
    start = [padded_zeros(SIZE, dtype=torch.int64)]
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(2))
    (total,) = sum_splat_exactly([value], x, y, SIZE, start)
    (shuffled,) = sum_splat_exactly([value[order]], x[order], y[order], SIZE, start)
    assert torch.equal(total, shuffled)
    (expected,) = sum_splat([value], x, y, SIZE)
    # Shares are rounded to 1/SHARES.
    torch.testing.assert_close(total, expected, atol=5000 / SHARES / 10, rtol=0.002)


def test_the_smallest_weight_still_has_digits():
    weight = torch.exp(torch.tensor([-12.0]))
    start = [padded_zeros(SIZE, dtype=torch.int64)]
    (total,) = sum_splat_exactly([weight], torch.tensor([2.0]), torch.tensor([3.0]), SIZE, start)
    assert total[3, 2].item() == pytest.approx(weight.item(), rel=2**-VALUE_BITS * 2e5)


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    options = {"generator": generator, "dtype": torch.float64}
    image, metric = torch.rand(2, 4, 5, **options), torch.rand(4, 5, **options)
    # Between pixels: at whole numbers the bilinear kernel has a kink.
    flow = 0.2 + 0.6 * torch.rand(2, 4, 5, **options)
    for tensor in (image, flow, metric):
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(softmax_splat, (image, flow, metric))


def test_the_larger_metric_covers():
    """Two pixels meet on a third: the frame shows the one in front, and a hole is left behind."""
    image = torch.tensor([[[1.0, 5.0, 9.0]]])
    flow = torch.tensor([[[1.0, 0.0, -1.0]], [[0.0, 0.0, 0.0]]])
    warped, coverage = softmax_splat(image, flow, torch.tensor([[30.0, 0.0, 0.0]]))
    assert warped[0, 0].tolist() == pytest.approx([0, 1, 0], abs=1e-6)
    assert coverage[0].tolist() == [0, 3, 0]


def test_huge_metrics_do_not_overflow():
    warped, _ = softmax_splat(torch.ones(1, 2, 2), torch.zeros(2, 2, 2), torch.full((2, 2), 1e4))
    assert torch.equal(warped, torch.ones(1, 2, 2))
