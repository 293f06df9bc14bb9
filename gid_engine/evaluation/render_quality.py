"""How good frames are: each way to make them beside the true frame, given the true motion.

Truth is of two kinds: layered scenes (training/render_pairs.py), whose flow and disocclusions are exact, and real
clips given their own optical flow. Scenes and clips never trained: their random numbers are of another stream, and
their photos and clips are those that training/split.json holds out, or lie in the folder clips/C.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from ..render import Renderer, softmax_splat
from ..render.pyramid import PyramidRenderer
from ..training.dataset import Material, held_out, load_annotated, scenes
from ..training.perceptual import PerceptualDistance
from ..training.render_pairs import (
    SUPERSAMPLING,
    LayeredScene,
    Pair,
    clip_pairs,
    coordinates,
    drawn_scene,
)
from ..training.simulate import BANDS, Scene, shift
from .interval import bootstrap
from .report import render_report as report

__all__ = ["measure", "report"]

SIZE = (512, 288)  # (width, height) px of the scenes: the paper's
STREAM = 20261  # of random numbers; training's streams begin with its seeds 0, 1, …
TIMES = (35, 95)  # frames of each clip
METRIC = 20.0  # softmax weight of the strongest motion when splatting colours
BORDER = 16 / 512  # share of the width at the frame's border that is left out: there the renderer pins the photo
EDGE_PX = 4.6  # how far the disc of the sharp edge moves

Progress = Callable[[float, str], None]


def _flow(pair: Pair) -> np.ndarray:
    """float32 [H, W, 2] in pixels."""
    height, width = pair.photo.shape[:2]
    return cv2.resize(pair.modes.displacement(pair.q), (width, height)) * np.float32(width)


def _sampled(photo: np.ndarray, backward: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    source = np.dstack([columns, rows]) + backward
    return cv2.remap(photo, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def static(pair: Pair) -> np.ndarray:
    return pair.photo


def remap(pair: Pair) -> np.ndarray:
    """Reads the photo at p − F(p)."""
    return _sampled(pair.photo, -_flow(pair))


def fixed_point(pair: Pair) -> np.ndarray:
    """Reads the photo at p + G(p), G ← −F(p + G): the inverse where motion is smooth."""
    flow = _flow(pair)
    backward = -flow
    for _ in range(4):
        backward = -_sampled(flow, backward)
    return _sampled(pair.photo, backward)


def average_splat(pair: Pair) -> np.ndarray:
    return _splat(pair, np.zeros(pair.photo.shape[:2], np.float32))


def softmax_splatting(pair: Pair) -> np.ndarray:
    """The liveliest pixel wins; what nothing reaches keeps the photo."""
    rms = cv2.resize(pair.modes.rms(), pair.photo.shape[1::-1])
    return _splat(pair, METRIC * rms / max(float(rms.max()), 1e-9))


def _splat(pair: Pair, metric: np.ndarray) -> np.ndarray:
    planes = [torch.from_numpy(np.moveaxis(a, -1, 0).astype(np.float32)) for a in (pair.photo, _flow(pair))]
    made, coverage = softmax_splat(*planes, torch.from_numpy(metric))
    made = np.moveaxis(made.numpy(), 0, -1)
    made = np.where(coverage.numpy()[..., None] > 0, made, pair.photo)
    return np.rint(made.clip(0, 255)).astype(np.uint8)


def plain(pair: Pair) -> np.ndarray:
    return Renderer(pair.photo, pair.modes, "cpu", refine=False).render(pair.q)


def refined(pair: Pair) -> np.ndarray:
    return Renderer(pair.photo, pair.modes, "cpu", refine=True).render(pair.q)


def pyramid(pair: Pair) -> np.ndarray:
    return PyramidRenderer(pair.photo, pair.modes, "cpu").render(pair.q)


WAYS: dict[str, Callable[[Pair], np.ndarray]] = {
    "static": static,
    "remap by −F": remap,
    "fixed-point inverse": fixed_point,
    "average splat": average_splat,
    "softmax splat": softmax_splatting,
    "ours, no refiner": plain,
    "ours, refiner": refined,
    "pyramid": pyramid,
}
BASELINES = ("remap by −F", "softmax splat")


# --- truth --------------------------------------------------------------------------------------------------


def sharp_edge() -> Pair:
    """A textured disc that moves EDGE_PX before a textured background."""
    rng = np.random.default_rng(STREAM)
    width, height = (SUPERSAMPLING * n for n in SIZE)
    disc = cv2.circle(np.zeros((height, width), np.uint8), (width * 2 // 5, height // 2), width // 8, 1, -1)
    surfaces = [_texture(rng, height, width, colour) for colour in ((90, 120, 170), (170, 120, 40))]
    affine = np.zeros((2, BANDS, 2, 3), np.complex64)
    move = np.zeros((BANDS, 2))
    move[0] = np.array([0.92, -0.38]) * EDGE_PX / SIZE[0]
    affine[1] = shift(move)
    photo = np.where(disc[..., None] > 0, surfaces[1], surfaces[0])
    q = np.zeros(BANDS, complex)
    q[0] = 1
    return LayeredScene(Scene(photo, disc.astype(np.int16), affine), surfaces[0]).pair(q)


def _texture(rng: np.random.Generator, height: int, width: int, colour) -> np.ndarray:
    noise = [cv2.GaussianBlur(rng.normal(size=(height, width, 3)), (0, 0), s * SUPERSAMPLING) for s in (1.5, 6)]
    grain = noise[0] / noise[0].std() + 2 * noise[1] / noise[1].std()
    return np.clip(np.array(colour) + 10 * grain, 0, 255).astype(np.uint8)


def drawn_truth(count: int) -> Iterator[tuple[str, Pair]]:
    for number in range(count):
        rng = np.random.default_rng([STREAM, number])
        scene = drawn_scene(rng, SIZE)
        yield f"drawn {number}", scene.pair(coordinates(rng, scene.front))


def cut_out_truth(data: Sequence[Path], count: int) -> Iterator[tuple[str, Pair]]:
    """Held-out annotated photos before others of them."""
    photos = load_annotated(data, held_out())
    size = tuple(SUPERSAMPLING * n for n in SIZE)
    for number in range(count if len(photos) > 1 else 0):
        rng = np.random.default_rng([STREAM, 1, number])
        front, back = rng.permutation(len(photos))[:2]
        fronts = scenes(rng, Material([photos[front]]), size)
        scene = next(s for s in fronts if (s.piece_id > 0).mean() > 0.01)
        behind = next(scenes(rng, Material([photos[back]]), size)).photo
        yield f"cut-out {photos[front].name} {number}", LayeredScene(scene, behind).pair(coordinates(rng, scene))


def clip_truth(data: Sequence[Path], count: int) -> Iterator[tuple[str, Pair]]:
    """Held-out clips of the paper's model and clips that only evaluation may use."""
    folders = [f for d in data for f in (d, d.parent / "reference")]
    clips = [p for f in folders for p in f.glob("gid_official/*.mp4") if p.stem in held_out()]
    clips += [p for f in folders for p in f.glob("clips/C/*.mp4")]
    # Any part of them is a mixed one.
    for path in np.random.default_rng(STREAM).permutation(sorted(set(clips)))[:count]:
        for pair in clip_pairs(path, list(TIMES), SIZE[0]):
            yield path.stem, pair


