"""The frame network of the paper (GID §5): a feature pyramid, softmax splatting at every scale, a decoder.

The photo's features are splatted along the motion at strides 1, 2, 4 and 8; where several meet, the liveliest wins
(metric: the time-mean ‖F‖ of the pixel). The decoder makes the frame from what has arrived and from where nothing
has. The photo's colours are splatted with the finest features, and the decoder tells a correction to them.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..prior.weights import load_recorded
from .refiner import FOLDER, SLOPE
from .renderer import STILL_PX, Renderer
from .sample import from_perceptual, perceptual, premultiplied, straight
from .splat import one_thread, softmax_splat

WIDTHS = (16, 32, 64, 96)  # features at strides 1, 2, 4, 8
METRIC = 20.0  # softmax weight of the strongest motion: there the sharp edge is at its best


class ResidualBlock(nn.Module):
    """Two convolutions beside a skip, as in ResNet-34; stride 1 or 2."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        same = inputs == outputs and stride == 1
        for layer in (self.first, self.second):
            nn.init.kaiming_normal_(layer.weight, SLOPE)
        self.skip = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.second(F.leaky_relu(self.first(x), SLOPE))
        return F.leaky_relu((self.skip(x) + inner) * 0.7, SLOPE)  # 0.7: the sum of two keeps the size of one


class PyramidNet(nn.Module):
    """photo [B, 3, h, w] in 0…1, flow [B, 2, h, w] in pixels, motion [B, 1, h, w] (rms of F over its greatest;
    h, w multiples of 8) → frame [B, 3, h, w]. 0.59 M parameters."""

    def __init__(self):
        super().__init__()
        strides = (1, 2, 2, 2)
        inputs = (3, *WIDTHS[:-1])
        self.encoder = nn.ModuleList(ResidualBlock(*args) for args in zip(inputs, WIDTHS, strides, strict=True))
        # Each level hears how much has landed there; the finest also the colours.
        self.decoder = nn.ModuleList()
        coarser = 0
        for level in reversed(range(len(WIDTHS))):
            width = WIDTHS[level]
            self.decoder.append(ResidualBlock(coarser + width + 1 + (3 if level == 0 else 0), width))
            coarser = width
        self.leave = nn.Conv2d(WIDTHS[0], 3, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, photo: Tensor, flow: Tensor, motion: Tensor) -> Tensor:
        features, x = [], photo
        for block in self.encoder:
            x = block(x)
            features.append(x)
        x = None
        for level, block in zip(reversed(range(len(WIDTHS))), self.decoder, strict=True):
            values = torch.cat([photo, features[0]], 1) if level == 0 else features[level]
            landed, coverage = splat_batch(values, flow, motion, level)
            parts = [landed, coverage]
            if x is not None:
                parts.insert(0, F.interpolate(x, scale_factor=2, mode="bilinear"))
            x = block(torch.cat(parts, 1))
        return landed[:, :3] + self.leave(x)


def splat_batch(values: Tensor, flow: Tensor, motion: Tensor, level: int) -> tuple[Tensor, Tensor]:
    """Softmax-splat values [B, C, h, w] at stride 2^level along flow and motion at stride 1: (values, coverage
    [B, 1, h, w], at most 1)."""
    scale = 1 << level
    if level:
        flow, motion = F.avg_pool2d(flow, scale) / scale, F.avg_pool2d(motion, scale)
    done = [softmax_splat(v, f, METRIC * m[0]) for v, f, m in zip(values, flow, motion, strict=True)]
    return torch.stack([d[0] for d in done]), torch.stack([d[1] for d in done])[:, None].clamp_max(1)


class PyramidRenderer(Renderer):
    """A Renderer whose frames the pyramid network makes, at the splat grid's size at most: a photo of more than
    SPLAT_SIDE pixels loses detail where it moves. What does not move keeps its bits; alpha is that of Renderer.
    """

    def render(self, q: np.ndarray) -> np.ndarray:
        frame = super().render(q)
        displacement = self.displacement(q)
        farthest = float(np.abs(displacement).max())
        if farthest * self.size[1] < STILL_PX:
            return frame
        height, width = self.size
        reach = 2 * int(np.ceil(farthest * self.grid[1])) + 1
        changes = cv2.dilate(np.abs(displacement).max(-1), np.ones((reach, reach), np.uint8))
        moved = cv2.resize(changes, (width, height)) * width > STILL_PX
        colour = from_perceptual(self._made(displacement), self.photo.dtype)
        colour = cv2.resize(colour, (width, height), interpolation=cv2.INTER_CUBIC)[moved]
        frame[moved] = straight(np.concatenate([colour, premultiplied(frame[moved])[:, 3:]], -1), self.photo.dtype)
        return frame

    @torch.inference_mode()
    def _made(self, displacement: np.ndarray) -> np.ndarray:
        """The network's frame on the splat grid, float32 [gh, gw, 3] in perceptual values."""
        rms = self._backward.rms
        planes = (
            perceptual(self._small, self.photo.dtype),
            displacement * np.float32(self.grid[1]),
            (rms / max(float(rms.max()), 1e-12))[..., None],
        )
        h, w = self.grid
        with one_thread():
            inputs = [torch.from_numpy(np.moveaxis(plane, 2, 0).copy())[None].to(self.device) for plane in planes]
            padding = (0, -w % 8, 0, -h % 8)
            made = _shipped().to(self.device)(*(F.pad(x, padding, mode="replicate") for x in inputs))
        return np.moveaxis(made[0, :, :h, :w].cpu().numpy(), 0, 2).copy()


@cache
def _shipped() -> PyramidNet:
    network = PyramidNet()
    load_recorded(FOLDER, {"pyramid": network})
    return network
