"""gid predict PHOTO --out M: how a photo can move."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..jobs import predict
from .options import add_device_option, add_predict_options
from .progress import shown_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="NAME.motion.safetensors")
    add_predict_options(parser)
    add_device_option(parser)


def run(args: argparse.Namespace) -> None:
    with shown_progress("Predicting motion") as progress:
        result = predict(
            args.photo,
            args.out,
            seed=args.seed,
            mask=args.mask,
            device=args.device,
            progress=progress,
        )
    for note in result["notes"]:
        print(note)
    print(result["path"])
