"""gid live PHOTO [MOTION]: a window in which the mouse pulls and pokes the photo."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import GidError
from ..jobs import Take, predict_modes
from ..media import load_photo, resize_photo
from ..motion import Score, load_motion
from .options import add_device_option, add_predict_options, is_video, whole
from .progress import shown_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path)
    parser.add_argument("motion", type=Path, nargs="?", help="from predict or observe (default: predict it now)")
    parser.add_argument("--score", type=Path, metavar="FILE", help="score to start from (JSON)")
    parser.add_argument(
        "--save",
        type=Path,
        metavar="FILE",
        help="where the score of what was done goes (default: beside the photo)",
    )
    parser.add_argument(
        "--size", type=whole(64, 16384), metavar="PX", help="long side (default: the screen's room)"
    )
    add_predict_options(parser)
    add_device_option(parser)
    group = parser.add_argument_group("without a window")
    group.add_argument("--events", type=Path, metavar="FILE", help="what the mouse and keys do (JSON)")
    group.add_argument("--record", type=Path, metavar="VIDEO", help="video of these events")


def run(args: argparse.Namespace) -> None:
    from ..live import Stage, load_events, record

    if bool(args.events) != bool(args.record):
        raise GidError("live_options", "--events and --record belong together.", "Give both, or neither.")
    if args.record and not is_video(args.record):
        raise GidError("video_format", f"{args.record} is no video.", "Give a name that ends in .mp4 or .webm.")
    events = load_events(args.events) if args.events else []
    take = _take(args)
    if args.record:
        stage = Stage(take)
        with shown_progress("Recording") as progress:
            record(stage, events, args.record, progress)
        if args.save:
            stage.score.save(args.save)
        print(args.record)
        return
    from ..live.window import show

    show(take, f"{args.photo.name} – live", lambda stage: _save(args, stage.score, stage.seconds))


def _take(args: argparse.Namespace) -> Take:
    photo = load_photo(args.photo)
    if args.motion:
        modes = load_motion(args.motion)
    else:
        with shown_progress("Predicting") as progress:
            modes = predict_modes(photo, args.seed, args.mask, args.device, progress)
    # Without an end, so that the touches of a long session are not those of one loop.
    score = Score.load(args.score) if args.score else Score(loop_frames=0)
    return Take(resize_photo(photo, args.size) if args.size else photo, modes, score, args.device)


def _save(args: argparse.Namespace, score: Score, seconds: float) -> str:
    path = args.save = args.save or _free_name(args.photo)
    score.save(path)
    return f"Saved; render it by: gid render … --score {path} --frames {1 + round(seconds * score.fps)}"


def _free_name(photo: Path) -> Path:
    names = (
        photo.with_name(f"{photo.stem}{part}.score.json") for part in ("", *map("-{}".format, range(2, 1000)))
    )
    return next(path for path in names if not path.exists())
