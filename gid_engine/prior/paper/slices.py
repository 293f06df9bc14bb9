"""Denoiser of frequency slices: a 2-D U-Net that knows which band it looks at, and attention across the bands.

Stage 1 trains it slice by slice; stage 2 freezes that and trains attention across the K slices of one volume alone
(frequency-coordinated denoising, GID §4.2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .codec import LATENT


class SliceUNet(nn.Module):
    """ε(z_t; t, band, photo) of latents [B·K, 4, h, w]; K slices of a volume follow one another in the batch."""

    def __init__(
        self, bands: int, width: int = 128, widths: tuple[int, ...] = (1, 4, 8), blocks: int = 2,
        image_channels: int = 16, attention_levels: tuple[int, ...] = (0, 1, 2), coordinated: bool = False,
    ):  # fmt: skip
        super().__init__()
        self.bands, self.width = bands, width
        embed = 4 * width
        self.time = nn.Sequential(nn.Linear(width, embed), nn.SiLU(), nn.Linear(embed, embed))
        self.band = nn.Sequential(nn.Linear(width, embed), nn.SiLU(), nn.Linear(embed, embed))
        self.photo = PhotoEncoder(image_channels)
        self.enter = nn.Conv2d(LATENT + image_channels, width, 3, padding=1)

        def stage(channels: int, out: int, level: int) -> nn.ModuleList:
            layers = [_ResidualBlock(channels, out, embed)]
            if level in attention_levels:
                layers.append(_PlaceAttention(out))
                if coordinated:
                    layers.append(FrequencyAttention(out, bands))
            return nn.ModuleList(layers)

        sizes, skips, current = [width * m for m in widths], [width], width
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, size in enumerate(sizes):
            for _ in range(blocks):
                self.down.append(stage(current, size, level))
                current = size
                skips.append(size)
            if level + 1 < len(sizes):
                self.down.append(nn.Conv2d(size, size, 3, stride=2, padding=1))
                skips.append(size)
        self.middle = nn.ModuleList([stage(current, current, len(sizes) - 1), stage(current, current, -1)])
        for level, size in reversed(list(enumerate(sizes))):
            for _ in range(blocks + 1):
                self.up.append(stage(current + skips.pop(), size, level))
                current = size
            if level:
                self.up.append(nn.Conv2d(size, size, 3, padding=1))
        self.leave = nn.Sequential(
            nn.GroupNorm(8, current), nn.SiLU(), _nothing(nn.Conv2d(current, LATENT, 3, padding=1))
        )

    def forward(self, latents: Tensor, time: Tensor, band: Tensor, photo: Tensor | None) -> Tensor:
        """latents [N, 4, h, w]; time [N] in 0…999; band [N] in 0…K−1; photo [N/K or N, 3, 4h, 4w] RGB in −1…1,
        None for the unconditional estimate of classifier-free guidance. Returns ε [N, 4, h, w]."""
        embedding = self.time(_waves(time, self.width)) + self.band(_waves(band * (1000 / self.bands), self.width))
        if photo is None:
            seen = latents.new_zeros(len(latents), self.photo.channels, *latents.shape[2:])
        else:
            seen = self.photo(photo)
            seen = seen.repeat_interleave(len(latents) // len(seen), 0)
        x = self.enter(torch.cat([latents, seen], 1))
        skips = [x]
        for layer in self.down:
            x = layer(x) if isinstance(layer, nn.Conv2d) else _run(layer, x, embedding)
            skips.append(x)
        for layer in self.middle:
            x = _run(layer, x, embedding)
        for layer in self.up:
            if isinstance(layer, nn.Conv2d):
                x = layer(F.interpolate(x, skips[-1].shape[-2:], mode="nearest"))
            else:
                x = _run(layer, torch.cat([x, skips.pop()], 1), embedding)
        return self.leave(x)

    def coordinate(self) -> Iterator[nn.Parameter]:
        """Begin stage 2: freeze everything but the attention across bands, and yield its parameters."""
        self.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, FrequencyAttention):
                yield from module.requires_grad_(True).parameters()


class PhotoEncoder(nn.Module):
    """ResNet-style: RGB [B, 3, 4h, 4w] → [B, channels, h, w]."""

    def __init__(self, channels: int, width: int = 64):
        super().__init__()
        self.channels = channels
        self.stem = nn.Conv2d(3, width, 7, stride=2, padding=3)
        self.blocks = nn.ModuleList([_ImageBlock(width, width, 1), _ImageBlock(width, 2 * width, 2)])
        self.blocks.append(_ImageBlock(2 * width, 2 * width, 1))
        self.leave = nn.Conv2d(2 * width, channels, 1)

    def forward(self, photo: Tensor) -> Tensor:
        x = self.stem(photo)
        for block in self.blocks:
            x = block(x)
        return self.leave(x)


class FrequencyAttention(nn.Module):
    """Self-attention over the K bands at each place, residual; nothing at first (GID §4.2)."""

    def __init__(self, channels: int, bands: int, heads: int = 4):
        super().__init__()
        self.bands, self.heads = bands, heads
        self.norm = nn.GroupNorm(8, channels)
        self.place = nn.Parameter(torch.zeros(bands, channels))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        batch = n // self.bands
        y = (
            self.norm(x).view(batch, self.bands, c, h * w).permute(0, 3, 1, 2).reshape(-1, self.bands, c)
            + self.place
        )
        q, k, v = self.qkv(y).view(-1, self.bands, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, h * w, self.bands, c)
        return x + self.out(y).permute(0, 2, 3, 1).reshape(n, c, h, w)


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int, out: int, embed: int):
        super().__init__()
        self.before = nn.Sequential(nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1))
        self.shift = nn.Sequential(nn.SiLU(), nn.Linear(embed, out))
        self.after = nn.Sequential(nn.GroupNorm(8, out), nn.SiLU(), _nothing(nn.Conv2d(out, out, 3, padding=1)))
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.skip(x) + self.after(self.before(x) + self.shift(embedding)[:, :, None, None])


class _PlaceAttention(nn.Module):
    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = _nothing(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x)).view(b, 3, self.heads, c // self.heads, h * w).transpose(-1, -2).unbind(1)
        return x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(-1, -2).reshape(b, c, h, w))


class _ImageBlock(nn.Module):
    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1), nn.GroupNorm(8, out), nn.SiLU(), nn.Conv2d(out, out, 3, 1, 1),
            nn.GroupNorm(8, out),
        )  # fmt: skip
        self.skip = nn.Conv2d(channels, out, 1, stride) if (channels, stride) != (out, 1) else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.skip(x) + self.body(x))


def _run(layers: nn.ModuleList, x: Tensor, embedding: Tensor) -> Tensor:
    first, *rest = layers
    x = first(x, embedding)
    for layer in rest:
        x = layer(x)
    return x


def _waves(value: Tensor, width: int) -> Tensor:
    """[N] → [N, width]: sinusoidal embedding."""
    rates = torch.exp(-math.log(10000) * torch.arange(width // 2, device=value.device) / (width // 2))
    angle = value.float()[:, None] * rates
    return torch.cat([angle.cos(), angle.sin()], 1)


def _nothing(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
