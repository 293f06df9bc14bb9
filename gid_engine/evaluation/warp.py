"""Ways to make frames of a photo and its modes."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from ..motion import Modes, Performance, Score
from ..render import Renderer


def played(modes: Modes, fps: float) -> Performance:
    """The modes' own loop, as it plays by default."""
    return Performance(Score(fps=fps, loop_frames=round(fps / float(modes.frequency_hz[0]))), modes)


def remapped(photo: np.ndarray, modes: Modes, fps: float, frames: Iterable[int]) -> np.ndarray:
    """OpenCV-warped: each frame reads the photo at p − F(p) (cubic). uint8 [T, H, W, 3]."""
    height, width = photo.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    take, made = played(modes, fps), []
    for frame in frames:
        flow = cv2.resize(take.displacement(frame), (width, height)) * np.float32(width)
        made.append(cv2.remap(photo, columns - flow[..., 0], rows - flow[..., 1], cv2.INTER_CUBIC,
                              borderMode=cv2.BORDER_REPLICATE))  # fmt: skip
    return np.stack(made)


def rendered(photo: np.ndarray, modes: Modes, fps: float, frames: Iterable[int]) -> np.ndarray:
    """The engine's own frames. uint8 [T, H, W, 3]."""
    take, renderer = played(modes, fps), Renderer(photo, modes, "cpu")
    return np.stack([renderer.render(take.modal_coordinates(frame)) for frame in frames])
