"""Touches: how the whole picture answers where it is pushed, pulled or brushed.

GID §6 projects a force on the modes, so that everything which shares a band rings along. The modes tell more: how
places move *together*. A push at a place moves each other place as far as its motion follows from the
motion there: the regression E[F(p) | F(p₀)], by the covariance of the modes. It is one complex map a place
(real part: the answer to a push to the right; minus imaginary part: to a push down), and rings as the place does.
"""

from __future__ import annotations

import numpy as np

from .modes import Modes
from .oscillator import impulse_response, release_response

_REACH = 0.35  # photo widths: motion follows a touch no farther, however alike it is
_ALONE, _ALONG = 0.35, 0.7  # correlation with the touched place from which, and at which, a place goes along
_FLOOR = 0.04  # of the liveliest place's power: where less moves, a touch finds nothing to move
_WEAK = 0.03  # of a place's power: directions in which it hardly moves
_FARTHEST = 2.5  # times as far as the touched place is moved, the tips go


class Touchable:
    """Modes that are touched; a place that was found once is kept."""

    def __init__(self, modes: Modes):
        self.modes = modes
        self._omega = 2 * np.pi * modes.frequency_hz.astype(np.float64)
        weight = self._omega / self._omega.sum()
        power = sum(w * (np.abs(band) ** 2).sum(0) for w, band in zip(weight, modes.modes, strict=True))
        self._liveliest = float(power.max())
        self._places: dict[tuple[float, float, float], TouchedPlace] = {}

    def place(self, x: float, y: float, radius: float) -> TouchedPlace:
        key = x, y, radius
        if key not in self._places:
            self._places[key] = TouchedPlace(self.modes, self._omega, x, y, radius, self._liveliest)
        return self._places[key]


class TouchedPlace:
    """A place (x, y in 0…1 of width and height; radius in photo widths) and all that follows it.

    shape: complex64 [2, h, w]; a displacement (a, b) of the place moves the picture by Re(shape · (a + ib)).
    """

    def __init__(self, modes: Modes, omega: np.ndarray, x: float, y: float, radius: float, liveliest: float):
        self.x, self.y, self.radius = x, y, radius
        here, distance = _average(modes, x, y, radius)
        weight = omega / omega.sum()  # gusts fall off as 1/f; without them remains what the plant itself does
        near = np.einsum("k,ki,kj->ij", weight, here, here.conj()).real
        power = np.trace(near)
        follows = np.zeros((2, 2, *modes.grid), np.float64)  # Σ_k w_k Re S_i(p) conj S_j(p₀)
        own = np.zeros(modes.grid)
        for w, band, at in zip(weight, modes.modes, here, strict=True):
            own += w * (np.square(band.real).sum(0) + np.square(band.imag).sum(0))
            for j in range(2):
                follows[:, j] += w * (band.real * at[j].real + band.imag * at[j].imag)
        alike = np.sqrt(np.square(follows).sum((0, 1)) / (own * power + 1e-30))
        along = np.clip((alike - _ALONE) / (_ALONG - _ALONE), 0, 1)
        along = along * along * (3 - 2 * along) * np.exp(-np.square(distance / (_REACH + radius)))
        ridge = (_WEAK * power + _FLOOR * liveliest + 1e-30) * np.eye(2)
        answer = np.einsum("ijhw,jk->ikhw", follows, np.linalg.inv(near + ridge)) * along
        size = np.sqrt(np.square(answer).sum((0, 1)))
        answer /= np.maximum(1, size / _FARTHEST)
        self.shape = (answer[:, 0] - 1j * answer[:, 1]).astype(np.complex64)
        share = weight * np.square(np.abs(here)).sum(1)
        self.share = share / (share.sum() + 1e-30)


class Ringing:
    """Time of a touched place: a sum of damped oscillators, one a band, in closed form."""

    def __init__(self, omega: np.ndarray, zeta: np.ndarray, share: np.ndarray):
        self._omega, self._zeta = omega, zeta
        self._push, self._share = share * omega, share
        times = np.linspace(0, 2 * np.pi / omega.min(), 400)[1:]
        self._peak = (
            float(np.abs(self._push @ impulse_response(omega[:, None], zeta[:, None], times)).max()) + 1e-30
        )

    def struck(self, seconds, damping=1.0):
        """After a blow at 0: 0 before, 1 at its highest. seconds, damping broadcast; float64."""
        seconds, damping = np.broadcast_arrays(np.asarray(seconds, np.float64), np.asarray(damping, np.float64))
        rings = impulse_response(self._omega, self._zeta * damping[..., None], seconds[..., None])
        return rings @ self._push / self._peak

    def released(self, seconds, damping=1.0):
        """Held at 1 until 0, then let go."""
        seconds, damping = np.broadcast_arrays(np.asarray(seconds, np.float64), np.asarray(damping, np.float64))
        return release_response(self._omega, self._zeta * damping[..., None], seconds[..., None]) @ self._share


def _average(modes: Modes, x: float, y: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """(Gaussian mean of the modes around a place: complex128 [K, 2]; distance from it [h, w] in photo widths)."""
    height, width = modes.grid
    dx = (np.arange(width) + 0.5) / width - x
    dy = ((np.arange(height) + 0.5) / height - y) * (modes.photo_size[1] / modes.photo_size[0])
    distance = np.hypot(dx, dy[:, None])
    radius = max(radius, 1.0 / width)
    wx, wy = (np.exp(-2 * np.square(d / radius)) for d in (dx, dy))
    total = wx.sum() * wy.sum()
    if total < 1e-12:
        return np.zeros((modes.bands, 2), np.complex128), distance
    mean = [[(wy[:, None] * axis * wx).sum() for axis in band.astype(np.complex128)] for band in modes.modes]
    return np.array(mean) / total, distance
