"""The verb `worker`: no options; the client is a program."""

from __future__ import annotations

import argparse

from .server import main


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace) -> int:
    return main()
