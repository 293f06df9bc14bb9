"""A perceptual distance: how far two pictures are apart in the features of the HED network's VGG-16 backbone.

As in LPIPS (Zhang et al., CVPR 2018, eq. 1) without its learned weights: features of each layer are scaled to unit
length, and their squared differences are averaged over layers. Layers: the last convolution of blocks 1, 2 and 3
(conv1_2, conv2_2, conv3_3), at strides 1, 2 and 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..prior.encoder import BLOCKS, ImageEncoder
from ..prior.weights import FOLDER, load_recorded

LAYERS = 3
_MEAN_BGR = (103.939, 116.779, 123.68)


class PerceptualDistance(nn.Module):
    """Two batches of pictures [B, 3, H, W] RGB in 0…1 (H, W multiples of 4) → distance map [B, 1, H, W]."""

    def __init__(self, encoder: ImageEncoder):
        super().__init__()
        self.encoder = encoder

    @classmethod
    def load(cls) -> PerceptualDistance:
        encoder = ImageEncoder()
        load_recorded(FOLDER, {"encoder": encoder})
        return cls(encoder)

    def features(self, pictures: Tensor) -> list[Tensor]:
        mean = pictures.new_tensor(_MEAN_BGR).view(1, 3, 1, 1)
        x = (pictures.flip(1) * 255 - mean).contiguous(memory_format=torch.channels_last)
        convolutions, maps = iter(self.encoder.convolutions), []
        for block, (count, *_) in enumerate(BLOCKS[:LAYERS]):
            if block:
                x = F.max_pool2d(x, 2)
            for _ in range(count):
                x = F.relu(next(convolutions)(x))
            maps.append(F.normalize(x, dim=1, eps=1e-3))
        return maps

    def forward(self, pictures: Tensor, others: Tensor) -> Tensor:
        return self.between(self.features(pictures), self.features(others))

    @staticmethod
    def between(features: list[Tensor], others: list[Tensor]) -> Tensor:
        """The distance map of two pictures whose features are known."""
        total = 0
        for a, b in zip(features, others, strict=True):
            difference = (a - b).square().sum(1, keepdim=True)
            total = total + F.interpolate(difference, features[0].shape[-2:], mode="bilinear")
        return total / LAYERS
