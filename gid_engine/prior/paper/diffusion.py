"""Noise schedule, ε-prediction loss, DDIM, classifier-free guidance and motion self-guidance (GID §4.3, eq. 5)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Estimate = Callable[[Tensor, Tensor], Tensor]
Energy = Callable[[Tensor], Tensor]


class Diffusion:
    """N = 1000 steps; β rises with the square of a line ("square linear", as in latent diffusion)."""

    def __init__(self, steps: int = 1000, first: float = 0.0015, last: float = 0.0195):
        beta = torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64) ** 2
        self.signal = torch.cumprod(1 - beta, 0).float()  # ᾱ_t
        self.steps = steps

    def noised(self, clean: Tensor, time: Tensor, noise: Tensor) -> Tensor:
        """z_t = √ᾱ z_0 + √(1 − ᾱ) ε; time: integers [N]."""
        signal = self.signal.to(clean.device)[time].view(-1, 1, 1, 1)
        return signal.sqrt() * clean + (1 - signal).sqrt() * noise

    def loss(self, denoise: Estimate, clean: Tensor, groups: int = 1) -> Tensor:
        """Mean squared error of ε. The slices of one volume (runs of `groups`) share their noise level."""
        time = torch.randint(self.steps, (len(clean) // groups,), device=clean.device).repeat_interleave(groups)
        noise = torch.randn_like(clean)
        return F.mse_loss(denoise(self.noised(clean, time, noise), time), noise)


def guided(conditional: Estimate, unconditional: Estimate, weight: float) -> Estimate:
    """Classifier-free guidance: (1 + w) ε(c) − w ε(∅)."""
    if not weight:
        return conditional
    return lambda x, time: (1 + weight) * conditional(x, time) - weight * unconditional(x, time)


def ddim(
    diffusion: Diffusion, estimate: Estimate, noise: Tensor, steps: int = 250, energy: Energy | None = None,
    energy_weight: float = 200.0, recurrence: int = 1, generator: torch.Generator | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Tensor:  # fmt: skip
    """DDIM (Song et al. 2021, η = 0) from noise to z_0.

    energy(z_0) → scalar: universal guidance adds u·σ_t·∇energy to ε (GID eq. 5), with `recurrence` passes a step
    (self-recurrence: noise is added again and the step repeated). on_step is told each finished step.
    """
    times = torch.linspace(diffusion.steps - 1, 0, steps).round().long().unique().flip(0)
    signal = diffusion.signal.to(noise.device)
    x = noise
    for i, time in enumerate(times):
        now = signal[time]
        following = signal[times[i + 1]] if i + 1 < len(times) else signal.new_ones(())
        for turn in range(recurrence if energy is not None else 1):
            if turn:
                ratio = now / following
                x = ratio.sqrt() * x + (1 - ratio).sqrt() * torch.randn(
                    x.shape, generator=generator, dtype=x.dtype
                ).to(x.device)
            epsilon = _guided_by(energy, energy_weight, estimate, x, time, now)
            clean = (x - (1 - now).sqrt() * epsilon) / now.sqrt()
            x = following.sqrt() * clean + (1 - following).sqrt() * epsilon
        if on_step:
            on_step(i + 1)
    return x


def _guided_by(energy, weight, estimate, x, time, now) -> Tensor:
    when = time.expand(len(x)).to(x.device)
    if energy is None:
        return estimate(x, when)
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        epsilon = estimate(x, when)
        cost = energy((x - (1 - now).sqrt() * epsilon) / now.sqrt())
        (slope,) = torch.autograd.grad(cost, x)
    return (epsilon + weight * (1 - now).sqrt() * slope).detach()


def loop_energy(volume: Tensor, frames: int = 150) -> Tensor:
    """How much the last of `frames` frames differs from the first in place and speed (GID eq. 5); scalar.

    volume: [B, K, 4, h, w], channels (real, imaginary) × (x, y), denormalised. Harmonics of the period loop by
    themselves; what is left is the step across the seam, beside which a slow motion is a good one.
    """
    bands = volume.shape[1]
    k = torch.arange(1, bands + 1, device=volume.device, dtype=volume.dtype)

    def place(frame: float) -> Tensor:
        angle = 2 * torch.pi * k * frame / frames
        turn = torch.stack([angle.cos(), -angle.sin()])
        return torch.einsum("rk,bkrchw->bchw", turn, volume.unflatten(2, (2, 2)))

    first, second, last, before = place(0), place(1), place(frames - 1), place(frames - 2)
    return (last - first).abs().mean() + ((last - before) - (second - first)).abs().mean()
