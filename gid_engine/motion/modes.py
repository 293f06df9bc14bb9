"""Modes: what the thing in a photo can do (the spectral volume read as an image-space modal basis, GID §3, §6)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import GidError


@dataclass(frozen=True)
class Modes:
    """Complex displacement maps of a photo, one a frequency band.

    modes: complex64 [K, 2, h, w]; axis 1 is (x right, y down); unit: one width of the photo, for both axes.
    frequency_hz, damping: float32 [K]; natural frequency and damping ratio of each band.
    photo_size: (width, height) of the photo in pixels; photo_sha256: hash of its file, "" if unknown.
    source: what made the modes ("prior …", "clip …"). rest_time: the second of the bands' common clock at which
    the photo is taken to have been shot. mask, depth, confidence: float32 [h, w] in 0…1 or None; the modes are
    already limited by the mask.
    """

    modes: np.ndarray
    frequency_hz: np.ndarray
    damping: np.ndarray
    photo_size: tuple[int, int]
    photo_sha256: str = ""
    seed: int = 0
    source: str = ""
    rest_time: float = 0.0
    mask: np.ndarray | None = field(default=None, repr=False)
    depth: np.ndarray | None = field(default=None, repr=False)
    confidence: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self):
        modes = np.ascontiguousarray(self.modes, np.complex64)
        if modes.ndim != 4 or modes.shape[1] != 2 or 0 in modes.shape:
            raise GidError(
                "modes_shape",
                f"Modes must have the shape [K, 2, h, w], these have {list(modes.shape)}.",
                "Predict the motion anew.",
            )
        object.__setattr__(self, "modes", modes)
        for name in ("frequency_hz", "damping"):
            value = np.ascontiguousarray(getattr(self, name), np.float32)
            if value.shape != modes.shape[:1]:
                raise GidError(
                    "modes_shape",
                    f"The motion has {modes.shape[0]} bands but {name} has the shape {list(value.shape)}.",
                    "Predict the motion anew.",
                )
            object.__setattr__(self, name, value)
        for name in ("mask", "depth", "confidence"):
            value = getattr(self, name)
            if value is not None:
                value = np.ascontiguousarray(value, np.float32)
                if value.shape != modes.shape[2:]:
                    raise GidError(
                        "modes_shape",
                        f"The {name} has the shape {list(value.shape)}, the modes {list(modes.shape[2:])}.",
                        "Predict the motion anew.",
                    )
                object.__setattr__(self, name, value)

    @property
    def bands(self) -> int:
        return self.modes.shape[0]

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the maps."""
        return self.modes.shape[2], self.modes.shape[3]

    def displacement(self, q: np.ndarray) -> np.ndarray:
        """F = Re Σ_k S_k q_k as float32 [h, w, 2], in photo widths; q: complex [K].

        Summed band by band, element by element (no BLAS), so that a frame has the same bits alone, in a
        sequence and on another machine.
        """
        q = np.asarray(q)
        if q.shape != (self.bands,):
            raise ValueError(f"q must have the shape [{self.bands}], it has {list(q.shape)}")
        real, imag = q.real.astype(np.float32), q.imag.astype(np.float32)
        total = np.zeros((2, *self.grid), np.float32)
        term = np.empty_like(total)
        for k in range(self.bands):
            if real[k]:
                total += np.multiply(self.modes[k].real, real[k], out=term)
            if imag[k]:
                total -= np.multiply(self.modes[k].imag, imag[k], out=term)
        return np.ascontiguousarray(np.moveaxis(total, 0, -1))

    def rms(self) -> np.ndarray:
        """Root of the time-mean squared displacement of the free loop, float32 [h, w], in photo widths."""
        power = np.zeros(self.grid, np.float32)
        for band in self.modes:
            power += np.square(band.real).sum(0) + np.square(band.imag).sum(0)
        return np.sqrt(power / 2)

    def limited(self, mask: np.ndarray) -> Modes:
        """The same modes where mask (float [h, w], 0…1) is 1, stillness where it is 0."""
        mask = np.clip(np.asarray(mask, np.float32), 0, 1)
        return replace(self, modes=self.modes * mask, mask=mask)


def quietest_time(modes: np.ndarray, frequency_hz: np.ndarray, samples: int = 300) -> float:
    """The second of the bands' common period at which ‖Re Σ_k S_k e^{iω_k t}‖ is least.

    A photo is the rest frame of its motion (F = 0 there). Starting where the oscillation passes nearest to its
    equilibrium keeps the mean of the motion on the photo instead of beside it. modes: complex [K, 2, h, w].
    """
    flat = modes.reshape(len(modes), -1)
    # ‖Re Σ S_k c_k‖² = ½ Re(Σ_jk c_j c_k S_j·S_k + c_j c̄_k S_j·S̄_k): two K×K matrices instead of maps.
    symmetric, hermitian = flat @ flat.T, flat @ flat.conj().T
    times = np.arange(samples) / samples / float(frequency_hz[0])
    c = np.exp(2j * np.pi * np.outer(times, frequency_hz))
    energy = np.einsum("tj,jk,tk->t", c, symmetric, c) + np.einsum("tj,jk,tk->t", c, hermitian, c.conj())
    return float(times[np.argmin(energy.real)])


BORDER = 16 / 512  # share of the width along which motion fades to zero at the picture's border


def border_taper(height: int, width: int) -> np.ndarray:
    """Factor on the motion that keeps the picture's border in its place, so that nothing is pulled in from
    outside: float32 [height, width], 0 on the outermost samples, rising smoothly to 1 over BORDER of the width."""
    reach = max(2.0, BORDER * width)
    ramps = []
    for n in (height, width):
        ramp = np.clip(np.minimum(np.arange(n), n - 1 - np.arange(n)) / min(reach, n / 4), 0, 1)
        ramps.append((ramp * ramp * (3 - 2 * ramp)).astype(np.float32))
    return np.minimum(ramps[0][:, None], ramps[1][None, :])
