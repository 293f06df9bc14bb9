"""Real photos given simulated motion: what moves was drawn by eye (annotations/*.json), how is simulated.

Annotation: {"photo": file, "size": [W, H], "objects": [{name, class, polygon [[x, y]…] in 0…1 of width and height,
root [[x, y]] or two points, coherence "piece" | "mass", amplitude, stiffness, blur 0…1, layer}]}. What no object
covers is still.
"""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..errors import GidError
from .simulate import BANDS, Scene, Sway, hinge, shift

FOLDER = Path(__file__).parent / "annotations"
_WORKING_SIDE = 640  # px: photos are refined and warped from this size
_LIVELIEST = 0.012  # rms of an object of amplitude 1 in an average wind, photo widths


@dataclass(frozen=True)
class MovingObject:
    """One annotated thing. polygon [N, 2] and root [1 or 2, 2] in photo widths."""

    polygon: np.ndarray
    root: np.ndarray
    mass: bool
    amplitude: float
    stiffness: float
    layer: float


@dataclass(frozen=True)
class AnnotatedPhoto:
    """A photo at working size with its objects, back to front, and their masks uint8 [N, H, W] (0, 255)."""

    name: str
    photo: np.ndarray
    objects: tuple[MovingObject, ...]
    masks: np.ndarray


def read_annotation(path: Path) -> tuple[dict, tuple[MovingObject, ...]]:
    """One annotation file; GidError names what is wrong."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        aspect = table["size"][1] / table["size"][0]
        objects = sorted((_object(o, aspect) for o in table["objects"]), key=lambda o: o.layer)
        str(table["photo"])
    except (OSError, ValueError, KeyError, TypeError, IndexError, ZeroDivisionError) as error:
        raise GidError(
            "annotation_damaged",
            f"The annotation {path} can't be used ({type(error).__name__}: {error}).",
            "Correct or remove the file.",
        ) from error
    return table, tuple(objects)


def _object(o: dict, aspect: float) -> MovingObject:
    polygon, root = (np.array(o[key], float).reshape(-1, 2) * [1, aspect] for key in ("polygon", "root"))
    values = [float(o[key]) for key in ("amplitude", "stiffness")]
    if len(polygon) < 3 or not 1 <= len(root) or not np.isfinite(polygon).all() or not np.isfinite(root).all():
        raise ValueError(f"object {o.get('name')!r} needs a polygon of 3 points and a root")
    if not all(0 <= v <= 1 for v in values) or o["coherence"] not in ("piece", "mass"):
        raise ValueError(f"object {o.get('name')!r} has an amplitude, stiffness or coherence out of range")
    return MovingObject(polygon, root, o["coherence"] == "mass", *values, float(o.get("layer", 0)))


def prepare(photo: np.ndarray, objects: tuple[MovingObject, ...], name: str = "") -> AnnotatedPhoto:
    """Shrink a photo uint8 [H, W, 3] RGB to the working size and fit the polygons to its edges."""
    height, width = photo.shape[:2]
    scale = _WORKING_SIDE / max(height, width)
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    masks = [_fitted(small, o.polygon * size[0]) for o in objects]
    return AnnotatedPhoto(name, small, objects, np.array(masks, np.uint8).reshape(-1, *small.shape[:2]))


def _fitted(photo: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """GrabCut within a band around the polygon's edge; the polygon itself where that fails."""
    drawn = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(drawn, [polygon.round().astype(np.int32)], 255)
    area = int(np.count_nonzero(drawn))
    band = max(2, min(round(0.012 * max(photo.shape)), round(0.15 * math.sqrt(max(area, 1)))))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1, 2 * band + 1))
    inside, around = cv2.erode(drawn, kernel), cv2.dilate(drawn, kernel)
    if area < 60 or not inside.any():
        return drawn
    x, y, w, h = cv2.boundingRect(around)
    x0, y0 = max(0, x - 2 * band), max(0, y - 2 * band)
    part = np.s_[y0 : y + h + 2 * band, x0 : x + w + 2 * band]
    labels = np.where(inside[part], cv2.GC_FGD, np.where(drawn[part], cv2.GC_PR_FGD, cv2.GC_PR_BGD)).astype(
        np.uint8
    )
    labels[around[part] == 0] = cv2.GC_BGD
    if not (labels == cv2.GC_BGD).any():
        return drawn
    try:
        cv2.grabCut(np.ascontiguousarray(photo[part]), labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 2,
                    cv2.GC_INIT_WITH_MASK)  # fmt: skip
    except cv2.error:
        return drawn
    fitted = np.zeros_like(drawn)
    fitted[part] = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)) * np.uint8(255)
    fitted = cv2.medianBlur(fitted, 3)
    return fitted if 0.6 * area < np.count_nonzero(fitted) < 1.5 * area else drawn


