"""Photo → modes: the user's door to the prior."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from ..errors import GidError
from ..motion import Modes
from ..motion.modes import quietest_time
from .head import FAR
from .pieces import gathered_positions, shared_among_alike
from .shape import LIVELIEST, frequencies
from .sway import Sway
from .weights import load_networks

Progress = Callable[[float, str], None]

LONG_SIDE = 256  # of the picture the networks see, and of the modes' grid
DAMPING = 0.08  # ratio; plants measure 0.03 to 0.15
# The head is never quite sure that a wall stands still: below this amplitude nothing moves at all, and neither
# does what moves less than this share of the liveliest. Of two like things it is often surer of one: what is above
# the cut is brought nearer together by this exponent (1: not at all).
STILL, SLIGHT, EVEN = 0.05, 0.35, 0.5
DIM = 0.45  # a night shot is lit up until its brightest hundredth is so bright: no training photo was darker
MOST_LIGHT = 10.0
# Radians by which lines of motion stray from the wind's, and the share of motion across them: as in the fifteen
# result clips of the paper's model: 58 % of the energy is level, and the path of a place three times as long as
# wide.
STRAY, ACROSS = 0.8, 0.4
STIRS = 0.25 / 512  # rms in widths under which nobody sees a motion: a quarter of a pixel in the paper's clips
WRITING = 2  # pixels of 256: half the breadth of a stroke on what moves
SUPPLE = 1.0  # cells over which two moving neighbours become alike
# Amplitude that the head tells of a photo's liveliest parts, and the one they get. Who brings a photo means it to
# move, and the head has doubts of every other candle: of photos that are meant to be still half are below 0.05, of
# those that move a twentieth.
TOLD, GIVEN = (0.03, 0.06, 0.1, 0.3, 0.75), (0.0, 0.35, 0.55, 0.75, 0.75)
DOUBTFUL = 0.15  # below this the person is told that the motion is a guess


class Prior:
    """Holds the networks; `predict` may be called for any number of photos."""

    def __init__(self, encoder, head, version: str, device: torch.device):
        self.encoder, self.head = encoder.to(device), head.to(device)
        self.version, self.device = version, device

    @classmethod
    def load(cls, device: str = "auto", weights: Path | None = None) -> Prior:
        """The shipped weights, or those of a folder. GidError if they are missing or damaged."""
        return cls(*load_networks(weights), _device(device))

    @torch.inference_mode()
    def predict(
        self,
        photo: np.ndarray,
        seed: int = 0,
        mask: np.ndarray | None = None,
        progress: Progress | None = None,
    ) -> Modes:
        """Modes of a photo.

        photo: uint8 [H, W, 3] RGB in sRGB; mask: float [H, W] (any size), 1 where things may move. The same
        photo, seed and mask give the same modes on the same device.
        """
        report = progress or (lambda fraction, text: None)
        report(0.0, "Looking at the photo")
        size = working_size(photo.shape[1], photo.shape[0])
        small = _lit(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))
        amplitude, axis, held = self._look(small, _told_by(mask))
        if mask is not None:
            amplitude = amplitude * _area(mask, amplitude.shape)
        amplitude = _evened(amplitude)
        report(0.5, "Letting the wind blow")
        volume = _sway(small, amplitude, axis, held, seed)
        report(0.9, "Fitting the motion to the photo's edges")
        likely = _closed(_fit_to_edges(amplitude, small), WRITING)
        rms = LIVELIEST * np.square(np.minimum(likely * _encouragement(amplitude), 1))
        if mask is not None:
            mask = _area(mask, rms.shape)
            rms = rms * mask
        volume = _enlarged(volume, size)
        modes = volume * (rms / _local_rms(volume))
        frequency = frequencies()
        report(1.0, "Done")
        return Modes(
            modes=modes,
            frequency_hz=frequency,
            damping=np.full(len(frequency), DAMPING, np.float32),
            photo_size=(photo.shape[1], photo.shape[0]),
            seed=seed,
            source=f"prior {self.version}",
            rest_time=quietest_time(modes, frequency),
            mask=mask,
            confidence=likely if mask is None else likely * mask,
        )

    def _look(self, small: np.ndarray, hint: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the head says of a photo: amplitude [h, w] in 0…1, √(rms / LIVELIEST); axis [2, h, w], the line of
        motion as doubled angle; held [2, h, w], the way to the place of hold in photo widths (a cell is 4 px).
        hint: added to the amplitude's log-odds."""
        image = _tensor(small.astype(np.float32) / 255, self.device).permute(2, 0, 1)[None]
        # A picture and its mirror image move alike: the mean of both answers is the steadier one.
        told, mirrored = (self.head(self.encoder(i))[0].cpu().numpy() for i in (image, image.flip(-1)))
        told = (told + mirrored[..., ::-1] * np.float32([1, 1, -1, -1, 1])[:, None, None]) / 2
        amplitude = np.maximum((1 / (1 + np.exp(-told[0] - hint)) - STILL) / (1 - STILL), 0)
        colour = torch.from_numpy(_colour(small, amplitude.shape))
        amplitude = _closed(shared_among_alike(colour, torch.from_numpy(amplitude)).numpy(), 1)
        strength = np.maximum(1, np.hypot(told[1], told[2]))
        return amplitude, told[1:3] / strength, told[3:5] * FAR


