"""Means with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000


def bootstrap(groups: Sequence[str], values: Sequence[float]) -> dict[str, float | None]:
    """Mean of `values` over `groups` and its 95 % interval: {"mean", "low", "high"}, None where nothing is known.

    Values of one group (a scene, a clip) are not independent: their mean counts once, and groups are resampled.
    NaNs are left out.
    """
    table: dict[str, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        if np.isfinite(value):
            table.setdefault(group, []).append(value)
    if not table:
        return dict.fromkeys(("mean", "low", "high"))
    means = np.array([np.mean(v) for v in table.values()])
    rng = np.random.default_rng(0)
    drawn = means[rng.integers(len(means), size=(RESAMPLES, len(means)))].mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"mean": float(means.mean()), "low": float(low), "high": float(high)}
