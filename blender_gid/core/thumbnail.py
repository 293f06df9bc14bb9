"""How a motion looks, as a small picture. Needs numpy: import late."""

from __future__ import annotations

import numpy as np

_LATER = 1.0  # seconds after the rest frame


def motion_picture(modes) -> np.ndarray:
    """uint8 [h, w, 3] of the engine's Modes: hue is where things go, brightness how far, a second after rest."""
    q = [np.exp(2j * np.pi * modes.frequency_hz * t) for t in (modes.rest_time + _LATER, modes.rest_time)]
    x, y = np.moveaxis(modes.displacement(q[0] - q[1]), -1, 0)
    far = np.hypot(x, y)
    value = np.clip(far / max(np.percentile(far, 99), 1e-9), 0, 1)
    turn = np.arctan2(-y, x) / (2 * np.pi)
    # A wheel of hues: each channel is full within a third of a turn around its own direction.
    channels = [np.clip(2 - np.abs((6 * (turn - third / 3) + 3) % 6 - 3), 0, 1) for third in range(3)]
    return np.round(255 * np.stack(channels, -1) * value[..., None]).astype(np.uint8)
