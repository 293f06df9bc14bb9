"""What must hold before motion can be read from a clip: no cut, a camera that stands still (or is made to)."""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np

from ..errors import GidError
from .clip import Clip

_CHECKED_FPS = 6.0  # how often the camera is looked at
_MOVED = 0.004  # of the long side: 2 px at 512; less is left to the flow's own correction
_SIDE = 0.2  # width of the strips at the borders that tell the camera's motion from a thing's
_RANSAC_PX = 1.0
_TOGETHER = 0.001  # of the long side: far less than _MOVED, or things that sway a little count as one plane


def check_cuts(clip: Clip) -> None:
    """Raise GidError where the picture changes wholly from one frame to the next."""
    thumbs = np.stack([cv2.resize(f, (64, 64), interpolation=cv2.INTER_AREA) for f in clip.frames])
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    step = np.abs(np.diff(flat, axis=0)).mean(1)
    usual = np.median(step) + 1.0  # of 255
    likeness = np.array([_correlation(a, b) for a, b in itertools.pairwise(flat)])
    cuts = np.flatnonzero((step > 6 * usual) & (likeness < 0.85))
    if len(cuts):
        raise GidError(
            "clip_cut",
            f"{clip.path} has a cut at second {clip.second(cuts[0] + 1):.1f}.",
            "Choose a part without cuts by the start and the number of seconds.",
        )


def check_same_picture(clip: Clip) -> None:
    """Raise GidError where the picture has become another one little by little."""
    thumbs = np.stack([cv2.resize(f, (16, 16), interpolation=cv2.INTER_AREA) for f in clip.frames])
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    other = np.flatnonzero(np.array([_correlation(flat[clip.start], f) for f in flat]) < 0.3)
    if len(other):
        raise GidError(
            "clip_changes",
            f"At second {clip.second(other[0]):.1f} {clip.path} shows another picture than at the start "
            "(a fade, something in front of it, or a sway too wide to follow).",
            "Choose a shorter part by the start and the number of seconds.",
        )


def check_camera(clip: Clip) -> None:
    """Raise GidError where the camera moves: where the picture's borders move together as one plane would."""
    indices = _looked_at(clip)
    shifts = np.array([_camera_shift(*_matches(clip, i), clip.frames.shape[1:]) for i in indices])
    limit = _MOVED * max(clip.frames.shape[1:])
    moved = np.flatnonzero(shifts > limit)
    if len(moved) >= 2:  # one alone may be a bad fit
        share = 100 * np.max(shifts) / max(clip.frames.shape[1:])
        raise GidError(
            "clip_camera_moves",
            f"The camera of {clip.path} moves: by second {clip.second(indices[moved[0]]):.1f} the whole picture "
            f"has shifted (up to {share:.1f} % of its width).",
            "Use a clip from a tripod, or have it stabilised (--stabilise).",
        )


