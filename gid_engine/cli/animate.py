"""gid animate PHOTO --out X.mp4: predict and render in one go."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..jobs import Take, predict_modes, proxy_of
from ..media import load_photo
from .options import add_predict_options, add_score_options, add_take_options, is_video, score_of, take_options
from .progress import part, shown_progress
from .render import add_render_options, render_take


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path)
    add_render_options(parser)
    add_predict_options(parser)
    add_score_options(parser)
    add_take_options(parser)


def run(args: argparse.Namespace) -> None:
    video, score, photo = is_video(args.out), score_of(args), load_photo(args.photo)
    with shown_progress("Animating") as progress:
        # About how the time divides for a loop of 150 frames of a photo from a phone.
        modes = predict_modes(photo, args.seed, args.mask, args.device, part(progress, 0, 0.3))
        still = proxy_of(photo, args.size, args.proxy)
        take = Take(still, modes, score, **take_options(args))
        print(render_take(take, args, video, part(progress, 0.3, 1)))
