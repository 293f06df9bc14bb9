"""Sizes of the paper's model, and smaller ones of the same make."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """grid: (width, height) of the spectral volume the codec takes; latents are a quarter of it."""

    grid: tuple[int, int]
    codec_width: int
    codec_widths: tuple[int, ...]
    unet_width: int
    unet_widths: tuple[int, ...]
    blocks: int
    image_channels: int
    attention_levels: tuple[int, ...]


PRESETS = {
    # Supplement: VAE base 128 × (1, 2, 4); U-Net base 128 × (1, 4, 8); 16 channels of the image; 256×160 → 64×40.
    "paper": Preset((256, 160), 128, (1, 2, 4), 128, (1, 4, 8), 2, 16, (0, 1, 2)),
    # Learns on a CPU: a quarter of the grid, a tenth of the width.
    "small": Preset((64, 40), 16, (1, 2, 2), 32, (1, 2, 3), 1, 16, (1, 2)),
}