def annotated_scene(
    rng: np.random.Generator, source: AnnotatedPhoto, width: int, height: int, augment: bool = True
) -> Scene:
    """The photo, cropped, turned and coloured at random if `augment`, its objects moving in a random wind."""
    matrix = _view(rng, source.photo.shape, width, height, augment)
    photo = _warp(source.photo, matrix, (width, height), cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)
    masks = [_warp(m, matrix, (width, height), cv2.INTER_LINEAR, cv2.BORDER_CONSTANT) > 127 for m in source.masks]
    side = source.photo.shape[1]

    def placed(points: np.ndarray) -> np.ndarray:
        return (points * side @ matrix[:, :2].T + matrix[:, 2]) / width

    scale = math.sqrt(abs(np.linalg.det(matrix[:, :2]))) * side / width
    return Scene(
        photographed(rng, photo) if augment else photo,
        *move(rng, source.objects, masks, (height, width), placed, scale),
    )


def cutout_scene(rng: np.random.Generator, front: Scene, back: Scene) -> Scene:
    """What moves in one scene, in front of another one of the same size."""
    moving = front.piece_id > 0
    alpha = cv2.GaussianBlur(moving.astype(np.float32), (0, 0), 0.7)[..., None]
    behind = back.photo
    if rng.random() < 0.5:  # out of focus, as behind a close-up: then its own motion would not show
        behind = cv2.GaussianBlur(behind, (0, 0), rng.uniform(1.5, 6))
        back = Scene(behind, np.zeros_like(back.piece_id), back.affine[:1], back.places()[:1])
    photo = front.photo * alpha + behind * (1 - alpha)
    piece_id = np.where(
        moving, front.piece_id, np.where(back.piece_id > 0, back.piece_id + len(front.affine) - 1, 0)
    )
    return Scene(
        photo.astype(np.uint8), piece_id.astype(np.int16), np.concatenate([front.affine, back.affine[1:]]),
        np.concatenate([front.places(), back.places()[1:]]),
    )  # fmt: skip


