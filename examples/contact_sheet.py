"""A contact sheet of an animation: frames, and under each its difference from the first, eight times enlarged.

.venvs/engine/bin/python examples/contact_sheet.py out/demo/frames SHEET.jpg [--frames 1 31 61 76 91 121]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

COLUMNS, WIDTH, GAIN = 3, 480, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 31, 61, 76, 91, 121])
    args = parser.parse_args()
    paths = sorted(args.folder.glob("*.png"))
    if len(paths) < max(args.frames):
        parser.error(f"{args.folder} holds {len(paths)} frames, not {max(args.frames)}")
    pictures = [small(paths[number - 1]) for number in args.frames]
    rows = []
    for start in range(0, len(pictures), COLUMNS):
        row = pictures[start : start + COLUMNS]
        differences = [cv2.convertScaleAbs(picture.astype(np.int16) - pictures[0], alpha=GAIN) for picture in row]
        rows += [np.hstack(row), np.hstack(differences)]
    width = rows[0].shape[1]
    rows = [cv2.copyMakeBorder(r, 0, 0, 0, width - r.shape[1], cv2.BORDER_CONSTANT) for r in rows]
    args.sheet.write_bytes(cv2.imencode(args.sheet.suffix, np.vstack(rows))[1].tobytes())


def small(path: Path) -> np.ndarray:
    """uint8 BGR, WIDTH wide."""
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    return cv2.resize(
        picture, (WIDTH, round(WIDTH * picture.shape[0] / picture.shape[1])), interpolation=cv2.INTER_AREA
    )


if __name__ == "__main__":
    main()
