"""gid observe CLIP --out M: how the thing in a clip moves."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..observe import observe_clip
from .options import whole
from .progress import shown_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clip", type=Path, help="a video from a tripod, without cuts")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="NAME.motion.safetensors")
    parser.add_argument(
        "--photo-out", type=Path, metavar="PNG", help="write the start frame, the photo that the motion is of"
    )
    parser.add_argument("--onto", type=Path, metavar="PHOTO", help="give the motion to this photo instead")
    parser.add_argument("--mask", type=Path, metavar="PICTURE", help="white where things may move")
    parser.add_argument("--start", type=whole(0, 10_000_000), default=0, metavar="FRAME", help="default 0")
    parser.add_argument("--seconds", type=_seconds, default=5.0, help="length of the loop, 1 to 20 (default 5)")
    parser.add_argument("--stabilise", action="store_true", help="take out the camera's own motion")
    parser.add_argument("--phase", action="store_true", help="measure by local phase: for motion under 0.3 px")


def run(args: argparse.Namespace) -> None:
    with shown_progress("Observing") as progress:
        done = observe_clip(
            args.clip,
            args.out,
            photo_out=args.photo_out,
            onto=args.onto,
            mask=args.mask,
            start=args.start,
            seconds=args.seconds,
            stabilise=args.stabilise,
            phase=args.phase,
            progress=progress,
        )
    for note in done["notes"]:
        print(note)
    swings = ", ".join(f"{hz:.2f} Hz (damping {zeta:.2f})" for hz, zeta in done["resonances"][:3])
    print(
        f"{done['path']}: {done['bands']} bands from {done['lowest_hz']:g} Hz, motion of {done['rms_px']:g} px, "
        f"warp gain {done['gain_db']:g} dB; swings at {swings or 'no clear frequency'}"
    )


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 20")
    return value
