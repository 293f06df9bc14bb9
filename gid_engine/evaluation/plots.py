"""Plots and pictures of a report; matplotlib is an optional extra."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np


def available() -> bool:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def lines(
    curves: dict[str, Sequence[float]],
    x: Sequence[float],
    labels: tuple[str, str],
    styles: dict[str, dict] | None = None,
    log: bool = False,
) -> bytes:
    """PNG of curves over x. labels: of the axes; styles: matplotlib's options for a curve, by its name."""
    figure = _figure((7.5, 3))
    axes = figure.subplots()
    for name, values in curves.items():
        axes.plot(x[: len(values)], values, marker="o", markersize=3, label=name, **(styles or {}).get(name, {}))
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    if log:
        axes.set_yscale("log")
        for formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            formatter("{x:g}")
        axes.tick_params(axis="y", which="minor", labelsize=7)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return _encoded(figure, "png")


def slices(rows: Sequence[tuple[str, dict[str, np.ndarray]]]) -> bytes:
    """JPEG of x–t slices: for each clip one line of pixels over time for each way, time downwards.

    rows: (clip, {way: uint8 [T, H, W, 3]}). The line is the one that changes most in the first way.
    """
    ways = list(rows[0][1])
    figure = _figure((2.3 * len(ways), 1.7 * len(rows)))
    grid = figure.subplots(len(rows), len(ways), squeeze=False)
    for axes, way in zip(grid[0], ways, strict=True):
        axes.set_title(way, fontsize=9)
    for line, (name, films) in zip(grid, rows, strict=True):
        where = liveliest_row(films[ways[0]])
        for axes, way in zip(line, ways, strict=True):
            axes.imshow(films[way][:, where], aspect="auto", interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
        line[0].set_ylabel(name, fontsize=8)
    return _encoded(figure, "jpg")


def liveliest_row(frames: np.ndarray) -> int:
    change = np.abs(np.diff(frames[..., 1].astype(np.int16), axis=0)).mean((0, 2))
    return int(np.argmax(cv2.blur(change[:, None], (1, 9))))


def sheet(rows: Sequence[tuple[str, dict[str, np.ndarray]]]) -> bytes:
    """JPEG of photos [H, W, 3] and maps [h, w] side by side, one line a photo; maps share no scale."""
    columns = max((list(r[1]) for r in rows), key=len)
    figure = _figure((2.5 * len(columns), 1.6 * len(rows)))
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(column, fontsize=9)
    for line, (name, pictures) in zip(grid, rows, strict=True):
        for axes, column in zip(line, columns, strict=True):
            axes.set_xticks([])
            axes.set_yticks([])
            if column not in pictures:
                axes.axis("off")
                continue
            picture = pictures[column]
            flat = picture.ndim == 2
            axes.imshow(picture, **({"cmap": "inferno", "vmin": 0, "vmax": _top(picture)} if flat else {}))
        line[0].set_ylabel(name, fontsize=8)
    return _encoded(figure, "jpg")


def _top(plane: np.ndarray) -> float:
    return max(float(np.percentile(plane, 99.5)), 1e-9)


def _figure(size: tuple[float, float]):
    # Without pyplot: no window, no state that outlives the report.
    from matplotlib.figure import Figure

    return Figure(figsize=size, dpi=110, layout="constrained")


def _encoded(figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    options = {"metadata": {"Software": None}} if kind == "png" else {"pil_kwargs": {"quality": 85}}
    figure.savefig(buffer, format=kind, **options)
    return buffer.getvalue()
