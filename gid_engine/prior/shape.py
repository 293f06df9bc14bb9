"""Motion shapes and amplitudes, between the networks' channels and modes."""

from __future__ import annotations

import numpy as np

BANDS = 15
PERIOD = 5.0  # seconds: band k is the k-th harmonic
CHANNELS = 4 * BANDS
LIVELIEST = 0.012  # rms displacement where the amplitude is 1, photo widths


def frequencies() -> np.ndarray:
    """Float32 [15], Hz."""
    return np.arange(1, BANDS + 1, dtype=np.float32) / PERIOD


def volume_to_channels(volume: np.ndarray) -> np.ndarray:
    """Complex [15, 2, h, w] → float32 [60, h, w] (real, imaginary) × band × (x, y)."""
    parts = np.stack([volume.real, volume.imag])
    return parts.reshape(CHANNELS, *volume.shape[2:]).astype(np.float32)


def channels_to_volume(channels: np.ndarray) -> np.ndarray:
    """Inverse of volume_to_channels: complex64 [15, 2, h, w]."""
    real, imag = channels.reshape(2, BANDS, 2, *channels.shape[1:])
    return (real + 1j * imag).astype(np.complex64)
