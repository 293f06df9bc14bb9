"""Codec of a frequency slice: a VAE with whitened latents, four times smaller (GID §4.2, supplement)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLICE = 4  # channels of a slice: (real, imaginary) × (x, y)
LATENT = 4
KL_WEIGHT, GRADIENT_WEIGHT = 1e-6, 0.2


class SliceCodec(nn.Module):
    """Slices [B, 4, H, W] (H, W multiples of 4; normalised, GID eq. 4) ↔ whitened latents [B, 4, H/4, W/4]."""

    def __init__(self, width: int = 128, widths: tuple[int, ...] = (1, 2, 4)):
        super().__init__()
        a, b, c = (width * m for m in widths)
        self.encoder = nn.Sequential(
            nn.Conv2d(SLICE, a, 3, padding=1), _Block(a, a), _down(a), _Block(a, b), _down(b), _Block(b, c),
            _Block(c, c), _norm(c), nn.Conv2d(c, 2 * LATENT, 3, padding=1),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Conv2d(LATENT, c, 3, padding=1), _Block(c, c), _Block(c, b), _up(b), _Block(b, a), _up(a),
            _Block(a, a), _norm(a), nn.Conv2d(a, SLICE, 3, padding=1),
        )  # fmt: skip
        self.register_buffer("mean", torch.zeros(LATENT))
        self.register_buffer("whiten", torch.eye(LATENT))

    def encode(self, slices: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the (unwhitened) latents."""
        mean, log_variance = self.encoder(slices).chunk(2, 1)
        return mean, log_variance.clamp(-30, 20)

    def latents(self, slices: Tensor) -> Tensor:
        """Whitened means: what the denoiser works on."""
        mean = self.encode(slices)[0] - self.mean.view(1, -1, 1, 1)
        return torch.einsum("ij,bjhw->bihw", self.whiten, mean)

    def decode(self, latents: Tensor) -> Tensor:
        """Slices of whitened latents."""
        coloured = torch.einsum("ij,bjhw->bihw", torch.linalg.inv(self.whiten), latents)
        return self.decoder(coloured + self.mean.view(1, -1, 1, 1))

    def loss(self, slices: Tensor) -> Tensor:
        """L1, multi-scale gradient and KL of a batch, weighted 1, 0.2 and 1e-6."""
        mean, log_variance = self.encode(slices)
        again = self.decoder(mean + torch.randn_like(mean) * (log_variance / 2).exp())
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum((1, 2, 3)).mean()
        return F.l1_loss(again, slices) + GRADIENT_WEIGHT * gradient_loss(again, slices) + KL_WEIGHT * kl

    @torch.no_grad()
    def fit_whitening(self, slices: Tensor) -> None:
        """Set mean and whitening (ZCA) so that the latents of a sample of slices have unit covariance."""
        points = self.encode(slices)[0].movedim(1, -1).flatten(0, -2).double()
        mean = points.mean(0)
        values, vectors = torch.linalg.eigh((points - mean).T @ (points - mean) / len(points))
        self.mean.copy_(mean)
        self.whiten.copy_(vectors @ torch.diag(values.clamp_min(1e-10).rsqrt()) @ vectors.T)


def gradient_loss(a: Tensor, b: Tensor, scales: int = 3) -> Tensor:
    """Mean L1 distance of the spatial differences of two maps, over `scales` halvings."""
    total = a.new_zeros(())
    for _ in range(scales):
        difference = a - b
        total = total + difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
        if min(a.shape[-2:]) < 4:
            break
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return total / scales


class _Block(nn.Module):
    def __init__(self, channels: int, out: int):
        super().__init__()
        self.body = nn.Sequential(
            _norm(channels), nn.Conv2d(channels, out, 3, padding=1), _norm(out), nn.Conv2d(out, out, 3, padding=1)
        )
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.body(x)


def _norm(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.GroupNorm(min(32, channels // 2), channels), nn.SiLU())


def _down(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, stride=2, padding=1)


def _up(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(channels, channels, 3, padding=1))
