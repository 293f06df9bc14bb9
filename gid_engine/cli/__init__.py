"""The command line: `gid VERB`, also `python -m gid_engine VERB`.

Exit status: 0 done, 1 stopped by a signal, 2 something a person can mend (a sentence on stderr), 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import signal
import sys

from .. import __version__
from ..errors import Cancelled, GidError

DONE, STOPPED, MENDABLE, INTERRUPTED = 0, 1, 2, 130

# verb: (module with add_arguments(parser) and run(args) -> exit status or None, help)
VERBS = {
    "animate": ("cli.animate", "bring a photo to life: photo -> video or frames"),
    "predict": ("cli.predict", "find out how a photo can move: photo -> motion file"),
    "observe": ("cli.observe", "find out how the thing in a clip moves: clip -> motion file"),
    "live": ("cli.live", "a window to pull and poke a photo in"),
    "render": ("cli.render", "render frames or a video of a photo and its motion file"),
    "export": ("cli.export", "write displacement or ST-maps for compositing"),
    "evaluate": ("cli.evaluate", "measure quality"),
    "bench": ("bench", "measure speed"),
    "train": ("training.cli", "train the networks"),
    "worker": ("worker.cli", "serve a program, such as Blender, over stdin and stdout"),
}


def main(argv: list[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console that lacks a letter of a path must not end the program
            stream.reconfigure(errors="replace")
    args = _parse(sys.argv[1:] if argv is None else argv)
    with _stoppable():
        try:
            return args.run(args) or DONE
        except KeyboardInterrupt:
            print("Interrupted; finished frames are kept.", file=sys.stderr)
            return INTERRUPTED
        except Cancelled:
            print("Stopped; finished frames are kept.", file=sys.stderr)
            return STOPPED
        except Exception as error:
            known = _mendable(error)
            if known is None:
                raise
            print(f"{known.message}\n{known.action}", file=sys.stderr)
            return MENDABLE


def _parse(argv: list[str]) -> argparse.Namespace:
    """Only the module of the verb that is asked for is imported: some are heavy."""
    parser = argparse.ArgumentParser(
        prog="gid", description="Generative Image Dynamics: a still photo that moves."
    )
    parser.add_argument("--version", action="version", version=f"gid {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    asked = next((word for word in argv if not word.startswith("-")), None)
    for verb, (module, description) in VERBS.items():
        name = f"{__package__.rpartition('.')[0]}.{module}"
        if importlib.util.find_spec(name) is None:
            continue
        verb_parser = verbs.add_parser(verb, help=description, description=f"{description}.".capitalize())
        if verb == asked:
            room = importlib.import_module(name)
            room.add_arguments(verb_parser)
            verb_parser.set_defaults(run=room.run)
    return parser.parse_args(argv)


@contextlib.contextmanager
def _stoppable():
    """SIGTERM ends a verb like Ctrl-C does, so that temporary files are removed."""

    def stop(*_):
        raise Cancelled

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _mendable(error: Exception) -> GidError | None:
    if isinstance(error, GidError):
        return error
    from ..jobs import as_gid_error

    return as_gid_error(error)
