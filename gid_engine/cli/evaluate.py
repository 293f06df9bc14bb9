"""gid evaluate SUBJECT: how good what the engine makes is, beside simpler ways to make it."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from ..media import safe_write
from .options import whole
from .progress import shown_progress

# subject: module of evaluation with measure(data, count, progress) -> figures and report(figures) -> Markdown
SUBJECTS = {"render": "render_quality"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subject", choices=SUBJECTS, help="what to measure")
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        default=[],
        help="folder with photos/, clips/ or gid_official/ (default: what needs no files); may be repeated",
    )
    parser.add_argument(
        "--count", type=whole(1, 10000), default=16, help="scenes and clips of each kind (default 16)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the report there (default: print it)")


def run(args: argparse.Namespace) -> None:
    subject = importlib.import_module(f"..evaluation.{SUBJECTS[args.subject]}", __package__)
    with shown_progress("Measuring") as progress:
        figures = subject.measure(args.data, args.count, progress)
    if args.json:
        _write(args.json, json.dumps(figures, indent=1) + "\n")
    report = subject.report(figures)
    if args.out:
        _write(args.out / f"{args.subject}.md", report)
    else:
        print(report)


def _write(path: Path, text: str) -> None:
    with safe_write(path) as part:
        part.write_text(text, encoding="utf-8")
