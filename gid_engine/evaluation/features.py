"""Feature networks, each frames or clips → features: the shipped ones, random ones, and any in an ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..errors import GidError
from ..prior.encoder import ImageEncoder
from ..prior.weights import FOLDER as PRIOR_FOLDER
from ..prior.weights import load_recorded
from .critic import load_critic, luma

# Frames: uint8 [N, H, W, 3] → float32 [N, D]. Clips: uint8 [T, H, W, 3], windows → float32 [windows, D].
FrameFeatures = Callable[[np.ndarray], np.ndarray]
ClipFeatures = Callable[[np.ndarray, list[range]], np.ndarray]

_INCEPTION_SIDE, _I3D_SIDE = 299, 224  # px, where a network leaves its picture's size open


def frame_features(network: Path | None = None) -> FrameFeatures:
    """Of the network in a file, or of the prior's image encoder: the mean of its adapted maps, D = 184."""
    if network is not None:
        return _Onnx(network, 4, _INCEPTION_SIDE)
    encoder = ImageEncoder()
    load_recorded(PRIOR_FOLDER, {"encoder": encoder})

    @torch.inference_mode()
    def features(frames: np.ndarray) -> np.ndarray:
        made = []
        for frame in frames:
            image = torch.from_numpy(frame.astype(np.float32) / 255).permute(2, 0, 1)[None]
            made.append(torch.cat([m.mean((2, 3)) for m in encoder(image)], 1)[0].numpy())
        return np.stack(made)

    return features


def clip_features(network: Path | None = None) -> ClipFeatures:
    """Of the network in a file, or of the critic, D = 128."""
    if network is not None:
        return _Onnx(network, 5, _I3D_SIDE).clips
    return partial(_of_windows, load_critic())


def random_clip_features(seed: int = 0) -> ClipFeatures:
    """Of a 3-D network that learned nothing: what shows there is in the pictures and not in the critic's mind."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for inside, outside in ((2, 32), (32, 64), (64, 128)):
        layer = nn.Conv3d(inside, outside, 3, stride=2, padding=1)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) / np.sqrt(27 * inside / 2))
            layer.bias.zero_()
        layers += [layer, nn.ReLU()]
    network = nn.Sequential(*layers).eval().requires_grad_(False)

    def features(clip: torch.Tensor) -> torch.Tensor:
        small = F.avg_pool2d(clip, 4)
        change = 6 * (small - small[:, :1])
        return network(torch.stack([2 * small - 1, change], 1)).mean((2, 3, 4))

    return partial(_of_windows, features)


@torch.inference_mode()
def _of_windows(network, frames: np.ndarray, windows: list[range]) -> np.ndarray:
    film = torch.from_numpy(luma(frames).astype(np.float32) / 255)
    made = [network(film[w.start : w.stop][None])[0].numpy() for w in windows]
    return np.stack(made)


class _Onnx:
    """A network in an ONNX file: one picture input, RGB in −1…1 as Inception and I3D take it, one output [N, D].

    Frames go in as [N, 3, H, W], clips as [N, 3, T, H, W]. ONNX holds no code, unlike a pickle or TorchScript.
    """

    def __init__(self, path: Path, axes: int, side: int):
        try:
            import onnxruntime
        except ImportError as error:
            raise GidError(
                "no_onnxruntime",
                f"The network {path} needs the package onnxruntime, which is not installed.",
                'Install it: pip install "blender-gid[evaluate]".',
            ) from error
        if not path.is_file():
            raise GidError("network_missing", f"There is no network {path}.", "Check the path.")
        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has an exception class for each kind of damage
            raise GidError(
                "network_unreadable", f"{path} is not a network in the ONNX format, or damaged.", "Export it anew."
            ) from error
        inputs = self._session.get_inputs()
        self._input, shape = inputs[0].name, inputs[0].shape
        if len(inputs) != 1 or len(shape) != axes or shape[1] != 3:
            wanted = "[N, 3, H, W]" if axes == 4 else "[N, 3, T, H, W]"
            raise GidError(
                "network_shape", f"The network {path} does not take pictures as {wanted}.", "Export it so."
            )
        self._path = path
        self._size = tuple(n if isinstance(n, int) else side for n in (shape[-1], shape[-2]))

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        return np.concatenate([self._run(self._prepared(f[None])[0][None]) for f in frames])

    def clips(self, frames: np.ndarray, windows: list[range]) -> np.ndarray:
        film = np.moveaxis(self._prepared(frames), 0, 1)
        return np.concatenate([self._run(film[None, :, w.start : w.stop]) for w in windows])

    def _prepared(self, frames: np.ndarray) -> np.ndarray:
        sized = np.stack([cv2.resize(f, self._size, interpolation=cv2.INTER_LINEAR) for f in frames])
        return np.moveaxis(sized.astype(np.float32) / 127.5 - 1, -1, 1)

    def _run(self, pictures: np.ndarray) -> np.ndarray:
        try:
            answer = self._session.run(None, {self._input: np.ascontiguousarray(pictures)})[0]
        except Exception as error:  # as above: a length or size the network was not made for
            raise GidError(
                "network_shape",
                f"The network {self._path} does not take pictures of the shape {list(pictures.shape)}.",
                "Export it with open sizes, or with these.",
            ) from error
        answer = np.asarray(answer, np.float32).reshape(len(pictures), -1)
        if not np.isfinite(answer).all():
            raise GidError(
                "network_not_finite", f"The network {self._path} answers what is no number.", "Export it anew."
            )
        return answer
