"""How well the prior knows what moves: its amplitude maps beside outlines drawn by eye and the official clips'.

Photos and clips that split.json holds out; intervals are bootstrapped over photos.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ..errors import GidError
from ..prior import Prior
from ..training.annotated import AnnotatedPhoto, annotated_scene
from ..training.dataset import held_out, load_annotated
from . import plots
from .clips import check_folders, load_clip, official_clips, rms_seen
from .interval import bootstrap
from .loops import MOVING, amplitude_correlation
from .motion_quality import Request, Result
from .page import Page, interval, number

Progress = Callable[[float, str], None]

ROWS = ("static", "centre", "shuffled photo's motion", "ours", "ours, rough mask", "ground truth")
WINDS = 4  # the outlines' rms map is the mean of so many
DILATION = 0.03  # of the width: how roughly a mask is painted


def measure(request: Request, progress: Progress | None = None) -> Result:
    """Figures and maps. GidError where neither photos nor official clips are found."""
    told = progress or (lambda fraction, text: None)
    check_folders(request.data)
    photos = load_annotated(request.data, held_out()) if request.data else []
    clips = official_clips(request.official)
    if not photos and not clips:
        raise GidError(
            "data_missing",
            "No held-out photo and no official clip was found.",
            "Give --data FOLDER (with photos/) or --official FOLDER.",
        )
    prior = Prior.load("cpu", request.weights)
    result = Result({"prior": prior.version, "sets": {}})
    outlined = {photo.name: photo for photo in photos}
    for name, number_of in (("outlined photos", len(photos)), ("official clips", len(clips))):
        entries = []
        for index, source in enumerate((photos if name == "outlined photos" else clips)[: request.count]):
            told(0.5 * index / max(number_of, 1) + 0.5 * (name != "outlined photos"), f"{name}: {_name(source)}")
            entries.append(_outlined(source, prior) if name == "outlined photos"
                           else _official(source, prior, outlined.get(source.stem)))  # fmt: skip
        if entries:
            result.figures["sets"][name] = _figures(entries)
            result.films[name] = [(e["name"], e["pictures"]) for e in entries]
    return result


def _name(source: AnnotatedPhoto | Path) -> str:
    return source.name if isinstance(source, AnnotatedPhoto) else source.stem


def _outlined(photo: AnnotatedPhoto, prior: Prior) -> dict:
    truth = outlined_rms(photo)
    return _entry(photo.name, photo.photo, truth, truth > 1e-4, prior)


def _official(path: Path, prior: Prior, outlines: AnnotatedPhoto | None) -> dict:
    clip = load_clip(path)
    seen, trust = rms_seen(clip.frames)
    moving = seen > MOVING if outlines is None else outlined_rms(outlines) > 1e-4
    entry = _entry(clip.name, clip.photo, seen, moving, prior)
    height, width = entry["pictures"]["truth"].shape
    entry["pictures"]["trust"] = _sized(trust, (width, height))
    return entry


def outlined_rms(photo: AnnotatedPhoto) -> np.ndarray:
    """float32 [h, w] at the photo's working size, widths."""
    height, width = photo.photo.shape[:2]
    power = 0.0
    for seed in range(WINDS):
        scene = annotated_scene(np.random.default_rng(seed), photo, width, height, augment=False)
        power = power + np.square(scene.rms(height, width))
    return np.sqrt(power / WINDS)


def _entry(name: str, photo: np.ndarray, truth: np.ndarray, moving: np.ndarray, prior: Prior) -> dict:
    """What is compared of one photo; maps at the size of the prior's grid."""
    reach = 2 * round(DILATION * moving.shape[1]) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    rough = cv2.dilate(moving.astype(np.uint8), kernel).astype(np.float32)
    ours, masked = prior.predict(photo).rms(), prior.predict(photo, mask=rough).rms()
    size = ours.shape[1], ours.shape[0]
    pictures = {"photo": photo, "truth": _sized(truth, size), "ours": ours, "ours, rough mask": masked}
    return {"name": name, "pictures": pictures}


