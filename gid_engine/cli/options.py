"""Options that several verbs share."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

from ..errors import GidError
from ..media import VIDEO_SUFFIXES
from ..motion import Curve, Score

_OTHER_FILES = frozenset(".avi .gif .m4v .mpg .mpeg .wmv .webp .png .jpg .jpeg .tif .tiff .exr .bmp".split())


def add_score_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what it does")
    group.add_argument("--score", type=Path, metavar="FILE", help="score file (JSON): impulses, wind and all else")
    group.add_argument(
        "--frames",
        type=frame_range,
        metavar="N|A-B",
        help="N frames from 0 on, or frames A to B (default: one loop); without a score, N is also the loop",
    )
    group.add_argument("--fps", type=_number(0.001, 1000), help="frames a second (default 30)")
    group.add_argument("--amplitude", type=_number(-100, 100), help="how far it moves (default 1)")
    group.add_argument("--speed", type=_number(-100, 100), help="how fast it moves (default 1)")
    group.add_argument(
        "--rest-frame", type=int, metavar="F", help="the frame that is the photo itself (default 0)"
    )


def add_take_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it is made")
    group.add_argument("--size", type=whole(16, 16384), metavar="PX", help="long side (default: the photo's)")
    group.add_argument(
        "--proxy",
        type=int,
        choices=(1, 2, 4),
        default=1,
        help="2: half the size, 4: a quarter; faster (default 1)",
    )
    group.add_argument(
        "--step",
        type=_number(0.001, 1000),
        default=1.0,
        metavar="S",
        help="how far the motion goes on from frame to frame: 0.25 is slow motion (default 1)",
    )
    add_device_option(group)


def take_options(args: argparse.Namespace) -> dict:
    """What add_take_options asked for, as options of Take."""
    options = {name: getattr(args, name) for name in ("shutter", "samples") if hasattr(args, name)}
    if getattr(args, "renderer", "fast") == "pyramid":
        options["pyramid"] = True
    return {"device": args.device, "step": args.step} | options


def add_exposure_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it is exposed")
    group.add_argument(
        "--shutter",
        type=_number(0, 360),
        default=0.0,
        metavar="DEGREES",
        help="motion blur: 180 exposes each frame for half the time to the next (default 0: none)",
    )
    group.add_argument("--samples", type=whole(1, 64), default=8, help="moments of an exposure (default 8)")


def add_device_option(parser) -> None:
    parser.add_argument("--device", choices=("auto", "cuda", "mps", "cpu"), default="auto", help="default: auto")


def add_predict_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it can move")
    group.add_argument(
        "--seed", type=whole(0, 2**63 - 1), default=0, help="another seed, another motion (default 0)"
    )
    group.add_argument("--mask", type=Path, metavar="PICTURE", help="white where things may move")


def score_of(args: argparse.Namespace) -> Score:
    """The score file, or the default, with the options laid over it."""
    score = Score.load(args.score) if args.score else Score()
    changes = {}
    if args.frames and not args.score and args.frames.start == 0:
        changes["loop_frames"] = max(1, round(len(args.frames) * args.step))
    for name in ("amplitude", "speed"):
        if getattr(args, name) is not None:
            changes[name] = Curve.constant(getattr(args, name))
    for name in ("fps", "rest_frame"):
        if getattr(args, name) is not None:
            changes[name] = getattr(args, name)
    return replace(score, **changes)


def frames_of(args: argparse.Namespace, score: Score) -> range:
    """The frames asked for; by default one loop, or the default length where the score has no loop."""
    return args.frames or range(max(1, round((score.loop_frames or Score.loop_frames) / args.step)))


def is_video(out: Path) -> bool:
    """Whether --out means a video (else a folder). GidError for a file of a kind that cannot be written."""
    suffix = out.suffix.lower()
    if suffix in _OTHER_FILES and not out.is_dir():
        raise GidError(
            "video_format",
            f"{out} is neither a folder nor a video that can be written.",
            f"Give a folder, or a name that ends in {', '.join(sorted(VIDEO_SUFFIXES))}.",
        )
    return suffix in VIDEO_SUFFIXES


def sequence_name(photo: Path) -> str:
    """The photo's name as that of a sequence, on any system."""
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", photo.stem).lstrip(".") or "frame"


def frame_range(text: str) -> range:
    """ "150" -> 0…149, "10-20" -> 10…20."""
    parts = re.fullmatch(r"(\d{1,7})(?:-(\d{1,7}))?", text.strip())
    if parts:
        first, last = (0, int(parts[1]) - 1) if parts[2] is None else (int(parts[1]), int(parts[2]))
        if first <= last:
            return range(first, last + 1)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a number of frames nor a range such as 10-20")


def whole(low: int, high: int):
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return value

    return read


def _number(low: float, high: float):
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return read
