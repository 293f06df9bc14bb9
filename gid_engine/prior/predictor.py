"""Photo → modes: the user's door to the prior."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from ..errors import GidError
from ..motion import Modes
from ..motion.modes import quietest_time
from .denoiser import condition_maps
from .sampling import karras_sigmas, sample_dpmpp_2m
from .shape import CHANNELS, LIVELIEST, channels_to_volume, frequencies
from .weights import load_networks

Progress = Callable[[float, str], None]

LONG_SIDE = 256  # of the picture the networks see, and of the modes' grid
DAMPING = 0.08  # ratio; plants measure 0.03 to 0.15
# The head is never quite sure that a wall stands still; below this amplitude nothing moves at all.
STILL = 0.12


class Prior:
    """Holds the networks; `predict` may be called for any number of photos."""

    def __init__(self, encoder, amplitude_head, shape_model, version: str, device: torch.device):
        self.encoder, self.amplitude_head, self.shape_model = (
            n.to(device) for n in (encoder, amplitude_head, shape_model)
        )
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
        steps: int = 10,
        progress: Progress | None = None,
    ) -> Modes:
        """Modes of a photo.

        photo: uint8 [H, W, 3] RGB in sRGB; mask: float [H, W] (any size), 1 where things may move; steps: of the
        sampler. The same photo, seed, mask and steps give the same modes on the same device.
        """
        report = progress or (lambda fraction, text: None)
        report(0.0, "Looking at the photo")
        size = working_size(photo.shape[1], photo.shape[0])
        small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        maps, amplitude = self._look(small)
        if mask is not None:
            amplitude = amplitude * _tensor(_area(mask, amplitude.shape), self.device)
        shape = self._sample(condition_maps(maps, amplitude), seed, steps, report)
        report(0.95, "Fitting the motion to the photo's edges")
        rms = LIVELIEST * np.square(_fit_to_edges(amplitude[0, 0].cpu().numpy(), small))
        if mask is not None:
            mask = _area(mask, rms.shape)
            rms = rms * mask
        volume = _enlarged(channels_to_volume(shape), size)
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
            confidence=np.sqrt(rms / LIVELIEST),
        )

    def _look(self, small: np.ndarray):
        """(encoder maps, amplitude [1, 1, H/4, W/4] in 0…1)."""
        image = _tensor(small.astype(np.float32) / 255, self.device).permute(2, 0, 1)[None]
        maps = self.encoder(image)
        mirrored = self.encoder(image.flip(-1))
        # A picture and its mirror image move alike: the mean of both answers is the steadier one.
        logits = (self.amplitude_head(maps) + self.amplitude_head(mirrored).flip(-1)) / 2
        return maps, ((logits.sigmoid() - STILL) / (1 - STILL)).clamp_min(0)

    def _sample(self, condition: torch.Tensor, seed: int, steps: int, report: Progress) -> np.ndarray:
        """A motion shape [60, H/8, W/8], every band at a phase of its own."""
        # Noise is drawn on the CPU: the same seed is the same motion on every device.
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(1, CHANNELS, *condition.shape[-2:], generator=generator)
        phase = torch.rand(CHANNELS // 4, generator=generator).numpy() * 2 * np.pi
        sigmas = karras_sigmas(steps)

        def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            return self.shape_model.denoiser(x, sigma, condition)

        def on_step(step: int) -> None:
            report(0.1 + 0.85 * step / steps, f"Imagining the motion, step {step} of {steps}")

        x = sample_dpmpp_2m(denoise, noise.to(self.device) * sigmas[0], sigmas, on_step)
        shape = (x * self.shape_model.scale)[0].cpu().numpy()
        real, imag = shape.reshape(2, CHANNELS // 4, 2, *shape.shape[1:])
        turn = np.exp(1j * phase)[:, None, None, None]
        turned = (real + 1j * imag) * turn
        return np.concatenate([turned.real, turned.imag]).reshape(shape.shape).astype(np.float32)


def working_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) of the picture the networks see: long side 256, the other a multiple of 16, at least 64."""
    scale = LONG_SIDE / max(width, height)
    return tuple(max(64, 16 * round(n * scale / 16)) for n in (width, height))


def _area(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.clip(np.nan_to_num(np.asarray(mask, np.float32)), 0, 1)
    return cv2.resize(mask, (shape[-1], shape[-2]), interpolation=cv2.INTER_AREA)


def _fit_to_edges(amplitude: np.ndarray, photo: np.ndarray, radius: int = 5, epsilon: float = 0.002) -> np.ndarray:
    """Guided filter (He et al. 2010): the amplitude [h, w] at the photo's size, its edges on the photo's edges."""
    height, width = photo.shape[:2]
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
