"""Plants and things cut out of photos, pasted into scenes: plants sway, things hide what is behind them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .annotated import MovingObject, move
from .simulate import Scene

# How tall a pasted one is, over the height of the scene.
_TALL = {"head": (0.12, 0.6), "plant": (0.4, 1.1), "tree": (0.4, 1.2), "thing": (0.15, 0.7)}


@dataclass(frozen=True)
class Cutout:
    """pixels uint8 [h, w, 4] RGBA, straight alpha; kind: "head" of a flower on an unseen stem, "plant" that sways
    as one, "tree" of many parts that sway on their own, "thing" that stays still."""

    pixels: np.ndarray
    kind: str
    amplitude: float = 0.0
    stiffness: float = 0.5


def paste(rng: np.random.Generator, cutout: Cutout, back: Scene) -> Scene:
    """A cut-out at a random place in front of a scene."""
    height, width = back.piece_id.shape
    h, w = cutout.pixels.shape[:2]
    scale = rng.uniform(*_TALL[cutout.kind]) * height / h
    upright = cutout.kind in ("tree", "plant")
    turn = rng.uniform(-8, 8) if upright else rng.uniform(-30, 30)
    x = rng.uniform(0.05, 0.95) * width
    foot = np.array([x, height * (rng.uniform(0.75, 1.2) if upright else rng.uniform(0.35, 1.1))])
    matrix = cv2.getRotationMatrix2D((w / 2, h), turn, scale)
    if rng.random() < 0.5:
        matrix[:, 0], matrix[:, 2] = -matrix[:, 0], matrix[:, 2] + matrix[:, 0] * w
    matrix[:, 2] += foot - matrix @ [w / 2, h, 1]
    rgba = cutout.pixels.astype(np.float32)
    rgba[..., :3] *= rgba[..., 3:] / 255
    if scale < 0.75:
        rgba = cv2.GaussianBlur(rgba, (0, 0), 0.4 / scale)
    rgba = cv2.warpAffine(rgba, matrix, (width, height), flags=cv2.INTER_LINEAR)
    rgba = rgba * [*(rng.uniform(0.75, 1.15) * rng.uniform(0.93, 1.07, 3)), 1]
    if cutout.kind == "head":
        root = foot + np.array([rng.normal(0, 0.08) * width, rng.uniform(0.2, 0.8) * height])
        if rng.random() < 0.7:
            rgba = _stem(rng, foot - [0, 0.4 * h * scale], root, 0.04 * h * scale, rgba)
    else:
        root = foot
    alpha = np.clip(rgba[..., 3:] / 255, 0, 1)
    inside = alpha[..., 0] > 0.5
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]]) @ matrix[:, :2].T + matrix[:, 2]
    piece_id, affine, places = np.zeros_like(back.piece_id), back.affine[:1], back.places()[:1]
    if cutout.kind != "thing":
        body = MovingObject(corners / width, root[None] / width, cutout.kind == "tree", cutout.amplitude,
                            cutout.stiffness, 0)  # fmt: skip
        piece_id, affine, places = move(rng, (body,), [inside], (height, width), lambda points: points, 1.0)
    own = np.where(piece_id > 0, piece_id + len(back.affine) - 1, 0)
    return Scene(
        np.clip(rgba[..., :3] + back.photo * (1 - alpha), 0, 255).astype(np.uint8),
        np.where(inside, own, back.piece_id).astype(np.int16),
        np.concatenate([back.affine, affine[1:]]),
        np.concatenate([back.places(), places[1:]]),
    )


def _stem(rng, top: np.ndarray, root: np.ndarray, wide: float, head: np.ndarray) -> np.ndarray:
    """Paint a stalk behind a flower's head; premultiplied float32 [H, W, 4]."""
    t = np.linspace(0, 1, 12)[:, None]
    bend = (1 - t) * t * rng.normal(0, 0.15) * np.linalg.norm(root - top)
    points = (top * (1 - t) + root * t + bend * [1, 0]) * 16
    stalk = np.zeros_like(head)
    colour = (*rng.uniform([50, 80, 20], [110, 150, 70]), 255.0)
    cv2.polylines(stalk, [points.astype(np.int32)], False, colour, max(1, round(wide * rng.uniform(0.6, 1.6))),
                  cv2.LINE_AA, 4)  # fmt: skip
    return head + stalk * (1 - head[..., 3:] / 255)


def still_scene(rng: np.random.Generator, photo: np.ndarray, width: int, height: int) -> Scene:
    """A crop of a photo in which nothing moves: uint8 [H, W, 3] RGB."""
    h, w = photo.shape[:2]
    scale = rng.uniform(0.5, 1) * min(h / height, w / width)
    ch, cw = max(2, int(height * scale)), max(2, int(width * scale))
    y, x = rng.integers(h - ch + 1), rng.integers(w - cw + 1)
    crop = cv2.resize(photo[y : y + ch, x : x + cw], (width, height), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    return Scene(np.ascontiguousarray(crop), np.zeros((height, width), np.int16), _STILL)


_STILL = np.zeros((1, 15, 2, 3), np.complex64)