def stabilised(clip: Clip) -> Clip:
    """The clip with every frame brought back onto the start frame by a homography of the static majority.

    Features and RANSAC give it, ECC on the features that agree refines it. What the camera has lost sight of at
    the borders is filled from the start frame. Raises GidError where no plane can be followed.
    """
    start, shape = clip.frames[clip.start], clip.frames.shape[1:]
    frames, guess = clip.frames.copy(), np.eye(3)
    order = [*range(clip.start + 1, len(frames)), *range(clip.start - 1, -1, -1)]
    for index in order:
        if index == clip.start - 1:
            guess = np.eye(3)
        here, there = _matches(clip, index, guess)
        if len(here) < 12:
            raise _lost(clip, index)
        matrix, inliers = cv2.findHomography(here, there, cv2.RANSAC, _RANSAC_PX)
        if matrix is None or inliers.sum() < 0.3 * len(here) or not _sensible(matrix, shape):
            raise _lost(clip, index)
        guess = _refined(start, clip.frames[index], matrix, here[inliers.ravel() > 0])
        size, flags = shape[::-1], cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        seen = cv2.warpPerspective(np.ones(shape, np.float32), guess, size, flags=flags)
        moved = cv2.warpPerspective(clip.frames[index], guess, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        frames[index] = np.where(seen > 0.99, moved, start)
    return replace(clip, frames=frames, notes=(*clip.notes, "The camera's motion was taken out."))


def _looked_at(clip: Clip) -> list[int]:
    step = max(1, round(len(clip.times) / (clip.times[-1] - clip.times[0]) / _CHECKED_FPS))
    return [i for i in range(0, len(clip.frames), step) if i != clip.start]


def _matches(clip: Clip, index: int, guess: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Points of the start frame and where they are in another frame: float32 [n, 2] each, checked both ways."""
    start, frame = clip.frames[clip.start], clip.frames[index]
    points = _spread_corners(start)
    if not len(points):
        return points, points
    near = points if guess is None else cv2.perspectiveTransform(points[:, None], guess)[:, 0].astype(np.float32)
    options = {
        "winSize": (21, 21),
        "maxLevel": 4,
        "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
    }
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        start, frame, points, near.copy(), flags=cv2.OPTFLOW_USE_INITIAL_FLOW, **options
    )
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(
        frame, start, there, points.copy(), flags=cv2.OPTFLOW_USE_INITIAL_FLOW, **options
    )
    good = (found.ravel() > 0) & (found_back.ravel() > 0) & (np.linalg.norm(back - points, axis=1) < 0.5)
    return points[good], there[good]


def _spread_corners(grey: np.ndarray) -> np.ndarray:
    """Corners from all over the picture, also from where it is soft: the best few of each cell; float32 [n, 2]."""
    height, width = grey.shape
    strength = cv2.cornerMinEigenVal(grey, 7)
    cell, edge, points = max(8, max(height, width) // 24), 8, []
    for top in range(edge, height - edge - cell + 1, cell):
        for left in range(edge, width - edge - cell + 1, cell):
            part = strength[top : top + cell, left : left + cell]
            y, x = np.unravel_index(np.argmax(part), part.shape)
            if part[y, x] > 2e-5:  # below this a corner is but noise
                points.append((left + x, top + y))
    return np.array(points, np.float32).reshape(-1, 2)


def _camera_shift(here: np.ndarray, there: np.ndarray, shape: tuple[int, int]) -> float:
    """Mean shift of the corners by the plane that most points follow; 0 unless three borders follow it too."""
    if len(here) < 20:
        return 0.0
    reach = max(0.3, _TOGETHER * max(shape))  # 0.3 px: what matching is off by
    matrix, inliers = cv2.estimateAffine2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=reach)
    if matrix is None:
        return 0.0
    inliers, (height, width) = inliers.ravel() > 0, shape
    sides = [
        here[:, 0] < _SIDE * width,
        here[:, 0] > (1 - _SIDE) * width,
        here[:, 1] < _SIDE * height,
        here[:, 1] > (1 - _SIDE) * height,
    ]
    known = [inliers[side].mean() for side in sides if side.sum() >= 4]
    if inliers.mean() < 0.5 or sum(share > 0.5 for share in known) < 3:
        return 0.0
    shift = here @ (matrix[:, :2] - np.eye(2)).T + matrix[:, 2]
    return float(np.median(np.linalg.norm(shift[inliers], axis=1)))


def _refined(start: np.ndarray, frame: np.ndarray, matrix: np.ndarray, static: np.ndarray) -> np.ndarray:
    mask = np.zeros(start.shape, np.uint8)
    for x, y in static:
        cv2.circle(mask, (int(x), int(y)), 10, 255, -1)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 1e-4)
    try:
        _, refined = cv2.findTransformECC(
            start, frame, matrix.astype(np.float32), cv2.MOTION_HOMOGRAPHY, criteria, mask, 5
        )
    except cv2.error:  # it did not converge; the features' answer stands
        return matrix
    return refined.astype(np.float64) if _sensible(refined, start.shape) else matrix


def _sensible(matrix: np.ndarray, shape: tuple[int, int]) -> bool:
    """No corner leaves by more than a quarter of the picture."""
    height, width = shape
    corners = np.float32([[0, 0], [width, 0], [0, height], [width, height]])[:, None]
    moved = cv2.perspectiveTransform(corners, matrix.astype(np.float64))
    return bool(np.isfinite(moved).all() and np.abs(moved - corners).max() < 0.25 * max(shape))


def _lost(clip: Clip, index: int) -> GidError:
    return GidError(
        "clip_not_stabilised",
        f"The camera of {clip.path} can't be followed at second {clip.second(index):.1f}: it moves too far, or "
        "too little of the picture stands still.",
        "Choose a shorter part by the start and the number of seconds, or a clip from a tripod.",
    )


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a @ b) / (np.sqrt((a @ a) * (b @ b)) + 1e-6))
