"""gid render PHOTO MOTION --out DIR_OR_MP4: frames of a photo and its motion."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..jobs import FORMATS, Take, render_sequence, render_video, show_limits
from ..media import JPEG_QUALITY
from .options import (
    add_exposure_options,
    add_score_options,
    add_take_options,
    frames_of,
    is_video,
    score_of,
    sequence_name,
    take_options,
    whole,
)
from .progress import shown_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path)
    parser.add_argument("motion", type=Path, help="from predict")
    add_render_options(parser)
    add_score_options(parser)
    add_take_options(parser)


def add_render_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="VIDEO|DIR",
        help="a video (.mp4 .mov .mkv .webm), or a folder for NAME_0000.png …; finished frames are kept",
    )
    parser.add_argument("--format", choices=FORMATS, help="of frames (default: png; exr of an EXR)")
    parser.add_argument("--quality", type=whole(1, 100), default=JPEG_QUALITY, help="of JPEG (default 95)")
    parser.add_argument(
        "--renderer",
        choices=("fast", "pyramid"),
        default="fast",
        help="pyramid: the paper's way, a network that splats features; slower, softer (default: fast)",
    )
    parser.add_argument(
        "--limits", type=Path, metavar="PNG", help="also show where motion was limited so that nothing tears"
    )
    add_exposure_options(parser)


def run(args: argparse.Namespace) -> None:
    video, score = is_video(args.out), score_of(args)
    take = Take.open(args.photo, args.motion, score, args.size, args.proxy, **take_options(args))
    with shown_progress("Rendering") as progress:
        print(render_take(take, args, video, progress))


def render_take(take: Take, args: argparse.Namespace, video: bool, progress) -> str:
    """Render to the video or folder of --out; the sentence that tells where it is."""
    frames = frames_of(args, take.score)
    if args.limits:
        told = show_limits(take, frames, args.limits)
        return f"{_rendered(take, frames, args, video, progress)}\n{told['path']}: {told['share']:.1%} was limited"
    return _rendered(take, frames, args, video, progress)


def _rendered(take: Take, frames: range, args: argparse.Namespace, video: bool, progress) -> str:
    if video:
        return render_video(take, frames, args.out, progress)["path"]
    name = sequence_name(args.photo)
    done = render_sequence(take, frames, args.out, name, args.format, progress, args.quality)
    return f"{done['folder']}: {done['rendered']} frames rendered, {done['skipped']} kept"