def notes_on(modes: Modes) -> list[str]:
    """Sentences for the person about what was predicted."""
    where = "in the photo" if modes.mask is None else "under the mask"
    if np.percentile(modes.rms(), 99.5) < STIRS:
        return [f"Nothing {where} seems able to move, so it stays still."]
    if modes.confidence is not None and _liveliest(modes.confidence) < DOUBTFUL:
        return [f"It is hard to tell what {where} can move: a mask painted over it makes it surer."]
    return []


def _lit(small: np.ndarray) -> np.ndarray:
    """A uint8 photo, brightened if it is dark."""
    brightest = float(np.percentile(small.max(-1), 99)) / 255
    light = min(max(DIM / max(brightest, 1e-3), 1), MOST_LIGHT)
    return small if light == 1 else np.minimum(small * light, 255).astype(np.uint8)


def _encouragement(amplitude: np.ndarray) -> float:
    """Factor on the amplitudes of a photo whose liveliest parts the head is not sure of.

    It tells the mean over all it holds possible, a still picture among that: a leaf that is as likely to hang
    still as to dance would hardly stir. What surely moves is left as it is, and so is a photo where nothing seems
    to.
    """
    liveliest = max(_liveliest(amplitude), 1e-6)
    return 1.0 if liveliest > TOLD[-1] else float(np.interp(liveliest, TOLD, GIVEN)) / liveliest


def _closed(plane: np.ndarray, radius: int) -> np.ndarray:
    """Without what is smaller than the radius and moves less than all around it (grey-scale closing): the letters
    on a flag go along with the flag."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    return cv2.morphologyEx(plane.astype(np.float32), cv2.MORPH_CLOSE, disc)


def _evened(amplitude: np.ndarray) -> np.ndarray:
    """An amplitude [h, w] without what is slight beside its liveliest, which stays as it is, and the rest brought
    nearer to it. Of flames and other small things one is often told to move far more than that: none does."""
    liveliest = max(_liveliest(amplitude), 1e-6)
    return liveliest * np.clip((amplitude / liveliest - SLIGHT) / (1 - SLIGHT), 0, 1) ** EVEN


def _liveliest(amplitude: np.ndarray) -> float:
    return float(np.percentile(amplitude, 99.5))


def _colour(small: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """CIELAB of a photo in cells: float32 [3, h, w], 80 units of OpenCV's 8-bit scale being 1."""
    lab = cv2.resize(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), shape[::-1], interpolation=cv2.INTER_AREA)
    return np.moveaxis(lab, -1, 0).astype(np.float32) / 80


def _sway(small, amplitude, axis, held, seed: int) -> np.ndarray:
    """How every place sways, in a wind of its own: complex64 [15, 2, h, w], of unit rms or less."""
    look = np.concatenate([_colour(small, amplitude.shape), 2 * amplitude[None]])
    place = gathered_positions(torch.from_numpy(look), torch.from_numpy(amplitude), torch.from_numpy(held)).numpy()
    rng = np.random.default_rng(seed)
    sway = Sway(rng)
    # No two things sway in one tempo or along quite the same line.
    tempo = np.clip(rng.uniform(0.35, 0.6) + 0.2 * sway.field(place), 0, 1)
    line = math.atan2(sway.direction[1], sway.direction[0]) + STRAY * sway.field(place)
    along = np.moveaxis(sway.oscillation(place, tempo), -1, 0)
    across = ACROSS * np.moveaxis(Sway(rng).oscillation(place, tempo), -1, 0)
    x, y = np.cos(line), np.sin(line)
    push = np.stack([along * x - across * y, along * y + across * x])
    # The wind pushes; what is held gives way along its line: the projection ½(1 + r·[cos 2φ, sin 2φ; sin, −cos]).
    # Half of it: real things stray from the line that the head tells, a mean over all that it holds possible.
    cos, sin = axis[:, None] / 2
    give = [(1 + cos) * push[0] + sin * push[1], sin * push[0] + (1 - cos) * push[1]]
    return _blended(np.stack(give, 1).astype(np.complex64), amplitude)