def move(
    rng, objects, masks, size: tuple[int, int], placed, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(piece ids, affine maps, places) of all objects; one that is rooted on another rides on it."""
    sway = Sway(rng)
    level = _LIVELIEST * scale
    piece_id = np.zeros(size, np.int16)
    affine = [np.zeros((BANDS, 2, 3), np.complex64)]
    places = [np.zeros(2)]
    width = piece_id.shape[1]
    lever = _shared_levers(objects)
    for index, (thing, mask) in enumerate(zip(objects, masks, strict=True)):
        root, polygon = placed(thing.root), placed(thing.polygon)
        pivot = _nearest_on(root, polygon.mean(0))
        column, row = (pivot * width).astype(int)
        inside = 0 <= row < piece_id.shape[0] and 0 <= column < width
        below = affine[piece_id[row, column]] if inside else affine[0]
        if not mask.any():
            continue
        if thing.mass:
            _move_mass(rng, sway, thing, mask, root, level, piece_id, affine, places)
            continue
        amplitude, reach, siblings = lever[index]
        if siblings:  # stem and head on one root turn as one; what carries the root is counted once
            below = affine[0]
        answer = sway.oscillation(pivot, thing.stiffness, own=0.0 if siblings else rng.uniform(0, 0.6))
        # lateral motion of the far end equals the amplitude
        turn = level * amplitude / (reach * scale) * answer
        affine.append(
            below + hinge(pivot, turn) + shift(0.1 * level * amplitude * np.outer(answer, sway.direction))
        )
        places.append(pivot)
        piece_id[mask] = len(affine) - 1
    return piece_id, np.array(affine, np.complex64), np.array(places, np.float32)


def _shared_levers(objects) -> list[tuple[float, float, bool]]:
    """(amplitude, reach, has siblings) of each piece; pieces on one root share those of the longest."""
    reach = [
        float(np.linalg.norm(o.polygon - _nearest_on(o.root, o.polygon.mean(0)), axis=1).max()) for o in objects
    ]
    levers = []
    for o, own in zip(objects, reach, strict=True):
        group = [
            (r, other.amplitude)
            for other, r in zip(objects, reach, strict=True)
            if not other.mass and np.linalg.norm(other.root[0] - o.root[0]) < 0.02
        ]
        longest, amplitude = max(group, default=(own, o.amplitude))
        levers.append((amplitude, max(longest, 0.02), len(group) > 1))
    return levers


def _move_mass(rng, sway, thing, mask, root, level, piece_id, affine, places) -> None:
    """Cut a canopy or meadow into patches with phases of their own; the farther from the root the livelier."""
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    spacing = rng.uniform(0.025, 0.09) * width
    count = int(np.clip(len(rows) / spacing**2, 1, 250))
    chosen = rng.choice(len(rows), count, replace=False)
    seeds = np.stack([columns[chosen], rows[chosen]], 1).astype(np.float32)
    wobble = cv2.GaussianBlur(rng.normal(size=(height, width, 2)).astype(np.float32), (0, 0), 3) * spacing * 3
    pixels = np.stack([columns, rows], 1) + wobble[rows, columns]
    nearest = _nearest_seed(pixels.astype(np.float32), seeds)
    distance = np.array([np.linalg.norm(_nearest_on(root, s / width) - s / width) for s in seeds])
    growth = np.clip(distance / (np.percentile(distance, 95) + 1e-6), 0.15, 1) ** rng.uniform(0.4, 1.2)
    wet = rng.uniform(0.05, 0.5)
    for i in range(count):
        place = seeds[i] / width
        answer = sway.oscillation(place, thing.stiffness, own=wet)
        size = level * thing.amplitude * growth[i] * rng.uniform(0.7, 1.3)
        lift = rng.normal(0, 0.3)
        offset = np.outer(answer, sway.direction + lift * np.array([-sway.direction[1], sway.direction[0]])) * size
        turn = answer * size / (spacing / width) * rng.normal(0, 0.25)
        affine.append(shift(offset) + hinge(place, turn))
        places.append(place)
        piece_id[rows[nearest == i], columns[nearest == i]] = len(affine) - 1


def _nearest_seed(places: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    best = np.full(len(places), np.inf, np.float32)
    index = np.zeros(len(places), np.int32)
    for i, seed in enumerate(seeds):
        d = np.square(places - seed).sum(1)
        closer = d < best
        best[closer], index[closer] = d[closer], i
    return index


def _nearest_on(root: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The point of the root (a point or a line of points) nearest to a point."""
    if len(root) == 1:
        return root[0]
    candidates = []
    for a, b in itertools.pairwise(root):
        t = np.clip((point - a) @ (b - a) / max(float((b - a) @ (b - a)), 1e-12), 0, 1)
        candidates.append(a + t * (b - a))
    return min(candidates, key=lambda c: float(np.square(point - c).sum()))


def _view(rng, shape, width: int, height: int, augment: bool) -> np.ndarray:
    """Affine matrix float [2, 3] from the working photo's pixels to the scene's."""
    h, w = shape[:2]
    cover = max(width / w, height / h)
    if not augment:
        return np.array([[cover, 0, (width - cover * w) / 2], [0, cover, (height - cover * h) / 2]])
    zoom = cover * rng.uniform(1.0, 1.7) ** rng.uniform(0.2, 1)
    angle = math.radians(rng.uniform(-8, 8))
    flip = -1 if rng.random() < 0.5 else 1
    a = zoom * np.array([[math.cos(angle) * flip, -math.sin(angle)], [math.sin(angle) * flip, math.cos(angle)]])
    slack = np.maximum(np.array([w * zoom - width, h * zoom - height]) / 2, 0)
    centre = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * slack
    return np.hstack([a, (centre - a @ [w / 2, h / 2])[:, None]])


def _warp(image, matrix, size, interpolation, border) -> np.ndarray:
    shrink = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if shrink < 0.75 and interpolation == cv2.INTER_LINEAR:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / shrink)
    return cv2.warpAffine(image, matrix, size, flags=interpolation, borderMode=border)


def photographed(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Exposure, white balance, saturation, blur, noise and compression at random."""
    image = photo.astype(np.float32) / 255
    image = image ** rng.uniform(0.75, 1.35) * rng.uniform(0.85, 1.15) * rng.uniform(0.93, 1.07, 3)
    grey = image.mean(-1, keepdims=True)
    image = grey + (image - grey) * rng.uniform(0.5, 1.3)
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    image = image + rng.normal(0, rng.uniform(0, 0.02), image.shape)
    image = (np.clip(image, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.4:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image
