"""A first mask of a thing in a photo, by a box around it or a click on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from .errors import GidError
from .media import Photo, as_srgb8, load_photo, resize_photo, save_image

Progress = Callable[[float, str], None]

_LONG_SIDE = 512  # px: GrabCut takes half a second there
_CLICK = 0.01  # a box smaller than this, in photo widths, is a click
_SURE, _PERHAPS = 0.012, 0.25  # radii around a click, in photo widths
_ROUNDS = 4
_LEAST = 0.03  # of the box or the circle around a click: less is no thing


def select_thing(photo: Photo, box: tuple[float, float, float, float]) -> np.ndarray:
    """The thing within a box: float32 [h, w] in 0…1, long side at most 512.

    box: (left, top, right, bottom) in 0…1 of the photo's width and height; a very small one is a click on the
    thing. GrabCut (Rother, Kolmogorov, Blake 2004). Raises GidError where nothing stands out.
    """
    small = as_srgb8(resize_photo(photo, _LONG_SIDE))
    height, width = small.shape[:2]
    left, right = sorted(min(max(v, 0.0), 1.0) * width for v in (box[0], box[2]))
    top, bottom = sorted(min(max(v, 0.0), 1.0) * height for v in (box[1], box[3]))
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)
    if max(right - left, bottom - top) < _CLICK * width:
        centre = round((left + right) / 2), round((top + bottom) / 2)
        cv2.circle(labels, centre, max(2, round(_PERHAPS * width)), cv2.GC_PR_FGD, -1)
        sure = np.zeros_like(labels)
        cv2.circle(sure, centre, max(1, round(_SURE * width)), 1, -1)
        _part_by_colour(small, labels, sure > 0)
    else:
        labels[math.floor(top) : math.ceil(bottom), math.floor(left) : math.ceil(right)] = cv2.GC_PR_FGD
        if not (labels == cv2.GC_BGD).any():  # a box around everything: GrabCut needs some background
            labels[[0, -1], :] = labels[:, [0, -1]] = cv2.GC_BGD
    box = labels != cv2.GC_BGD
    found = _cut(small, labels)
    if found.sum() < _LEAST * box.sum():
        raise GidError(
            "nothing_selected",
            "Nothing stands out from its surroundings there.",
            "Draw a closer box around the thing, or paint it.",
        )
    return cv2.GaussianBlur(found.astype(np.float32), (0, 0), 1)


def _part_by_colour(photo: np.ndarray, labels: np.ndarray, sure: np.ndarray) -> None:
    """Around a click: what looks more like the clicked place than like what lies beyond is perhaps the thing."""
    lab = cv2.cvtColor(cv2.GaussianBlur(photo, (0, 0), 1), cv2.COLOR_RGB2LAB).astype(np.float32)
    seed = lab[sure].reshape(-1, 3)
    distance = np.linalg.norm((lab - seed.mean(0)) / (seed.std(0) + 8), axis=-1)
    near = labels == cv2.GC_PR_FGD
    labels[near & (distance > 4)] = cv2.GC_PR_BGD
    labels[sure] = cv2.GC_FGD


def _cut(photo: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Bool [h, w]: GrabCut from the labels; where it fails, the labels themselves."""
    cv2.setRNGSeed(0)  # its colour models start by k-means
    try:
        cv2.grabCut(
            np.ascontiguousarray(photo), labels, None, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS,
            cv2.GC_INIT_WITH_MASK,
        )  # fmt: skip
    except cv2.error:  # hardly any foreground or background pixels
        pass
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def select(
    photo: Path, out: Path, box: tuple[float, float, float, float], progress: Progress | None = None
) -> dict:
    """`select_thing` from file to file: a greyscale PNG. Returns its path and the share of the photo it covers."""
    report = progress or (lambda fraction, text: None)
    report(0.0, "Looking at the photo")
    still = load_photo(photo)
    report(0.4, "Cutting the thing out")
    mask = select_thing(still, box)
    save_image(out, np.round(mask * 255).astype(np.uint8)[..., None].repeat(3, -1))
    return {"path": str(out), "share": round(float(mask.mean()), 4)}
