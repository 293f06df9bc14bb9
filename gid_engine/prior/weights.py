"""Weights: safetensors files whose SHA-256 is on record, and the networks they fit."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..errors import GidError
from ..media import safe_write
from .denoiser import Denoiser, UNet
from .encoder import ImageEncoder
from .head import MotionHead
from .shape import CHANNELS

FOLDER = Path(__file__).parent / "weights"
MANIFEST = "sha256.json"


class ShapeModel(nn.Module):
    """Denoiser with the scale of its channels: shapes = samples × scale ([60, 1, 1])."""

    def __init__(self, denoiser: Denoiser):
        super().__init__()
        self.denoiser = denoiser
        self.register_buffer("scale", torch.ones(CHANNELS, 1, 1))


def build_denoiser(scale: Tensor | None = None) -> ShapeModel:
    model = ShapeModel(Denoiser(UNet(CHANNELS, width=48, widths=(1, 2, 3), blocks=1), sigma_data=1.0))
    if scale is not None:
        model.scale.copy_(scale)
    return model


def save_part(path: Path, state: dict[str, Tensor], facts: dict[str, str], half: bool) -> None:
    """Write tensors (float16 if half) and facts about the run; the file appears whole or not at all."""
    tensors = {k: (v.half() if half and v.is_floating_point() else v).contiguous() for k, v in state.items()}
    with safe_write(path) as temporary:
        temporary.write_bytes(save(tensors, metadata=facts))


def load_part(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(float32 tensors, facts) of a weights file; GidError if it is missing or damaged."""
    try:
        with safe_open(os.fspath(path), "pt") as file:
            return {name: file.get_tensor(name).float() for name in file.keys()}, file.metadata() or {}
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path) from error


def load_networks(folder: Path | None = None) -> tuple[ImageEncoder, MotionHead, str]:
    """(encoder, motion head, short hash of both) in evaluation mode, checked against the record."""
    encoder, head = ImageEncoder(), MotionHead()
    folder = FOLDER if folder is None else Path(folder)
    return encoder, head, load_recorded(folder, {"encoder": encoder, "head": head})


def load_recorded(folder: Path, networks: dict[str, nn.Module]) -> str:
    """Fill networks from NAME.safetensors in a folder, checked against its record, and freeze them in evaluation
    mode. Returns a short hash of the record; GidError if a file is missing, damaged or not the one on record."""
    try:
        record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _missing(folder / MANIFEST) from error
    except (OSError, ValueError) as error:
        raise _damaged(folder / MANIFEST) from error
    for name, network in networks.items():
        path = folder / f"{name}.safetensors"
        if not path.is_file():
            raise _missing(path)
        if record.get(path.name) != file_sha256(path):
            raise _damaged(path)
        try:
            network.load_state_dict(load_part(path)[0])
        except RuntimeError as error:
            raise _damaged(path) from error
        network.eval().requires_grad_(False)
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:12]


def write_record(folder: Path) -> None:
    """Put the hashes of all weights of a folder on record."""
    record = {path.name: file_sha256(path) for path in sorted(folder.glob("*.safetensors"))}
    with safe_write(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _missing(path: Path) -> GidError:
    return GidError("weights_missing", f"The network's weights {path} are missing.", "Install the engine again.")


def _damaged(path: Path) -> GidError:
    return GidError(
        "weights_damaged", f"The network's weights {path} are damaged.", "Install the engine again or verify it."
    )
