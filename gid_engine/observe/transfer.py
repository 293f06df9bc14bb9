"""Motion seen in one picture, given to another."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ..motion import Modes


def transferred(modes: Modes, size: tuple[int, int], photo_sha256: str, mask: np.ndarray | None = None) -> Modes:
    """The modes laid over a photo of another size (width, height): centred, covering it, cut where they stand out.

    mask: float32 [H, W], 0…1, of that photo: 1 where it may move. Amplitudes keep their size on the picture laid
    over, not in pixels.
    """
    height, width = modes.grid
    (from_width, from_height), (to_width, to_height) = modes.photo_size, size
    aspect = (to_width / to_height) / (from_width / from_height)
    part_width, part_height = min(1.0, aspect), min(1.0, 1 / aspect)  # what of the clip's picture is used
    columns = max(1, round(width * part_width))
    rows = max(1, round(columns * to_height / to_width))
    x = (0.5 - part_width / 2 + (np.arange(columns) + 0.5) / columns * part_width) * width - 0.5
    y = (0.5 - part_height / 2 + (np.arange(rows) + 0.5) / rows * part_height) * height - 0.5
    x, y = (np.ascontiguousarray(m) for m in np.meshgrid(x.astype(np.float32), y.astype(np.float32)))

    def laid(plane: np.ndarray) -> np.ndarray:
        return cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    moved = np.stack(
        [[laid(np.float32(c.real)) + 1j * laid(np.float32(c.imag)) for c in band] for band in modes.modes]
    )
    result = replace(
        modes,
        modes=moved / part_width,  # a photo's width is this part of the clip's
        photo_size=size,
        photo_sha256=photo_sha256,
        confidence=None if modes.confidence is None else laid(modes.confidence),
    )
    if mask is None:
        return result
    return result.limited(cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_AREA))
