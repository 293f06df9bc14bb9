"""Motion head: what of a photo moves, how far, along which line, and what moves as one (one step, no sampling)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .encoder import BLOCKS

FAR = 0.25  # photo widths: the unit in which the head tells the way to the place where something is held


class MotionHead(nn.Module):
    """Encoder maps → [B, 5, H/4, W/4]: a feature pyramid, coarse to fine.

    Channel 0 is the logit of √(rms / liveliest rms); the square root keeps gentle motion visible in the loss, as
    it does in GID eq. 4. Channels 1 and 2 are the line along which a cell moves, as (cos, sin) of the doubled
    angle times how much of the motion is along it. Channels 3 and 4 lead to the place (x, y in units of FAR)
    where its piece is held; what is held at one place moves as one.
    """

    def __init__(self, widths: tuple[int, int, int] = (96, 64, 40)):
        super().__init__()
        block2, block3, block4, block5 = (adapter for *_, adapter in BLOCKS[1:])
        coarse, middle, fine = widths  # narrow where there are many places
        self.coarse = _refine(block5, coarse)
        self.middle = _refine(coarse + block4, middle)
        self.fine = _refine(middle + block2 + block3, fine)
        self.out = nn.Conv2d(fine, 5, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        block2, block3, block4, block5 = maps
        x = self.coarse(block5)
        x = self.middle(torch.cat([_to(x, block4), block4], 1))
        x = self.fine(torch.cat([_to(x, block3), block2, block3], 1))
        return self.out(x)


def _refine(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.GroupNorm(8, width),
        nn.SiLU(),
        nn.Dropout2d(0.1),
        nn.Conv2d(width, width, 3, padding=1),
        nn.GroupNorm(8, width),
        nn.SiLU(),
    )


def _to(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)