def _sized(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(np.asarray(plane, np.float32), size, interpolation=cv2.INTER_AREA)


def _figures(entries: list[dict]) -> dict:
    """{"photos": {name: {row: {measure: value}}}, "mean": {row: {measure: interval}}}.

    Measures: correlation, leak, and for clips trusted correlation, weighted by the trust in their flow.
    """
    table = {}
    for index, entry in enumerate(entries):
        maps = entry["pictures"]
        truth = maps["truth"]
        y, x = (np.linspace(-1, 1, n) for n in truth.shape)
        made = {"static": np.zeros_like(truth), "ground truth": truth, "ours": maps["ours"],
                "centre": np.exp(-2 * (x[None] ** 2 + y[:, None] ** 2)),
                "ours, rough mask": maps["ours, rough mask"]}  # fmt: skip
        if len(entries) > 1:
            made["shuffled photo's motion"] = _sized(
                entries[(index + 1) % len(entries)]["pictures"]["ours"], truth.shape[::-1]
            )
        table[entry["name"]] = {row: _measured(made[row], truth, maps.get("trust")) for row in ROWS if row in made}
    names = list(table)
    rows = [row for row in ROWS if row in table[names[0]]]
    measures = list(table[names[0]][rows[0]])
    mean = {row: {m: bootstrap(names, [table[n][row][m] for n in names]) for m in measures} for row in rows}
    for row in rows:
        leaks = [table[n][row]["leak"] for n in names if np.isfinite(table[n][row]["leak"])]
        mean[row]["median leak"] = float(np.median(leaks)) if leaks else None
    return {"photos": table, "mean": mean}


def _measured(made: np.ndarray, truth: np.ndarray, trust: np.ndarray | None) -> dict[str, float]:
    measured = {"correlation": amplitude_correlation(made, truth), "leak": leak(made, truth)}
    if trust is not None:
        measured["trusted correlation"] = amplitude_correlation(made, truth, trust)
    return measured


def leak(made: np.ndarray, truth: np.ndarray) -> float:
    """Mean motion where nothing should move over its mean where something should; 9 px about its edge count not.

    "Nothing" is a twentieth of the liveliest hundredth of the truth.
    """
    lively = np.percentile(truth, 99)
    moving = truth > 0.2 * lively
    still = cv2.erode((truth < 0.05 * lively).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    if min(still.mean(), moving.mean()) < 0.005 or made[moving].mean() < 1e-7:
        return float("nan")
    return float(made[still].mean() / made[moving].mean())


def report(result: Result) -> Page:
    page = Page("What the prior knows of photos")
    page.text(
        f"Prior {result.figures['prior']}. Pearson correlation of rms maps; leak: mean motion where nothing moves "
        "over its mean where something does. Photos that never trained; 95 % intervals are bootstrapped over "
        f"them. The rough mask is the outline, {100 * DILATION:g} % of the width too wide. The trusted "
        "correlation weighs each place of a clip by how far its flow can be believed."
    )
    for name, figures in result.figures["sets"].items():
        page.heading(f"{name.capitalize()} ({len(figures['photos'])})")
        correlations = [m for m in ("correlation", "trusted correlation") if m in figures["mean"]["ours"]]
        page.table(["", *correlations, "leak, mean", "leak, median"], [
            [row, *(interval(m[c]) for c in (*correlations, "leak")), number(m["median leak"], 3)]
            for row, m in figures["mean"].items()
        ])  # fmt: skip
        page.table(["", *(head for m in (*correlations, "leak") for head in (m, f"{m} with mask"))], [
            [photo, *(number(row[r][m]) for m in (*correlations, "leak") for r in ("ours", "ours, rough mask"))]
            for photo, row in figures["photos"].items()
        ])  # fmt: skip
        if plots.available():
            picture = plots.sheet(result.films[name])
            page.picture(f"maps_{name.replace(' ', '_')}.jpg", "Each map in its own scale", picture)
    if not plots.available():
        from .motion_report import NO_PLOTS

        page.text(NO_PLOTS)
    return page