# --- measures -----------------------------------------------------------------------------------------------


def measure(data: Sequence[Path] = (), count: int = 16, progress: Progress | None = None) -> dict:
    """Every figure: {"truth": {kind: {way: {measure: {"mean", "low", "high"}}}}, "gain": …, "sharp_edge_db": …}.

    data: folders with photos/, clips/ and gid_official/; without them, procedural scenes
    alone. count: scenes and clips of each kind, at most. Intervals are 95 %, bootstrapped over scenes or clips.
    """
    distance = PerceptualDistance.load()
    kinds = {
        "drawn scenes": drawn_truth(count),
        "cut-out scenes": cut_out_truth(data, count),
        "real clips": clip_truth(data, count),
    }
    figures: dict = {"truth": {}, "gain": {}, "sharp_edge_db": sharp_edge_db()}
    for number, (kind, truth) in enumerate(kinds.items()):
        rows = []
        for name, pair in truth:
            if progress:
                progress(number / len(kinds), f"{kind}: {name}")
            judge = Judge(pair, distance)
            rows.append((name, {way: judge(make(pair)) for way, make in WAYS.items()}))
        if rows:
            figures["truth"][kind], figures["gain"][kind] = _summary(rows), _gains(rows)
            figures["truth"][kind]["pairs"] = len(rows)
    return figures


def sharp_edge_db() -> dict[str, float]:
    pair = sharp_edge()
    return {way: psnr(make(pair), pair.frame, ~pair.hole) for way, make in WAYS.items()}


class Judge:
    """Compares frames with one true frame."""

    def __init__(self, pair: Pair, distance: PerceptualDistance):
        self.truth, self.distance = pair.frame, distance
        margin = int(np.ceil(BORDER * pair.frame.shape[1]))
        inner = np.zeros(pair.hole.shape, bool)
        inner[margin:-margin, margin:-margin] = True
        self.places = {"all": inner, "holes": inner & pair.hole, "rest": inner & ~pair.hole}
        self.features = self._features(pair.frame)

    @torch.inference_mode()
    def _features(self, picture: np.ndarray) -> list[torch.Tensor]:
        values = np.moveaxis(picture, -1, 0)[None].astype(np.float32) / 255
        return self.distance.features(torch.from_numpy(values))

    def __call__(self, frame: np.ndarray) -> dict[str, float]:
        """PSNR, SSIM and perceptual distance: anywhere, in holes and outside; NaN where there are none."""
        similar = ssim_map(frame, self.truth)
        apart = self.distance.between(self._features(frame), self.features)[0, 0].numpy()
        result = {}
        for place, where in self.places.items():
            some = where.sum() >= 20
            result[f"psnr {place}"] = psnr(frame, self.truth, where) if some else np.nan
            result[f"ssim {place}"] = float(similar[where].mean()) if some else np.nan
            result[f"perceptual {place}"] = float(apart[where].mean()) if some else np.nan
        return result


def psnr(frame: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    error = np.square(frame[where].astype(np.float64) - truth[where]).mean()
    # A perfect one counts as wrong by a hundredth of a level.
    return float(10 * np.log10(255**2 / max(error, 1e-4)))


def ssim_map(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Structural similarity (Wang et al., 2004; Gaussian window of 1.5 px) of two uint8 pictures: [H, W]."""
    a, b = (picture.astype(np.float32) for picture in (first, second))

    def blur(x):
        return cv2.GaussianBlur(x, (11, 11), 1.5)

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, both = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similar = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return (similar / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean(-1)


def _summary(rows: list) -> dict:
    return {
        way: {m: bootstrap([name for name, _ in rows], [row[way][m] for _, row in rows]) for m in rows[0][1][way]}
        for way in WAYS
    }


def _gains(rows: list) -> dict:
    """PSNR of ours over each baseline, pair by pair."""
    names = [name for name, _ in rows]
    return {
        way: {
            f"{m} over {base}": bootstrap(names, [row[way][m] - row[base][m] for _, row in rows])
            for base in BASELINES
            for m in ("psnr all", "psnr holes", "psnr rest")
        }
        for way in ("ours, no refiner", "ours, refiner", "pyramid")
    }
