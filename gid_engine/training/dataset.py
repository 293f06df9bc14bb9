"""Training samples on disk: what the frozen encoder sees of a scene, and how the scene moves.

The encoder is the dear part and never changes, so that its maps are computed once. A shard is an .npz of arrays:
block2…block5 (float16, the encoder's maps) and what `sample_targets` says of the motion (float16). Pictures of one
shard have one size.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from ..media import safe_write
from ..motion import fix_gauge
from ..prior.encoder import ImageEncoder
from ..prior.head import FAR
from ..prior.shape import LIVELIEST, volume_to_channels
from .annotated import (
    FOLDER,
    AnnotatedPhoto,
    annotated_scene,
    cutout_scene,
    photographed,
    prepare,
    read_annotation,
)
from .cutouts import Cutout, paste, still_scene
from .gather import SOURCES
from .scenes import random_scene
from .simulate import Scene

SIZES = ((256, 160), (160, 256))  # (width, height) px
SHARD = 32
MAPS = ("block2", "block3", "block4", "block5")


def held_out() -> set[str]:
    """Names of the photos and clips that never train."""
    return set(json.loads((Path(__file__).parent / "split.json").read_text(encoding="utf-8"))["held_out"])


@dataclass(frozen=True)
class Material:
    """What scenes are made of: annotated photos, photos in which nothing moves (uint8 RGB), cut-outs."""

    photos: Sequence[AnnotatedPhoto] = ()
    stills: Sequence[np.ndarray] = ()
    cutouts: Sequence[Cutout] = ()


def load_material(data: Sequence[Path], names: set[str] | None = None) -> Material:
    """Everything whose files are under the folders `data`; of the annotated photos those in `names`."""
    sources = json.loads(SOURCES.read_text(encoding="utf-8"))
    stills = [_at_most(p, 640) for f in sources["stills"] if (p := _picture(data, f)) is not None]
    cutouts = []
    for entry in sources["cutouts"]:
        if (pixels := _picture(data, entry["photo"], alpha=True)) is not None:
            rest = {k: v for k, v in entry.items() if k != "photo"}
            cutouts.append(Cutout(_at_most(pixels, 400), **rest))
    return Material(load_annotated(data, names), stills, cutouts)


def load_annotated(data: Sequence[Path], names: set[str] | None = None) -> list[AnnotatedPhoto]:
    """All annotated photos (those in `names`) whose file is under `data`; "CLIP.mp4#0" is a first frame."""
    photos = []
    for path in sorted(FOLDER.glob("*.json")):
        if names is not None and path.stem not in names:
            continue
        table, objects = read_annotation(path)
        picture = _picture(data, table["photo"])
        if picture is not None:
            photos.append(prepare(picture, objects, path.stem))
    return photos


def _picture(data: Sequence[Path], name: str, alpha: bool = False) -> np.ndarray | None:
    file, _, frame = name.partition("#")
    for folder in [f for d in data for f in (d, d.parent / "reference", d / "reference")]:
        if not (folder / file).is_file():
            continue
        if frame:
            ok, picture = cv2.VideoCapture(str(folder / file)).read()
        else:
            picture = cv2.imdecode(
                np.fromfile(folder / file, np.uint8), cv2.IMREAD_UNCHANGED if alpha else cv2.IMREAD_COLOR
            )
            ok = picture is not None
        if not ok or (alpha and picture.shape[2:] != (4,)):
            return None
        return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA if alpha else cv2.COLOR_BGR2RGB)
    return None


def _at_most(picture: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(picture.shape[:2])
    return picture if scale >= 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def scenes(rng: np.random.Generator, material: Material, size: tuple[int, int]) -> Iterator[Scene]:
    """An endless mix: annotated photos, cut-outs over them and over still photos, procedural scenes."""
    width, height = size
    photos, stills, cutouts = material.photos, material.stills, material.cutouts
    # Mostly the photo's own orientation is respected: crops across it lose the ground or the sky.
    fitting = [p for p in photos if (p.photo.shape[1] >= p.photo.shape[0]) == (width >= height)] or photos

    def real() -> Scene:
        pool = fitting if rng.random() < 0.7 else photos
        return annotated_scene(rng, pool[rng.integers(len(pool))], width, height)

    def still() -> Scene:
        scene = still_scene(rng, stills[rng.integers(len(stills))], width, height)
        return Scene(photographed(rng, scene.photo), scene.piece_id, scene.affine)

    def drawn() -> Scene:
        return random_scene(rng, width, height, still=stills or None)

    def pasted(scene: Scene, most: int) -> Scene:
        for _ in range(rng.integers(most + 1) if cutouts else 0):
            scene = paste(rng, cutouts[rng.integers(len(cutouts))], scene)
        return scene

    while True:
        dice = rng.random()
        if photos and dice < 0.5:
            yield pasted(real(), 2) if rng.random() < 0.2 else real()
        elif photos and dice < 0.68:
            backs = [real, drawn] + [still] * bool(stills)
            yield cutout_scene(rng, real(), backs[rng.integers(len(backs))]())
        elif stills and dice < 0.82:
            yield pasted(still(), 4)
        else:
            yield pasted(drawn(), 2)


def sample_targets(scene: Scene) -> dict[str, np.ndarray]:
    """What the networks learn of a scene, float32: amplitude [H/4, W/4], manner [4, H/4, W/4] (the axis and where
    it is held, prior/head.py), shape [60, H/8, W/8]."""
    height, width = scene.piece_id.shape
    h, w = height // 4, width // 4
    return {
        "amplitude": np.sqrt(np.minimum(scene.rms(h, w) / LIVELIEST, 1)),
        "manner": np.concatenate([scene.axis(h, w), scene.held(h, w) / FAR]),
        "shape": shape_target(scene.modes(height // 8, width // 8)),
    }


def shape_target(modes: np.ndarray) -> np.ndarray:
    """The gauge-fixed volume over its own rms: [60, h, w]; fades to 0 where next to nothing moves."""
    volume, _ = fix_gauge(modes)
    rms = np.sqrt((np.abs(volume) ** 2).sum((0, 1)) / 2)
    return volume_to_channels(volume / (rms + 0.05 * rms.max() + 1e-9))


def write_shards(
    folder: Path, encoder: ImageEncoder, material: Material, count: int, seed: int,
    progress: Callable[[float, str], None] | None = None,
) -> None:  # fmt: skip
    """Write `count` shards; shard n of a seed is always the same, one that exists is kept (resumable)."""
    for number in range(count):
        path = folder / f"shard-{seed:03d}-{number:05d}.npz"
        if not path.exists():
            rng = np.random.default_rng([seed, number])
            size = SIZES[0] if number % 3 else SIZES[1]
            mix = scenes(rng, material, size)
            samples = [_sample(encoder, next(mix)) for _ in range(SHARD)]
            arrays = {key: np.stack([s[key] for s in samples]).astype(np.float16) for key in samples[0]}
            with safe_write(path) as temporary, open(temporary, "wb") as file:
                np.savez(file, **arrays)
        if progress:
            progress((number + 1) / count, f"{path.name}")


@torch.inference_mode()
def _sample(encoder: ImageEncoder, scene: Scene) -> dict[str, np.ndarray]:
    image = torch.from_numpy(scene.photo.astype(np.float32) / 255).permute(2, 0, 1)[None]
    maps = {name: m[0].numpy() for name, m in zip(MAPS, encoder(image), strict=True)}
    return {**maps, **sample_targets(scene)}


class ShardPool:
    """All samples of a folder in memory, by picture size; `refresh` takes in shards written since."""

    def __init__(self, folder: Path, limit: int = 600):
        self.folder, self.limit = folder, limit
        self._seen: set[Path] = set()
        self._shards: list[dict[str, np.ndarray]] = []
        self.refresh()

    def __len__(self) -> int:
        return sum(len(s["amplitude"]) for s in self._shards)

    def refresh(self) -> None:
        for path in sorted(self.folder.glob("shard-*.npz")):
            if path not in self._seen and len(self._shards) < self.limit:
                self._seen.add(path)
                with np.load(path, allow_pickle=False) as arrays:
                    self._shards.append({key: arrays[key] for key in arrays.files})

    def batch(self, rng: np.random.Generator, count: int) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
        """(encoder maps, targets by name [B, C, …]) of one picture size, float32, on the GPU if there is one."""
        sizes = sorted({s["shape"].shape[2:] for s in self._shards})
        weights = [sum(len(s["shape"]) for s in self._shards if s["shape"].shape[2:] == size) for size in sizes]
        size = sizes[rng.choice(len(sizes), p=np.array(weights) / sum(weights))]
        shards = [s for s in self._shards if s["shape"].shape[2:] == size]
        picks = [(shards[rng.integers(len(shards))], rng.integers(SHARD)) for _ in range(count)]
        gathered = {key: _tensor(np.stack([s[key][i % len(s[key])] for s, i in picks]))
                    for key in (*MAPS, "amplitude", "manner", "shape")}  # fmt: skip
        maps = [gathered.pop(name) for name in MAPS]
        return maps, gathered | {"amplitude": gathered["amplitude"][:, None]}


def _tensor(array: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(array.astype(np.float32))
    return tensor.pin_memory().cuda(non_blocking=True) if torch.cuda.is_available() else tensor
