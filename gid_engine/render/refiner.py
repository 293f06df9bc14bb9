"""The refiner: a small network that mends what a frame shows in disocclusions and along their rim.

Elsewhere it adds nothing, so that the rest of the frame stays a sampling of the photo. It sees the frame on the
splat grid (a hole has no detail to lose), looks at tiles with holes alone, and tells a correction in perceptual
values that the renderer enlarges to the photo's size.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..prior.weights import load_recorded
from .sample import from_perceptual, perceptual, premultiplied, straight
from .splat import one_thread

FOLDER = Path(__file__).parent / "weights"

WIDTHS = (32, 48, 64)  # at strides 4, 8, 16
SLOPE = 0.1
CHANNELS = 8  # of what the network sees, see observed
RIM = 8  # pixels of the splat grid around a hole in which the correction fades to nothing
TILE, OVERLAP = 96, 24  # pixels of the splat grid; neighbouring tiles are faded into each other
BRIGHTEST = 0.9  # perceptual value, four times white: nothing in linear light is mended to be brighter
BATCH = 16  # tiles at a time: bounds the memory


class RefinerNet(nn.Module):
    """[B, 8, h, w] (observed; h and w multiples of 16) → correction of the colours [B, 3, h, w].

    A U-Net on 4×4 blocks of pixels: what a hole needs is a wide view, and it is cheap there. 0.2 M parameters.
    """

    def __init__(self):
        super().__init__()
        a, b, c = WIDTHS
        self.enter = nn.Sequential(_convolution(16 * CHANNELS, a, 1), _convolution(a, a))
        self.down1 = nn.Sequential(nn.MaxPool2d(2), _convolution(a, b), _convolution(b, b))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), _convolution(b, c), _convolution(c, c))
        self.up1 = _convolution(c + b, b)
        self.up0 = _convolution(b + a, a)
        self.leave = nn.Conv2d(a, 16 * 3, 3, padding=1)
        # An untrained refiner changes nothing.
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, seen: Tensor) -> Tensor:
        fine = self.enter(F.pixel_unshuffle(seen, 4))
        middle = self.down1(fine)
        coarse = self.down2(middle)
        middle = self.up1(torch.cat([_doubled(coarse), middle], 1))
        fine = self.up0(torch.cat([_doubled(middle), fine], 1))
        return F.pixel_shuffle(self.leave(fine), 4)


def _convolution(inputs: int, outputs: int, size: int = 3) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, size, padding=size // 2)
    nn.init.kaiming_normal_(layer.weight, SLOPE)
    nn.init.zeros_(layer.bias)
    # A leak keeps units alive while the last layer, which begins at zero, finds its first direction.
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE))


def _doubled(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2, mode="nearest")


class Refiner:
    """A trained network that mends frames, tile by tile. device: where it runs."""

    def __init__(self, network: RefinerNet, device: torch.device):
        self.device = device
        self.network = network.to(device, memory_format=torch.channels_last).eval()

    @classmethod
    def load(cls, device: torch.device) -> Refiner:
        """With the weights that ship; GidError if they are missing or damaged."""
        return cls(_shipped(), device)

    def __call__(self, colour, plate, flow: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray | None:
        """What to add to a frame: float32 [gh, gw, 3], perceptual values, exactly 0 off the rim; None if nothing.

        colour, plate: float32 [gh, gw, 3], photo and background on the splat grid in perceptual values 0…1;
        flow: (x, y, share of the plate), float32 [gh, gw] each, of BackwardFlow.
        """
        blend = rim(flow[2])
        tiles = [tile for tile in _tiles(blend.shape) if blend[tile].any()]
        if not tiles:
            return None
        total, weight = np.zeros(colour.shape, np.float32), np.full((*blend.shape, 1), 1e-6, np.float32)
        for first in range(0, len(tiles), BATCH):
            part = tiles[first : first + BATCH]
            seen = [_padded(observed(colour, plate, flow, tile)) for tile in part]
            for tile, correction in zip(part, self._correct(np.stack(seen)), strict=True):
                h, w = blend[tile].shape
                window = _window(h)[:, None, None] * _window(w)[None, :, None]
                total[tile] += correction[:h, :w] * window
                weight[tile] += window
        total /= weight
        total *= blend[..., None]
        return total

    @torch.inference_mode()
    def _correct(self, seen: np.ndarray) -> np.ndarray:
        """[N, 8, h, w] -> [N, h, w, 3]."""
        with one_thread():
            maps = torch.from_numpy(seen).to(self.device, memory_format=torch.channels_last)
            return self.network(maps).permute(0, 2, 3, 1).cpu().numpy()


def rim(share: np.ndarray) -> np.ndarray:
    """How much a correction counts, float32 [gh, gw]: 1 in holes (share > 0), falling smoothly to 0 at RIM."""
    distance = cv2.distanceTransform((share <= 0).astype(np.uint8), cv2.DIST_L2, 3)
    ramp = np.clip((RIM - distance) * np.float32(2 / RIM), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def observed(colour, plate, flow: tuple[np.ndarray, np.ndarray, np.ndarray], tile=np.s_[:, :]) -> np.ndarray:
    """What the network sees of a tile of the frame: float32 [8, h, w].

    The frame without refiner (3), the share of the plate (1), the stretch det(I + ∇G) − 1 of the backward flow
    G (1), the plate (3). Arguments as of Refiner.
    """
    flow_x, flow_y, share = (plane[tile] for plane in flow)
    width = np.float32(colour.shape[1])
    move_x, move_y = flow_x * width, flow_y * width
    rows, columns = (np.arange(n, dtype=np.float32)[s] for n, s in zip(colour.shape[:2], tile, strict=True))
    source = move_x + columns, move_y + rows[:, None]
    frame = cv2.remap(colour, *source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    frame += (plate[tile] - frame) * share[..., None]
    (xy, xx), (yy, yx) = np.gradient(move_x), np.gradient(move_y)
    stretch = np.clip((1 + xx) * (1 + yy) - xy * yx, 0, 3) - 1
    return np.concatenate(
        [np.moveaxis(frame, 2, 0), share[None], stretch[None], np.moveaxis(plate[tile], 2, 0)], dtype=np.float32
    )


def add_correction(samples: np.ndarray, correction: np.ndarray) -> None:
    """Adds a correction, float32 [h, w, 3] in perceptual values, to samples of the photo [h, w, 3 or 4] in place;
    where it is 0 the samples keep their bits."""
    places = correction.any(-1)
    pixels = premultiplied(samples[places])
    told = perceptual(pixels, samples.dtype)
    mended = told + correction[places]
    if samples.dtype == np.float32:
        # In linear light a small step up in the lights is a big one.
        mended = np.minimum(mended, np.maximum(told, BRIGHTEST))
    pixels[..., :3] += from_perceptual(mended, samples.dtype) - from_perceptual(told, samples.dtype)
    samples[places] = straight(pixels, samples.dtype)


def _tiles(grid: tuple[int, int]) -> list[tuple[slice, slice]]:
    spans = []
    for n in grid:
        starts = range(0, max(1, n - OVERLAP), TILE - OVERLAP)
        # The last tile is moved in rather than cut.
        spans.append([slice(max(0, min(s, n - TILE)), min(n, max(0, min(s, n - TILE)) + TILE)) for s in starts])
    return [(row, column) for row in spans[0] for column in spans[1]]


def _padded(seen: np.ndarray) -> np.ndarray:
    """[8, h, w] with h and w continued to multiples of 16."""
    h, w = seen.shape[1:]
    return np.pad(seen, [(0, 0), (0, -h % 16), (0, -w % 16)], mode="edge") if h % 16 or w % 16 else seen


def _window(n: int) -> np.ndarray:
    distance = np.minimum(np.arange(n), n - 1 - np.arange(n)) + 1
    return np.minimum(distance / OVERLAP, 1).astype(np.float32)


@cache
def _shipped() -> RefinerNet:
    network = RefinerNet()
    load_recorded(FOLDER, {"refiner": network})
    return network
