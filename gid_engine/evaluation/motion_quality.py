"""How good motion from a photo is: distances of whole clips, and measures of the motion itself.

Every way starts from the first frame of a clip that trained nothing, and is compared with what the clip then did.
Two sets of clips: real ones, and those of the paper's model. Distances are between all windows of all clips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import GidError
from ..motion import Modes
from ..prior import Prior
from ..training.dataset import Material, held_out, load_annotated, scenes
from . import loops
from .clips import Clip, as_modes, centre_crop, load_clip, official_clips, real_clips, resampled
from .distances import frechet_distance, kernel_distance, kid, sliding, windows
from .features import clip_features, frame_features, random_clip_features
from .interval import bootstrap
from .warp import remapped, rendered

Progress = Callable[[float, str], None]

WAYS = ("static", "ground-truth motion", "OpenCV-warped", "shuffled photo's motion", "ours")
REAL = "the clips themselves"
HALF = "clips of other photos"  # half of the clips from the other half
FRAME_STEP = 15  # every such frame has its features taken: neighbours look alike
SEEDS = 8
LINES = 6  # clips in a picture of x–t slices


@dataclass(frozen=True)
class Request:
    """data: folders with clips/C or photos/; official: folder of the paper's clips; count: clips and scenes of a
    kind, at most; weights: folder of the prior's weights; frame_network, clip_network: ONNX files (features.py);
    frames: of each clip that are made."""

    data: Sequence[Path] = ()
    official: Path | None = None
    count: int = 16
    weights: Path | None = None
    frame_network: Path | None = None
    clip_network: Path | None = None
    frames: int = 150


@dataclass
class Result:
    """figures: JSON's tables; films: {set: [(clip, {way: uint8 [T, H, W, 3]})]} for pictures."""

    figures: dict
    films: dict = field(default_factory=dict)


