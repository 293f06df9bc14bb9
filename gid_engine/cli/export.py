"""gid export MOTION --photo PHOTO --displacement DIR | --stmap DIR: the motion for compositing."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..jobs import Take, export_displacement, export_stmap
from .options import add_score_options, add_take_options, frames_of, score_of, sequence_name, take_options
from .progress import shown_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("motion", type=Path, help="from predict")
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument(
        "--displacement", type=Path, metavar="DIR", help="displacement, motion vectors and holes: multilayer EXR"
    )
    parser.add_argument("--stmap", type=Path, metavar="DIR", help="absolute UV of the photo a pixel shows: EXR")
    add_score_options(parser)
    add_take_options(parser)
    parser.set_defaults(refuse=parser.error)


def run(args: argparse.Namespace) -> None:
    wanted = [(export_displacement, args.displacement), (export_stmap, args.stmap)]
    wanted = [(job, folder) for job, folder in wanted if folder]
    if not wanted:
        args.refuse("give --displacement DIR or --stmap DIR")
    score = score_of(args)
    take = Take.open(args.photo, args.motion, score, args.size, args.proxy, **take_options(args))
    for job, folder in wanted:
        with shown_progress(f"Writing {folder.name}") as progress:
            name = sequence_name(args.photo)
            done = job(take, frames_of(args, score), folder, name, progress)
        print(f"{done['folder']}: {done['rendered']} files written, {done['skipped']} kept")
