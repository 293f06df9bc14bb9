"""Samplers: pure functions of (denoise, x, sigmas), independent of the network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]


def karras_sigmas(steps: int, sigma_min: float = 0.02, sigma_max: float = 20.0, rho: float = 7.0) -> Tensor:
    """EDM eq. 5: `steps` falling noise levels and a final 0; float32 [steps + 1]."""
    ramp = torch.linspace(0, 1, steps)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1)])


def sample_dpmpp_2m(
    denoise: Denoise, x: Tensor, sigmas: Tensor, on_step: Callable[[int], None] | None = None
) -> Tensor:
    """DPM-Solver++(2M), Lu et al. 2022 (arXiv 2211.01095) algorithm 2, deterministic.

    denoise(x, sigma [B]) → x₀; x: noise of standard deviation sigmas[0]; on_step is told each finished step.
    """
    previous, last_h = None, None
    for i, (sigma, following) in enumerate(zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True)):
        estimate = denoise(x, x.new_full((len(x),), sigma))
        if following == 0:
            x = estimate
        else:
            h = torch.log(torch.tensor(sigma / following)).item()
            guess = estimate
            if previous is not None:
                r = last_h / h
                guess = (1 + 1 / (2 * r)) * estimate - previous / (2 * r)
            x = (following / sigma) * x + (1 - following / sigma) * guess
            previous, last_h = estimate, h
        if on_step:
            on_step(i + 1)
    return x