def _blended(volume: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
    """A volume [15, 2, h, w] whose neighbours, where both move, move more alike: what grows together is strained
    and sheared, but rarely cut (normalised convolution, Knutsson and Westin 1993)."""
    weight = np.square(amplitude) + 1e-6

    def mean(maps: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(maps, (0, 0), SUPPLE, borderType=cv2.BORDER_REPLICATE)

    parts = np.concatenate([volume.real, volume.imag]).reshape(-1, *weight.shape) * weight
    real, imag = np.split(np.stack([mean(part) for part in parts]) / mean(weight), 2)
    return (real + 1j * imag).reshape(volume.shape).astype(np.complex64)


def working_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) of the picture the networks see: long side 256, the other a multiple of 16, at least 64."""
    scale = LONG_SIDE / max(width, height)
    return tuple(max(64, 16 * round(n * scale / 16)) for n in (width, height))


def _told_by(mask: np.ndarray | None) -> float:
    """Log-odds that a mask adds: who paints one says that what moves is there, and the smaller, the surer."""
    if mask is None:
        return 0.0
    share = float(np.clip(np.nan_to_num(np.asarray(mask, np.float32)), 0, 1).mean())
    return min(max(-2 * math.log(share + 0.01), 0), 5)


def _area(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.clip(np.nan_to_num(np.asarray(mask, np.float32)), 0, 1)
    return cv2.resize(mask, (shape[-1], shape[-2]), interpolation=cv2.INTER_AREA)


def _fit_to_edges(amplitude: np.ndarray, photo: np.ndarray, radius: int = 5, epsilon: float = 0.002) -> np.ndarray:
    """Guided filter (He et al. 2010): the amplitude [h, w] at the photo's size, its edges on the photo's edges."""
    height, width = photo.shape[:2]
    # Seen at a quarter of the size, a thing's rim is half background. A rim left behind shows more than a little
    # background taken along: half a cell is given to the thing.
    amplitude = (amplitude + cv2.dilate(amplitude, np.ones((3, 3), np.uint8))) / 2
    rough = cv2.resize(amplitude, (width, height), interpolation=cv2.INTER_CUBIC)
    guide = photo.astype(np.float32) / 255

    def mean(image: np.ndarray) -> np.ndarray:
        return cv2.blur(image, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT_101)

    centre, level = mean(guide), mean(rough)
    outer = np.stack([mean(guide[..., i] * guide[..., j]) for i in range(3) for j in range(3)], -1)
    covariance = outer.reshape(height, width, 3, 3) - centre[..., :, None] * centre[..., None, :]
    covariance = covariance + epsilon * np.eye(3, dtype=np.float32)
    cross = mean(guide * rough[..., None]) - centre * level[..., None]
    slope = np.linalg.solve(covariance, cross[..., None])[..., 0]
    offset = level - (slope * centre).sum(-1)
    return np.clip((mean(slope) * guide).sum(-1) + mean(offset), 0, 1)


def _enlarged(volume: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Complex [15, 2, h, w] at the motion grid's (width, height)."""
    parts = torch.from_numpy(np.concatenate([volume.real, volume.imag]))
    parts = F.interpolate(parts, (size[1], size[0]), mode="bicubic", align_corners=False).numpy()
    real, imag = np.split(parts, 2)
    return (real + 1j * imag).astype(np.complex64)


def _local_rms(volume: np.ndarray) -> np.ndarray:
    """rms of a shape, float32 [h, w]; where it is far below the picture's, the picture's, to enlarge no noise."""
    rms = np.sqrt(np.sum(np.abs(volume) ** 2, (0, 1)) / 2)
    return np.maximum(rms, 0.25 * np.sqrt(np.mean(rms**2)) + 1e-9)


def _tensor(array: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def _device(name: str) -> torch.device:
    available = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available, "cpu": lambda: True}
    if name == "auto":
        name = next(n for n, there in available.items() if there())
    if name not in available or not available[name]():
        raise GidError("no_device", f"The device {name!r} is not to be had here.", "Choose auto or cpu.")
    return torch.device(name)
