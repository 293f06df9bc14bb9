"""Sequences that resume: what each file of a folder was made from, and making those alone that are due."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from .errors import GidError
from .media import FrameSequence, discard_abandoned, safe_write

Progress = Callable[[float, str], None]

RECORD_SECONDS = 1.0  # how much finished work a kill may cost
AT_ONCE = 2  # frames in the making: one is computed while another is compressed


class BakeRecord:
    """`bake.json` of a folder: per file the key it was made from and its length in bytes.

    Only this job's own files are ever changed in it, since other machines may be writing to the same folder. A
    record that cannot be read counts as empty: the frames are made anew.
    """

    FORMAT, VERSION = "gid-bake", 1

    def __init__(self, folder: Path):
        self.path = folder / "bake.json"

    def entries(self) -> dict[str, dict]:
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            good = data["format"] == self.FORMAT and data["version"] == self.VERSION
            return {n: e for n, e in data["frames"].items() if isinstance(e, dict)} if good else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def holds(self, entries: dict[str, dict], path: Path, key: str) -> bool:
        """Whether the file is there, whole, and made from this key."""
        entry = entries.get(path.name, {})
        try:
            return entry.get("key") == key and entry.get("bytes") == path.stat().st_size
        except OSError:
            return False

    def change(self, changes: dict[str, dict | None]) -> None:
        """Set entries, or remove them where the new one is None."""
        merged = {name: e for name, e in (self.entries() | changes).items() if e is not None}
        record = {"format": self.FORMAT, "version": self.VERSION, "frames": dict(sorted(merged.items()))}
        with safe_write(self.path) as part:
            part.write_text(json.dumps(record, indent=1), encoding="utf-8")


def bake(
    sequence: FrameSequence,
    frames: Iterable[int],
    key_of: Callable[[int], str],
    write: Callable[[int, Path], None],
    progress: Progress | None,
    remark: Callable[[], str] = str,
) -> dict:
    """Write the frames whose files are not there, or were made from another key.

    key_of: what a frame follows from; write: makes its file, on threads of its own, AT_ONCE at a time; remark:
    what is to be said beside the progress, if anything. Returns
    {"folder", "name", "suffix", "first", "last", "rendered", "skipped"}.
    """
    frames = checked_frames(frames)
    discard_abandoned(sequence.folder)
    record = BakeRecord(sequence.folder)
    entries, keys = record.entries(), {frame: key_of(frame) for frame in frames}
    due = [f for f in frames if not record.holds(entries, sequence.path(f), keys[f])]
    # A key must never outlive its pixels: it is withdrawn before the file is replaced.
    stale = {name: None for f in due if (name := sequence.path(f).name) in entries}
    if stale:
        record.change(stale)
    there = len(frames) - len(due)

    def told(done: int) -> None:
        tell(progress, there + done, len(frames), remark=remark())

    _make(sequence, due, keys, write, record, told)
    if missing := sequence.missing(frames):
        raise GidError(
            "frames_missing",
            f"Frame {missing[0]} of {sequence.path(missing[0])} has gone while the others were made.",
            "Render again; what is there is kept.",
        )
    tell(progress, len(frames), len(frames))
    return {
        "folder": str(sequence.folder),
        "name": sequence.name,
        "suffix": sequence.suffix,
        "first": frames[0],
        "last": frames[-1],
        "rendered": len(due),
        "skipped": len(frames) - len(due),
    }


def _make(sequence, due: list[int], keys: dict[int, str], write, record: BakeRecord, told: Callable[[int], None]):
    """Write the due frames and record them, also those finished before an error or a cancellation."""
    made: dict[str, dict] = {}
    last_saved = time.monotonic()

    def make(frame: int) -> None:
        path = sequence.path(frame)
        write(frame, path)
        # Noted where it was made: an interrupt strikes the main thread at any place, this one never.
        made[path.name] = {"key": keys[frame], "bytes": path.stat().st_size}

    pool = ThreadPoolExecutor(AT_ONCE, "bake")
    try:
        making: deque[Future] = deque()
        for done, frame in enumerate(due):
            told(done)
            making.append(pool.submit(make, frame))
            if len(making) == AT_ONCE:
                making.popleft().result()
            if made and time.monotonic() - last_saved > RECORD_SECONDS:
                record.change(dict(made))
                last_saved = time.monotonic()
        while making:
            making.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        if made:
            record.change(made)


def checked_frames(frames: Iterable[int]) -> list[int]:
    frames = sorted(set(frames))
    if not frames:
        raise GidError("no_frames", "There are no frames to render.", "Choose at least one frame.")
    return frames


def tell(progress: Progress | None, done: int, total: int, what: str = "Frame", remark: str = "") -> None:
    if progress is not None:
        progress(done / total, f"{what} {min(done + 1, total)} of {total}" + (f". {remark}" if remark else ""))
