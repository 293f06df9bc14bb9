"""gid evaluate SUBJECT: how good what the engine makes is, beside simpler ways to make it."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

from ..media import safe_write
from .options import whole
from .progress import shown_progress

SUBJECTS = {
    "render": "frames, beside the true frames of scenes and clips",
    "motion": "motion from a photo, beside what the clip then did",
    "prior": "which parts of a photo move, beside outlines and clips",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    subjects = parser.add_subparsers(dest="subject", required=True, metavar="SUBJECT")
    for name, description in SUBJECTS.items():
        subject = subjects.add_parser(name, help=description, description=f"Measure {description}.")
        subject.add_argument(
            "--data",
            type=Path,
            action="append",
            default=[],
            help="folder with photos/, clips/ or gid_official/ (default: what needs no files); may be repeated",
        )
        subject.add_argument(
            "--count", type=whole(1, 10000), default=16, help="scenes and clips of each kind (default 16)"
        )
        subject.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
        subject.add_argument("--out", type=Path, metavar="DIR", help="write the report there (default: print it)")
        if name != "render":
            subject.add_argument("--official", type=Path, metavar="DIR", help="folder of the paper's own clips")
            subject.add_argument("--weights", type=Path, metavar="DIR", help="of the prior (default: shipped)")
            subject.add_argument("--quick", action="store_true", help="two of each kind, short: to try it out")
        if name == "motion":
            network = "network in an ONNX file, whose features take the place of the shipped ones"
            subject.add_argument("--frame-network", type=Path, metavar="FILE", help=f"for FID and KID: {network}")
            subject.add_argument("--clip-network", type=Path, metavar="FILE", help=f"for FVD: {network}")


def run(args: argparse.Namespace) -> None:
    with shown_progress("Measuring") as progress:
        figures, markdown, page = _measured(args, progress)
    if args.json:
        _write(args.json, json.dumps(_plain(figures), indent=1) + "\n")
    if args.out is None:
        print(markdown)
    elif page is None:
        _write(args.out / f"{args.subject}.md", markdown)
    else:
        page.write(args.out, args.subject)


def _measured(args: argparse.Namespace, progress):
    """(figures, report as Markdown, report as a page or None)."""
    if args.subject == "render":
        from ..evaluation import render_quality

        figures = render_quality.measure(args.data, args.count, progress)
        return figures, render_quality.report(figures), None
    from ..evaluation import motion_quality, motion_report, prior_quality

    request = motion_quality.Request(
        args.data,
        args.official,
        args.count,
        args.weights,
        getattr(args, "frame_network", None),
        getattr(args, "clip_network", None),
    )
    if args.quick:
        request = motion_quality.quick(request)
    if args.subject == "prior":
        result = prior_quality.measure(request, progress)
        page = prior_quality.report(result)
    else:
        result = motion_quality.measure(request, progress)
        page = motion_report.report(result)
    return result.figures, page.markdown(), page


def _plain(figures):
    """JSON knows no NaN: null takes its place."""
    if isinstance(figures, dict):
        return {key: _plain(value) for key, value in figures.items()}
    if isinstance(figures, list):
        return [_plain(value) for value in figures]
    return None if isinstance(figures, float) and not math.isfinite(figures) else figures


def _write(path: Path, text: str) -> None:
    with safe_write(path) as part:
        part.write_text(text, encoding="utf-8")
