"""Image encoder: the VGG-16 backbone of a pretrained edge network (HED), frozen, with a linear adapter a block.

The few hundred photos with known motion are too few to learn what a leaf or a flower looks like; the backbone
was trained on millions. The adapters (principal components of each block's features) make them small enough to
cache for training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# (convolutions, channels, adapter channels) of the five blocks; block 1 has no adapter: edges are the upsampler's.
BLOCKS = ((2, 64, 0), (2, 128, 24), (3, 256, 48), (3, 512, 64), (3, 512, 48))
ADAPTED = sum(adapter for *_, adapter in BLOCKS)
STRIDES = (4, 4, 8, 16)  # of the four adapted maps; block 2 is pooled once more
_MEAN_BGR = (103.939, 116.779, 123.68)


class ImageEncoder(nn.Module):
    """Bx3xHxW RGB in 0…1 (H, W multiples of 16) → four maps [B, 24|48|64|48, H/s, W/s] at strides 4, 4, 8, 16."""

    def __init__(self):
        super().__init__()
        self.convolutions = nn.ModuleList()
        self.adapters = nn.ModuleList()
        channels = 3
        for count, width, adapter in BLOCKS:
            for _ in range(count):
                self.convolutions.append(nn.Conv2d(channels, width, 3, padding=1))
                channels = width
            self.adapters.append(nn.Conv2d(width, adapter, 1) if adapter else nn.Identity())
        self.requires_grad_(False)

    def raw(self, image: Tensor) -> list[Tensor]:
        """Features before the adapters: [B, 128|256|512|512, …] at strides 4, 4, 8, 16."""
        mean = image.new_tensor(_MEAN_BGR).view(1, 3, 1, 1)
        x = (image.flip(1) * 255 - mean).contiguous(memory_format=torch.channels_last)
        convolutions = iter(self.convolutions)
        maps = []
        for block, (count, _, adapter) in enumerate(BLOCKS):
            if block:
                x = F.max_pool2d(x, 2)
            for _ in range(count):
                x = F.relu(next(convolutions)(x), inplace=True)
            if adapter:
                maps.append(F.avg_pool2d(x, 2) if block == 1 else x)
        return maps

    def forward(self, image: Tensor) -> list[Tensor]:
        return [adapt(x) for adapt, x in zip(self.adapters[1:], self.raw(image), strict=True)]
