"""Bands of a picture side by side: numpy, OpenCV and PyTorch let go of Python's lock while they compute.

A band's result may not depend on which thread makes it or when, so that a frame has the same bits anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

MOST = 16  # more threads than this wait for the memory


def in_parallel(work: Callable, items: Iterable) -> list:
    """[work(item) for item in items], on as many threads as there are cores. The work may not call this again."""
    return list(_pool().map(work, items))


def bands(height: int, rows: int) -> list[tuple[int, int]]:
    """(top, bottom) of bands of so many rows that cover the height."""
    return [(top, min(height, top + rows)) for top in range(0, height, rows)]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(os.cpu_count() or 1, MOST), thread_name_prefix="render")
