"""Warped time: the integral of a product of powers of curves, at any frame alone."""

from __future__ import annotations

import itertools
from bisect import bisect_right

import numpy as np

from .curve import Curve

# Gauss-Legendre on each piece between keys: exact for products of lines, good to 1e-4 for their roots even where a
# line falls to nothing.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


class Clock:
    """∫ Π curve^power over the frames, 0 at `start`; curves: (curve, power) pairs."""

    def __init__(self, *curves: tuple[Curve, float], start: float = 0.0):
        self._curves = curves
        self._knots = sorted({f for curve, _ in curves for f in curve.frames})
        self._totals = [0.0, *itertools.accumulate(self._piece(a, b) for a, b in itertools.pairwise(self._knots))]
        self._start = 0.0
        self._start = self.at(start)

    def rate(self, frame: float) -> float:
        rate = 1.0
        for curve, power in self._curves:
            rate *= curve.at(frame) ** power
        return rate

    def at(self, frame: float) -> float:
        i = bisect_right(self._knots, frame)
        if i == 0:
            return self.rate(frame) * (frame - self._knots[0]) - self._start
        if i == len(self._knots):
            return self._totals[-1] + self.rate(frame) * (frame - self._knots[-1]) - self._start
        return self._totals[i - 1] + self._piece(self._knots[i - 1], frame) - self._start

    def _piece(self, a: float, b: float) -> float:
        middle, half = (a + b) / 2, (b - a) / 2
        return half * sum(w * self.rate(middle + half * x) for x, w in zip(_NODES, _WEIGHTS, strict=True))
