"""Amplified motion: nothing folds, nothing else changes."""

import cv2
import numpy as np

from gid_engine.motion import Modes
from gid_engine.render.limit import LEAST_AREA, Limiter

SIZE = 90, 160


def waves(amplitude: float, length: float) -> np.ndarray:
    """Displacements of so many cells in waves of so many, in photo widths."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(np.float32)
    taper = np.minimum(1, np.minimum(columns, SIZE[1] - 1 - columns) / 20)
    x = amplitude * np.sin(columns * (2 * np.pi / length)) * taper
    return np.dstack([x, 0.5 * x * np.cos(rows / 9)]).astype(np.float32) / SIZE[1]


def area(displacement: np.ndarray) -> np.ndarray:
    """det(I + ∇F)"""
    (xy, xx), (yy, yx) = (np.gradient(plane) for plane in cv2.split(displacement * SIZE[1]))
    return (1 + xx) * (1 + yy) - xy * yx


def limiter(ends: np.ndarray | None = None, own: np.ndarray | None = None) -> Limiter:
    """own: what moves by itself, [h, w, 2]; by default everything, evenly."""
    maps = np.full((*SIZE, 2), 0.01) if own is None else own
    modes = Modes(np.moveaxis(maps, 2, 0)[None], np.float32([0.2]), np.float32([0.1]), SIZE[::-1])
    return Limiter(modes, np.zeros(SIZE, np.float32) if ends is None else ends)


def test_what_stays_within_the_limits_is_not_touched():
    motion = waves(2, 40)
    shown, limited = limiter()(motion)
    assert shown is motion and not limited.any()


def test_no_fold_is_left():
    for amplitude in (5, 10, 20):
        motion = waves(amplitude, 20)
        assert area(motion).min() < 0
        shown, limited = limiter()(motion)
        assert area(shown).min() > LEAST_AREA - 0.02 and limited.max() > 0.9


def test_the_whole_still_goes_as_far():
    """A piece that moves as one and trembles keeps its way."""
    far = np.float32([20, 0]) / SIZE[1]
    shown, _ = limiter()(waves(8, 12) + far)
    assert np.abs(shown[30:60, 50:110].mean((0, 1)) - far).max() * SIZE[1] < 0.5


def test_it_sets_in_without_a_jerk():
    """A hundredth more amplitude never moves anything by more than a few hundredths of what there is."""
    limit = limiter()
    for amplitude in np.linspace(1, 12, 12):
        one, other = (limit(waves(a, 20))[0] for a in (amplitude, amplitude * 1.01))
        assert np.abs(other - one).max() < 0.1 * np.abs(waves(amplitude, 20)).max()


def test_what_moves_of_itself_may_tear_and_only_amplified_is_limited():
    """A clip's own motion is shown as it was seen; four times as far its folds are evened out."""
    seen = waves(5, 20)
    assert area(seen).min() < 0
    limit = limiter(own=seen)
    assert limit(seen)[0] is seen
    shown, limited = limit(4 * seen)
    assert area(shown).min() > area(4 * seen).min() / 4 and limited.max() > 0.9


def test_things_may_pass_before_their_background():
    motion = np.zeros((*SIZE, 2), np.float32)
    motion[30:60, 60:100, 0] = 15 / SIZE[1]
    ends = cv2.dilate(
        (cv2.Laplacian(motion[..., 0], cv2.CV_32F) != 0).astype(np.float32), np.ones((3, 3), np.uint8)
    )
    shown, _ = limiter(ends)(motion)
    assert np.array_equal(shown, motion)
