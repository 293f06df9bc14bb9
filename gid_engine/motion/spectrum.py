"""Between trajectories and spectral volumes: FFT, loops from real clips, normalisation, phase gauge."""

from __future__ import annotations

import numpy as np


def spectrum_from_trajectories(trajectories: np.ndarray, bands: int) -> np.ndarray:
    """Modes S_k of displacement over one period: complex [bands, …] from real [T, …] (GID §3.1, eq. 1).

    Band k (index k−1) is the k-th harmonic of the period, scaled so that the motion about its mean is
    Re Σ_k S_k e^{2πikt/T}; the mean (DC) is dropped. bands < T/2.
    """
    count = len(trajectories)
    if not 0 < bands < count / 2:
        raise ValueError(f"{bands} bands need more than {2 * bands} frames, there are {count}")
    return np.fft.rfft(trajectories, axis=0)[1 : bands + 1] * (2 / count)


def trajectories_from_spectrum(spectrum: np.ndarray, count: int) -> np.ndarray:
    """Displacement from the rest frame 0 over one period of `count` frames: real [count, …], exactly 0 at 0.

    Only the bands move; the mean is set so that frame 0 is the photo: S_0 = −Re Σ_k S_k.
    """
    volume = np.zeros((count // 2 + 1, *spectrum.shape[1:]), np.complex128)
    volume[1 : len(spectrum) + 1] = spectrum * (count / 2)
    motion = np.fft.irfft(volume, n=count, axis=0)
    return motion - motion[:1]


def loopify(trajectories: np.ndarray, overlap: int) -> np.ndarray:
    """A loop of T = N − overlap frames from N real frames [N, …], by cross-fading its end into its run-up.

    The loop starts at frame `overlap`; its last `overlap` frames fade into the frames before that start. A real
    clip does not return to where it began, and the FFT of such a clip holds the jump: K terms then move even
    the start frame.
    """
    count = len(trajectories) - overlap
    if not 0 < overlap < count:
        raise ValueError(f"the overlap {overlap} must be positive and under half of {len(trajectories)} frames")
    loop = np.array(trajectories[overlap:], copy=True)
    fade = (np.arange(1, overlap + 1) / (overlap + 1)).reshape(-1, *[1] * (loop.ndim - 1))
    fade = fade * fade * (3 - 2 * fade)  # smooth ends: no jump of speed either
    loop[-overlap:] = loop[-overlap:] * (1 - fade) + trajectories[:overlap] * fade
    return loop


def percentile_scale(spectrum: np.ndarray, percentile: float = 95.0) -> np.ndarray:
    """s_f of GID eq. 4: per band the percentile of |coefficient| over everything else; float32 [K].

    spectrum: complex [N, K, …] of a data set. Real and imaginary parts count as coefficients of their own.
    """
    moved = np.moveaxis(spectrum, 1, 0).reshape(spectrum.shape[1], -1)
    parts = np.concatenate([np.abs(moved.real), np.abs(moved.imag)], axis=1)
    return np.percentile(parts, percentile, axis=1).astype(np.float32)


def normalise(spectrum: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Frequency-adaptive normalisation, GID eq. 4: sign(S)·√|S/s_f| on real and imaginary parts.

    spectrum: complex [K, …]; scale: [K], positive. Returns float [2, K, …] (real, imaginary).
    """
    parts = np.stack([spectrum.real, spectrum.imag]) / _column(scale, spectrum)
    return np.sign(parts) * np.sqrt(np.abs(parts))


def denormalise(parts: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Inverse of `normalise`: complex [K, …] from float [2, K, …]."""
    parts = np.sign(parts) * np.square(parts)
    return (parts[0] + 1j * parts[1]) * _column(scale, parts[0])


def _column(scale: np.ndarray, like: np.ndarray) -> np.ndarray:
    return np.reshape(scale, (-1, *[1] * (like.ndim - 1)))


def fix_gauge(spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn each band so that Σ_p M·M is real and positive: (M complex [K, …], phase float [K]), S = M·e^{iφ}.

    A photo cannot tell when its clip began, and a shift of time turns every band by a phase. Taking that phase
    out leaves the network only what a photo can tell. The remaining sign is fixed so that the sum of real parts
    is not negative.
    """
    flat = spectrum.reshape(len(spectrum), -1)
    phase = np.angle(np.sum(flat * flat, axis=1)) / 2
    turned = flat * np.exp(-1j * phase)[:, None]
    flip = turned.real.sum(axis=1) < 0
    phase = phase + np.pi * flip
    turned[flip] *= -1
    return turned.reshape(spectrum.shape).astype(spectrum.dtype), phase
