"""Denoiser of motion shapes: a small U-Net under EDM preconditioning (Karras et al. 2022, arXiv 2206.00364).

A *shape* is the spectral volume over its own rms: how each place moves (direction, phase and share of every
band), without how far. [B, 4K, H/8, W/8], channels ordered (real, imaginary) × band × (x, y), normalised to
unit variance where things move, 0 where they don't.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .encoder import ADAPTED


class Denoiser(nn.Module):
    """D(x; σ) of EDM eq. 7: c_skip·x + c_out·net(c_in·x, ln σ/4, condition)."""

    def __init__(self, net: UNet, sigma_data: float):
        super().__init__()
        self.net, self.sigma_data = net, sigma_data

    def forward(self, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        """x: [B, 4K, h, w]; sigma: [B]; condition: [B, C, h, w] of `condition_maps`. Returns x₀'s estimate."""
        sigma = sigma.view(-1, 1, 1, 1)
        total = (sigma**2 + self.sigma_data**2).sqrt()
        raw = self.net(x / total, sigma.flatten().log() / 4, condition)
        return x * (self.sigma_data / total) ** 2 + raw * (sigma * self.sigma_data / total)


def condition_maps(maps: list[Tensor], amplitude: Tensor) -> Tensor:
    """What the denoiser sees of the photo, at stride 8: [B, ADAPTED + 3, H/8, W/8].

    maps: of the encoder; amplitude: [B, 1, H/4, W/4] in 0…1 (√ relative rms). Two further channels hold the
    position, since plants hang from the top or stand on the ground.
    """
    block2, block3, block4, block5 = maps
    size = block4.shape[-2:]
    ys, xs = (torch.linspace(-1, 1, n, device=amplitude.device) for n in size)
    place = torch.stack(torch.meshgrid(ys, xs, indexing="ij")).expand(len(amplitude), -1, -1, -1)
    up = F.interpolate(block5, size, mode="bilinear", align_corners=False)
    pooled = [F.avg_pool2d(m, 2) for m in (block2, block3, amplitude * 4)]
    return torch.cat([*pooled[:2], block4, up, pooled[2], place.to(amplitude.dtype)], 1)


CONDITION = ADAPTED + 3


class UNet(nn.Module):
    """Three levels; attention at the lower two, where it ties together what belongs together and all bands."""

    def __init__(self, channels: int, width: int = 96, widths: tuple[int, ...] = (1, 2, 2), blocks: int = 2):
        super().__init__()
        embed = 4 * width
        self.width = width
        self.embed = nn.Sequential(nn.Linear(width, embed), nn.SiLU(), nn.Linear(embed, embed))
        self.see = nn.Sequential(nn.Conv2d(CONDITION, width, 1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
        self.enter = nn.Conv2d(channels + width, width, 3, padding=1)
        sizes = [width * m for m in widths]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, current = [width], width
        for level, size in enumerate(sizes):
            for _ in range(blocks):
                self.down.append(ResidualBlock(current, size, embed, attention=level > 0))
                current = size
                skips.append(current)
            if level + 1 < len(sizes):
                self.down.append(nn.Conv2d(current, current, 3, stride=2, padding=1))
                skips.append(current)
        self.middle = ResidualBlock(current, current, embed, attention=True)
        for level, size in reversed(list(enumerate(sizes))):
            for _ in range(blocks + 1):
                self.up.append(ResidualBlock(current + skips.pop(), size, embed, attention=level > 0))
                current = size
            if level:
                self.up.append(nn.Conv2d(current, current, 3, padding=1))
        self.leave = nn.Sequential(
            nn.GroupNorm(8, current), nn.SiLU(), _zero(nn.Conv2d(current, channels, 3, padding=1))
        )

    def forward(self, x: Tensor, noise: Tensor, condition: Tensor) -> Tensor:
        embedding = self.embed(_fourier(noise, self.width))
        x = self.enter(torch.cat([x, self.see(condition)], 1))
        skips = [x]
        for layer in self.down:
            x = layer(x, embedding) if isinstance(layer, ResidualBlock) else layer(x)
            skips.append(x)
        x = self.middle(x, embedding)
        for layer in self.up:
            if isinstance(layer, ResidualBlock):
                x = layer(torch.cat([x, skips.pop()], 1), embedding)
            else:
                x = layer(F.interpolate(x, skips[-1].shape[-2:], mode="nearest"))
        return self.leave(x)


class ResidualBlock(nn.Module):
    """Two convolutions scaled and shifted by the noise level, and self-attention over places if wanted."""

    def __init__(self, channels: int, out: int, embed: int, attention: bool):
        super().__init__()
        self.before = nn.Sequential(nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1))
        self.norm = nn.GroupNorm(8, out)
        self.modulate = nn.Linear(embed, 2 * out)
        self.after = nn.Sequential(nn.SiLU(), nn.Dropout(0.05), _zero(nn.Conv2d(out, out, 3, padding=1)))
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()
        self.attend = Attention(out) if attention else None

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.modulate(embedding)[:, :, None, None].chunk(2, 1)
        y = self.norm(self.before(x)) * (1 + scale) + shift
        x = self.skip(x) + self.after(y)
        return x if self.attend is None else self.attend(x)


class Attention(nn.Module):
    """Self-attention over the places of a map, residual."""

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = _zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x)).view(b, 3, self.heads, c // self.heads, h * w).transpose(-1, -2).unbind(1)
        y = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(y.transpose(-1, -2).reshape(b, c, h, w))


def _fourier(noise: Tensor, width: int) -> Tensor:
    """[B] → [B, width]: cosines and sines of the noise level at rates from 1 to 1000."""
    rates = torch.exp(torch.linspace(0, math.log(1000.0), width // 2, device=noise.device))
    angle = noise[:, None] * rates
    return torch.cat([angle.cos(), angle.sin()], 1)


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    """Start as nothing, so that the residual path is the identity at first."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
