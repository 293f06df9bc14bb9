"""Masks as arrays: soft edges that respect the photo's, outlines of meshes, the files for the engine. Needs numpy:
import late. Masks are float32 [h, w] in 0…1, top row first.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

_EDGE = 0.03  # contrast of the photo, of 1, from which on an edge stops a feather (√ε of the guided filter)
_SMALL = 3  # cells: triangles of a mesh no larger than this are drawn as points


def feathered(mask: np.ndarray, guide: np.ndarray, radius: float) -> np.ndarray:
    """The mask, soft by `radius` cells, its edge drawn to those of `guide` (float32 [h, w], the photo's luma).

    A guided filter (He, Sun, Tang 2010, eq. 5-8) with boxes of the radius.
    """
    reach = round(radius)
    if reach < 1:
        return mask
    mean_g, mean_m = _box(guide, reach), _box(mask, reach)
    variance = _box(guide * guide, reach) - mean_g * mean_g
    slope = (_box(guide * mask, reach) - mean_g * mean_m) / (variance + _EDGE * _EDGE)
    offset = mean_m - slope * mean_g
    return np.clip(_box(slope, reach) * guide + _box(offset, reach), 0, 1).astype(np.float32)


def _box(plane: np.ndarray, reach: int) -> np.ndarray:
    """Mean over the (2·reach + 1)² cells around each; at the border over those that there are."""
    for _ in range(2):  # rows, then columns, by turning the picture
        total = np.concatenate([np.zeros((1, plane.shape[1])), np.cumsum(plane, 0, dtype=np.float64)])
        at = np.arange(len(plane))
        low, high = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(plane))
        plane = ((total[high] - total[low]) / (high - low)[:, None]).T
    return plane


def scattered(values: np.ndarray, uv: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mean of the values [n] at uv [n, 2] (v up) in each of the (w, h) cells; cells without any take the nearest
    one's to the left, else above."""
    width, height = size
    column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
    total, count = np.zeros((height, width)), np.zeros((height, width))
    np.add.at(total, (row, column), values)
    np.add.at(count, (row, column), 1)
    mean = total / np.maximum(count, 1)
    for _ in range(2):  # along rows, then along columns
        known = np.where(count > 0, np.arange(count.shape[1]), 0)
        last = np.maximum.accumulate(known, axis=1)
        mean, count = (np.take_along_axis(plane, last, axis=1).T for plane in (mean, count))
    return mean.astype(np.float32)


def silhouette(points: np.ndarray, triangles: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Outline of a mesh whose vertices lie before the photo's uv `points` [n, 2] (v up), as (w, h) cells.

    triangles: int [m, 3].
    """
    width, height = size
    corners = (points * [width, -height] + [0, height])[triangles]  # [m, 3, 2] in cells, y down
    low, high = corners.min(1), corners.max(1)
    seen = (high[:, 0] > 0) & (high[:, 1] > 0) & (low[:, 0] < width) & (low[:, 1] < height)
    corners, low, high = corners[seen], low[seen], high[seen]
    result = np.zeros((height, width), bool)
    small = (high - low).max(1) <= _SMALL if len(low) else np.zeros(0, bool)
    _draw_small(result, corners[small])
    for triangle in corners[~small]:
        _draw(result, triangle)
    return result.astype(np.float32)


def _draw_small(result: np.ndarray, corners: np.ndarray) -> None:
    steps = [(a / 6, b / 6) for a in range(7) for b in range(7 - a)]
    for a, b in steps:
        x, y = (a * corners[:, 0] + b * corners[:, 1] + (1 - a - b) * corners[:, 2]).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < result.shape[1]) & (y < result.shape[0])
        result[y[inside], x[inside]] = True


def _draw(result: np.ndarray, triangle: np.ndarray) -> None:
    limits = zip(triangle.min(0), triangle.max(0), result.shape[::-1], strict=True)
    (left, right), (top, bottom) = ((max(int(a), 0), min(int(b) + 1, n)) for a, b, n in limits)
    x, y = np.arange(left, right) + 0.5, (np.arange(top, bottom) + 0.5)[:, None]
    sides = [
        (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
        for a, b in zip(triangle, np.roll(triangle, -1, axis=0), strict=True)
    ]
    within = np.minimum.reduce(sides) >= 0
    result[top:bottom, left:right] |= within | (np.maximum.reduce(sides) <= 0)


def mask_png(mask: np.ndarray) -> bytes:
    """An 8-bit greyscale PNG of a mask."""
    rows = np.round(np.clip(mask, 0, 1) * 255).astype(np.uint8)
    return _png(0, rows[..., None])


def picture_png(rgb: np.ndarray) -> bytes:
    """An 8-bit PNG of uint8 [h, w, 3]."""
    return _png(2, rgb)


def _png(colour: int, pixels: np.ndarray) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    raw = np.pad(pixels.reshape(height, -1), [(0, 0), (1, 0)]).tobytes()  # before each row: no filter
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raw, 6)), chunk(b"IEND", b"")]
    )


def read_mask_png(data: bytes) -> np.ndarray:
    """The mask of a file that `mask_png` wrote. ValueError for any other."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[24:26] != b"\x08\x00":
        raise ValueError("not a mask")
    width, height = struct.unpack(">II", data[16:24])
    length = struct.unpack(">I", data[33:37])[0]
    try:
        rows = np.frombuffer(zlib.decompress(data[41 : 41 + length]), np.uint8).reshape(height, width + 1)
    except zlib.error as error:
        raise ValueError("damaged") from error
    return rows[:, 1:].astype(np.float32) / 255
