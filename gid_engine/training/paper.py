"""Training of the paper's model (prior/paper): volumes on disk, the codec, then the slices in two stages.

`gid train volumes`, `codec`, `slices`, and after it `coordinated`; the same on the CPU, one GPU or several
(torchrun: each process draws samples of its own, gradients are averaged).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ..errors import GidError
from ..media import safe_write
from ..motion.spectrum import normalise, percentile_scale
from ..prior.paper import PRESETS, Diffusion, SliceCodec, SliceUNet
from ..prior.shape import BANDS
from ..prior.weights import load_part
from .dataset import SHARD, Material, scenes
from .train import Progress, Run, _loop, device, start

CONDITION_DROPPED = 0.1  # share of samples that see no photo, for classifier-free guidance


def write_volumes(
    folder: Path, material: Material, preset: str, count: int, seed: int, progress: Progress | None = None
) -> None:
    """Shards of photos uint8 [N, H, W, 3] and volumes float16 [N, 15, 4, H, W]; one that exists is kept."""
    width, height = PRESETS[preset].grid
    for number in range(count):
        path = folder / f"volumes-{preset}-{seed:03d}-{number:05d}.npz"
        if not path.exists():
            mix = scenes(np.random.default_rng([seed, number]), material, (256, 160))
            picked = [next(mix) for _ in range(SHARD)]
            volumes = np.stack([s.modes(height, width) for s in picked])
            photos = [cv2.resize(s.photo, (width, height), interpolation=cv2.INTER_AREA) for s in picked]
            parts = np.concatenate([volumes.real, volumes.imag], 2).astype(np.float16)
            with safe_write(path) as temporary, open(temporary, "wb") as file:
                np.savez(file, photo=np.stack(photos), volume=parts)
        if progress:
            progress((number + 1) / count, path.name)


class VolumePool:
    """All volumes of a folder, normalised (GID eq. 4), and their photos."""

    def __init__(self, folder: Path, preset: str):
        paths = sorted(folder.glob(f"volumes-{preset}-*.npz"))
        if not paths:
            raise GidError(
                "no_volumes", f"There are no volumes of the preset {preset} in {folder}.",
                "Run gid train volumes first.",
            )  # fmt: skip
        loaded = []
        for path in paths:
            with np.load(path, allow_pickle=False) as arrays:
                loaded.append({key: arrays[key] for key in arrays.files})
        self.photo = np.concatenate([a["photo"] for a in loaded])
        parts = np.concatenate([a["volume"] for a in loaded]).astype(np.float32)
        spectrum = parts[:, :, :2] + 1j * parts[:, :, 2:]
        # Most of a picture is still: the scale is that of what moves.
        moving = np.abs(spectrum).sum((1, 2)) > 1e-5
        self.scale = percentile_scale(spectrum.transpose(0, 3, 4, 1, 2)[moving][..., None]).clip(1e-6)
        self.volume = np.concatenate(list(normalise(spectrum.transpose(1, 0, 2, 3, 4), self.scale)), 2)
        self.volume = self.volume.transpose(1, 0, 2, 3, 4).astype(np.float16)

    def refresh(self) -> None:
        """Nothing: the scale must stay what it was."""

    def __len__(self) -> int:
        return len(self.volume)

    def volumes(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """(photos [B, 3, H, W] in −1…1, volumes [B, 15, 4, H, W])."""
        picks = rng.integers(len(self), size=count)
        photo = torch.from_numpy(self.photo[picks].astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)
        return photo.to(device()), torch.from_numpy(self.volume[picks].astype(np.float32)).to(device())


def train_codec(
    data: Path, folder: Path, minutes: float, preset: str = "small", batch: int = 32, seed: int = 0,
    progress: Progress | None = None,
) -> Run:  # fmt: skip
    """The VAE of slices; at the end its latents are whitened."""
    pool, rng = VolumePool(data, preset), start(seed)
    size = PRESETS[preset]
    run = Run(folder, "codec", SliceCodec(size.codec_width, size.codec_widths).to(device()), 1e-3, ema=0.999)
    run.resume()

    def slices(count: int) -> Tensor:
        volume = pool.volumes(rng, count)[1]
        return volume[torch.arange(count), torch.from_numpy(rng.integers(BANDS, size=count))]

    facts = {"preset": preset, "seed": str(seed)}
    _loop(run, pool, minutes, facts, lambda: run.model.loss(slices(batch)), progress)
    for codec in (run.model, run.ema):
        codec.fit_whitening(slices(256))
    run.save(facts)
    return run


def train_slices(
    data: Path, folder: Path, minutes: float, preset: str = "small", coordinated: bool = False, batch: int = 2,
    seed: int = 0, progress: Progress | None = None,
) -> Run:  # fmt: skip
    """The denoiser. Stage 1 sees slices alone; stage 2 (`coordinated`) freezes it and adds attention across."""
    pool, rng = VolumePool(data, preset), start(seed)
    size = PRESETS[preset]
    codec = SliceCodec(size.codec_width, size.codec_widths).to(device())
    codec.load_state_dict(load_part(folder / "codec.safetensors")[0])
    codec.eval().requires_grad_(False)
    sizes = size.unet_width, size.unet_widths, size.blocks, size.image_channels, size.attention_levels
    unet = SliceUNet(BANDS, *sizes, coordinated=coordinated).to(device())
    if coordinated:
        unet.load_state_dict(load_part(folder / "slices.safetensors")[0], strict=False)
        list(unet.coordinate())
    run = Run(folder, "coordinated" if coordinated else "slices", unet, 1e-3 if preset == "small" else 5e-5, 0.999)
    run.resume()
    diffusion, band = Diffusion(), torch.arange(BANDS, device=device()).repeat(batch)

    def loss() -> Tensor:
        photo, volume = pool.volumes(rng, batch)
        with torch.no_grad():
            latents = codec.latents(volume.flatten(0, 1))
        seen = None if rng.random() < CONDITION_DROPPED else photo
        # Stage 1 draws a noise level a slice, stage 2 one a volume, since its slices are denoised together.
        return diffusion.loss(lambda x, time: unet(x, time, band, seen), latents, BANDS if coordinated else 1)

    _loop(run, pool, minutes, {"preset": preset, "seed": str(seed)}, loss, progress)
    return run
