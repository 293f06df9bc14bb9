"""Progress for a person: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from tqdm import tqdm

_LINE_SECONDS = 10.0  # between two plain lines, so that a log of a long job stays short


@contextlib.contextmanager
def shown_progress(title: str) -> Iterator[Callable[[float, str], None]]:
    """Yield a progress callback (fraction, message) that draws on stderr."""
    if not sys.stderr.isatty():
        yield _plain(title)
        return
    layout = "{desc}: {percentage:3.0f}%|{bar}| {postfix} [{elapsed}<{remaining}]"
    with tqdm(total=1.0, desc=title, bar_format=layout, file=sys.stderr, dynamic_ncols=True) as bar:

        def draw(fraction: float, message: str) -> None:
            bar.set_postfix_str(message, refresh=False)
            bar.update(max(0.0, fraction - bar.n))

        yield draw


def part(progress: Callable[[float, str], None], start: float, end: float) -> Callable[[float, str], None]:
    """A callback for a job that is the part from start to end of a longer one."""
    return lambda fraction, message: progress(start + (end - start) * fraction, message)


def _plain(title: str) -> Callable[[float, str], None]:
    last = float("-inf")

    def draw(fraction: float, message: str) -> None:
        nonlocal last
        if fraction >= 1 or time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            print(f"{title}: {fraction:4.0%} {message}", file=sys.stderr, flush=True)

    return draw