def measure(request: Request, progress: Progress | None = None) -> Result:
    """All measures. GidError for a missing folder, an unreadable clip, or one that is too short."""
    told = progress or (lambda fraction, text: None)
    sets = {
        "real clips": _chosen(real_clips(request.data), request.count),
        "official clips": _chosen(official_clips(request.official), request.count),
    }
    if not any(sets.values()):
        raise GidError(
            "data_missing",
            "There are no clips to measure against.",
            "Give --data FOLDER (with clips/C, or with clips in it) or --official FOLDER.",
        )
    prior = Prior.load("cpu", request.weights)
    loops_seen: dict[str, np.ndarray] = {}
    result = Result({"clips": {}, "distances": {}, "motion": {}, "sliding": {}, "prior": prior.version})
    lengths = {name: len(paths) for name, paths in sets.items() if paths}
    done, total = 0, max(1, sum(lengths.values()))
    for name in lengths:
        takes = []
        for path in sets[name]:
            told(0.85 * done / total, f"{name}: {path.stem}")
            takes.append(Take.make(load_clip(path), prior))
            done += 1
        _shuffle(takes)
        films = {take.clip.name: take.films(request.frames) for take in takes}
        result.figures["clips"][name] = [take.clip.name for take in takes]
        result.figures["motion"][name] = _motion(takes, films)
        if len(takes) > 1:
            told(0.85 * done / total, f"{name}: features")
            result.figures["distances"][name], result.figures["sliding"][name] = _distances(films, request)
        result.films[name] = list(films.items())[:LINES]
        if name == "official clips":
            loops_seen = {t.clip.name: films[t.clip.name]["ours"][: t.clip.loop_frames] for t in takes
                          if t.clip.loop_frames <= request.frames}  # fmt: skip
    told(0.9, "Scenes whose motion is known")
    result.figures["best of 8"] = best_of(prior, request.data, max(1, request.count // 4))
    told(0.97, "Seams of the official clips")
    result.figures["seams"] = _seams(request, loops_seen)
    return result


def _chosen(paths: list[Path], count: int) -> list[Path]:
    """At most `count`, of as many sources as can be."""
    order: dict[str, int] = {}
    turn = []
    for path in paths:
        group = path.stem.rsplit("_", 1)[0]
        order[group] = order.get(group, -1) + 1
        turn.append((order[group], path))
    return [path for _, path in sorted(turn)[:count]]


@dataclass
class Take:
    """A clip and the modes of each way, for its first frame."""

    clip: Clip
    ways: dict[str, Modes]

    @classmethod
    def make(cls, clip: Clip, prior: Prior) -> Take:
        ours = prior.predict(clip.photo)
        still = as_modes(np.zeros_like(clip.modes.modes), clip.photo)
        return cls(clip, {"static": still, "ground-truth motion": clip.modes, "ours": ours})

    def films(self, count: int) -> dict[str, np.ndarray]:
        """Frames of each way, and the clip's own (fewer where it is shorter)."""
        clip, frames = self.clip, range(count)
        films = {REAL: clip.frames[:count]}
        for way in WAYS:
            if way == "static":
                films[way] = np.repeat(clip.photo[None], count, 0)
            elif way == "OpenCV-warped":
                films[way] = remapped(clip.photo, clip.modes, clip.fps, frames)
            elif way in self.ways:
                films[way] = rendered(clip.photo, self.ways[way], clip.fps, frames)
        return films


def _shuffle(takes: list[Take]) -> None:
    """Gives each clip the motion that ours has for a clip of another source."""
    for number, take in enumerate(takes):
        others = [t for t in takes[number:] + takes[:number] if t.clip.group != take.clip.group]
        if others:
            volume = resampled(others[0].ways["ours"], take.clip.photo)
            take.ways["shuffled photo's motion"] = as_modes(volume, take.clip.photo)


# --- motion -------------------------------------------------------------------------------------------------


def _motion(takes: list[Take], films: dict) -> dict:
    """{way: {measure: interval}}; bands of the spectral distance as a list besides."""
    groups, table = [take.clip.group for take in takes], {}
    truth = [take.clip.modes.modes for take in takes]
    for way in ("static", "ground-truth motion", "shuffled photo's motion", "ours"):
        if not all(way in take.ways for take in takes):
            continue
        made = [resampled(take.ways[way], take.clip.photo) for take in takes]
        maps = [(loops.rms_map(m), loops.rms_map(t)) for m, t in zip(made, truth, strict=True)]
        bands = [loops.spectral_distance(m, t) for m, t in zip(made, truth, strict=True)]
        seams = [loops.seam_of_modes(take.ways[way], take.clip.fps) for take in takes]
        rest = [loops.psnr(films[take.clip.name][way][0], take.clip.photo) for take in takes]
        values = {
            "amplitude correlation": [loops.amplitude_correlation(*m) for m in maps],
            "static leak": [loops.static_leak(*m) for m in maps],
            "spectral distance": [_mean(b) for b in bands],
            "coherence distance": [loops.coherence_distance(m, t) for m, t in zip(made, truth, strict=True)],
            "seam speed": [s["seam speed"] for s in seams],
            "seam acceleration": [s["seam acceleration"] for s in seams],
        }
        table[way] = {name: bootstrap(groups, v) for name, v in values.items()}
        table[way]["rest frame psnr"] = "identical" if np.isinf(rest).all() else float(min(rest))
        table[way]["spectral distance a band"] = [bootstrap(groups, b)["mean"] for b in np.transpose(bands)]
        coherent = np.array([loops.coherence(m) for m in made])
        table[way]["coherence"] = [_mean(c) for c in np.moveaxis(coherent, -1, 0)]
    return table


def _mean(values: np.ndarray) -> float:
    values = np.asarray(values)[np.isfinite(values)]
    return float(values.mean()) if values.size else float("nan")


def best_of(prior: Prior, data: Sequence[Path], count: int) -> dict:
    """End-point error on scenes of known motion: {kind: {row: interval}}, best of SEEDS seeds and mean of them."""
    photos = load_annotated(data, held_out()) if data else []
    kinds = {"drawn scenes": Material()} | ({"held-out photos": Material(photos)} if photos else {})
    result = {}
    for number, (kind, material) in enumerate(kinds.items()):
        rng, made = np.random.default_rng([20262, number]), []
        mix = scenes(rng, material, (256, 160))
        for _ in range(count):
            scene = next(mix)
            if not (scene.piece_id > 0).any():
                continue
            real = scene.modes(80, 128)
            guesses = [prior.predict(scene.photo, seed=seed) for seed in range(SEEDS)]
            errors = [loops.end_point_error(resampled(g, scene.photo), real) for g in guesses]
            other = made[-1]["guess"] if made else None
            shuffled = np.nan if other is None else loops.end_point_error(other, real)
            made.append({"guess": resampled(guesses[0], scene.photo), "shuffled photo's motion": shuffled,
                         "ours, best of 8": min(errors), "ours, mean of 8": float(np.mean(errors))})  # fmt: skip
        names = [str(i) for i in range(len(made))]
        rows = ("shuffled photo's motion", "ours, mean of 8", "ours, best of 8")
        result[kind] = {row: bootstrap(names, [m[row] for m in made]) for row in rows}
        result[kind] |= {"static": bootstrap(["x"], [1.0]), "ground-truth motion": bootstrap(["x"], [0.0])}
    return result


def _seams(request: Request, ours: dict[str, np.ndarray]) -> dict:
    """Seams as seen in the video, ours on the official clips' photos and the official clips themselves."""
    table: dict = {}
    rows = [("official clips", load_clip(p).frames, p.stem) for p in official_clips(request.official, False)]
    rows += [("ours", frames, name) for name, frames in ours.items()]
    for way, frames, name in rows:
        for measure, value in loops.seam_of_frames(frames).items():
            table.setdefault(way, {}).setdefault(measure, {})[name] = value
    for by_clip in (m for way in table.values() for m in way.values()):
        values = list(by_clip.values())
        by_clip |= {"median": float(np.nanmedian(values)), "worst": float(np.nanmax(values))}
    return table


# --- distances ----------------------------------------------------------------------------------------------


def _distances(films: dict, request: Request) -> tuple[dict, dict]:
    """({way: {FID, KID×100, FVD16, FVD32, …}}, {way: {"FID": [...], "FVD16": [...]}}) to the clips themselves."""
    networks = {
        "frames": frame_features(request.frame_network),
        "clips": clip_features(request.clip_network),
        "random": random_clip_features(),
    }
    names = list(films)
    features = {}
    for way in (REAL, *WAYS):
        if all(way in films[name] for name in names):
            features[way] = [_features(films[name][way], networks) for name in names]
    table = {way: _compare(features[REAL], features[way]) for way in features if way != REAL}
    table[HALF] = _compare(features[REAL][::2], features[REAL][1::2])
    slide = {way: _slide(features[REAL], features[way]) for way in features}
    return table, slide


def _features(frames: np.ndarray, networks: dict) -> dict[str, np.ndarray]:
    """Features of one clip: "frames" by time, "16", "32" and "random 16" by window."""
    frames = centre_crop(frames)
    picked = frames[::FRAME_STEP]
    still = len(picked) > 1 and all(np.array_equal(picked[0], p) for p in picked[1:])
    of_frames = networks["frames"](picked[:1] if still else picked)
    sixteen, thirty_two = windows(len(frames), 16, 8), windows(len(frames), 32, 16)
    return {
        "frames": np.repeat(of_frames, len(picked), 0) if still else of_frames,
        "16": networks["clips"](frames, sixteen),
        "32": networks["clips"](frames, thirty_two),
        "random 16": networks["random"](frames, sixteen),
    }


def _compare(real: list[dict], made: list[dict]) -> dict[str, float]:
    pairs = {key: tuple(np.concatenate([f[key] for f in side]) for side in (real, made)) for key in real[0]}
    mean, deviation = kid(*pairs["frames"], subsets=50)
    return {
        "FID": frechet_distance(*pairs["frames"]),
        "KID×100": 100 * mean,
        "KID×100 ±": 100 * deviation,
        "FVD16": frechet_distance(*pairs["16"]),
        "FVD32": frechet_distance(*pairs["32"]),
        "MMD16×100": 100 * kernel_distance(*pairs["16"]),
        "random FVD16": frechet_distance(*pairs["random 16"]),
    }


def _slide(real: list[dict], made: list[dict]) -> dict[str, list[float]]:
    """Sliding FID of 30 frames and FVD of 16 frames, by the windows that all clips have."""
    per_window = 30 // FRAME_STEP
    starts = range(min(len(f["frames"]) for f in made) - per_window + 1)

    def at(clips: list[dict], start: int) -> np.ndarray:
        return np.concatenate([f["frames"][start : start + per_window] for f in clips])

    count = min(len(f["16"]) for f in made)
    everything = [np.concatenate([f["frames"] for f in real])]
    return {
        "FID": sliding(everything, [at(made, s) for s in starts]),
        "FVD16": sliding([np.concatenate([f["16"] for f in real])],
                         [np.stack([f["16"][i] for f in made]) for i in range(count)]),
    }  # fmt: skip


def quick(request: Request) -> Request:
    """The same with few clips and frames: seconds, for trying out."""
    return replace(request, count=min(request.count, 2), frames=64)
