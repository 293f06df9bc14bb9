"""The critic: a small video network, trained here, whose features take the place of I3D's.

It learned to tell, of 16 or 32 frames, which clip they are of and how they were made: real, static, or moved in a
wrong way (training/critic.py). Features are the activations that both answers are read from.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..prior.weights import load_part, load_recorded

FOLDER = Path(__file__).parent / "weights"
FEATURES = 128
MADE = (
    "real",
    "static",
    "another photo's motion",
    "frames in disorder",
    "spectrum reversed",
    "whole photo shakes",
)
# Luma moves by a few hundredths where things sway by a pixel.
_DIFFERENCE_GAIN = 6.0


class Critic(nn.Module):
    """Luma BxTxHxW in 0…1 (T a multiple of 8, H and W of 16) → features [B, 128]; `answers` of them."""

    def __init__(self, sources: int):
        super().__init__()
        self.stem = nn.Conv2d(6, 32, 4, stride=4)  # frames in pairs, each as luma, change since frame 0 and last
        self.blocks = nn.ModuleList(
            nn.Conv3d(a, b, 3, stride=2, padding=1) for a, b in ((32, 48), (48, 96), (96, FEATURES))
        )
        self.norms = nn.ModuleList(nn.GroupNorm(8, c) for c in (32, 48, 96, FEATURES))
        self.made = nn.Linear(FEATURES, len(MADE))
        self.source = nn.Linear(FEATURES, sources)

    def forward(self, luma: Tensor) -> Tensor:
        batch, frames, height, width = luma.shape
        since_first = _DIFFERENCE_GAIN * (luma - luma[:, :1])
        since_last = _DIFFERENCE_GAIN * (luma - torch.cat([luma[:, :1], luma[:, :-1]], 1))
        x = torch.stack([2 * luma - 1, since_first, since_last], 2).clamp(-3, 3)
        x = self.stem(x.view(batch * frames // 2, 6, height, width))
        x = x.view(batch, frames // 2, 32, height // 4, width // 4).transpose(1, 2)
        x = F.silu(self.norms[0](x))
        for convolve, normalise in zip(self.blocks, self.norms[1:], strict=True):
            x = F.silu(normalise(convolve(x)))
        return x.mean((2, 3, 4))

    def answers(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(how it was made [B, 6], which source it is of [B, N]), logits."""
        return self.made(features), self.source(features)


def load_critic(folder: Path = FOLDER) -> Critic:
    """The shipped critic. GidError if its weights are missing or damaged."""
    sources = load_part(folder / "critic.safetensors")[0]["source.bias"].numel()
    critic = Critic(sources)
    load_recorded(folder, {"critic": critic})
    return critic


def luma(frames: np.ndarray) -> np.ndarray:
    """uint8 [T, H, W, 3] → uint8 [T, H, W] (BT.709)."""
    return np.rint(frames @ np.float32([0.2126, 0.7152, 0.0722])).astype(np.uint8)
