"""What the worker's jobs do: each takes its request's fields and returns its result's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .. import jobs
from ..media import FrameSequence
from ..motion import Score
from ..observe import observe_clip
from ..select import select as _select

Progress = Callable[[float, str], None]


def predict(progress: Progress, **fields) -> dict:
    return jobs.predict(progress=progress, **fields)


def observe(progress: Progress, **fields) -> dict:
    return observe_clip(progress=progress, **fields)


def select(progress: Progress, **fields) -> dict:
    return _select(progress=progress, **fields)


def render(
    progress: Progress,
    frames,
    out_dir: Path,
    name: str,
    format: str | None,
    quality: int,
    video: Path | None,
    **take,
) -> dict:
    opened = _open(**take)
    share = 1.0 if video is None else 0.8  # encoding costs about a quarter of rendering
    result = jobs.render_sequence(opened, frames, out_dir, name, format, _part(progress, 0, share), quality)
    if video is None:
        return result
    sequence = FrameSequence(out_dir, name, result["suffix"])
    jobs.encode_video(sequence, frames, video, opened.score.fps, _part(progress, share, 1))
    return result | {"video": str(video)}


def export(progress: Progress, frames, out_dir: Path, name: str, kind: str, **take) -> dict:
    job = {"displacement": jobs.export_displacement, "stmap": jobs.export_stmap}[kind]
    return job(_open(**take), frames, out_dir, name, progress)


def _open(photo: Path, motion: Path, score: Score | Path | None, **options) -> jobs.Take:
    if isinstance(score, Path):
        score = Score.load(score)
    return jobs.Take.open(photo, motion, score or Score(), **options)


def _part(progress: Progress, start: float, end: float) -> Progress:
    return lambda fraction, message: progress(start + (end - start) * fraction, message)
