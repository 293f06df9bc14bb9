"""A bake before it runs: what it is made from, where it goes, and whether the disk has room for it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .engine import GidError

_VERSION = re.compile(r"v(\d{3,})")
_SAMPLE = 1 << 16  # bytes at each end of a file that tell it from another
# Bytes of a file per byte of its pixels: measured on photos with the engine's writers, rounded up.
_PACKED = {".png": 0.85, ".exr": 0.85, ".jpg": 0.4}


@dataclass(frozen=True)
class Ingredients:
    """Everything the pixels of a bake follow from.

    score: the score's table; photo, motion: files; options: fields of the request that change pixels (size …).
    """

    score: dict
    photo: Path
    motion: Path
    options: dict

    @property
    def key(self) -> str:
        """Changes where anything does that is worth a new bake; not where files only move."""
        score = json.loads(json.dumps(self.score), object_hook=_without_folders)
        parts = [score, fingerprint(self.photo), fingerprint(self.motion), self.options]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _without_folders(table: dict) -> dict:
    mask = table.get("mask")
    return table | {"mask": [Path(mask).name, fingerprint(Path(mask))]} if isinstance(mask, str) else table


def fingerprint(path: Path) -> str:
    """What tells a file from another without reading all of it: its length and both its ends; "" if it is gone."""
    try:
        with open(path, "rb") as file:
            head = file.read(_SAMPLE)
            length = file.seek(0, 2)
            file.seek(max(0, length - _SAMPLE))
            return hashlib.sha256(head + file.read() + str(length).encode()).hexdigest()[:16]
    except OSError:
        return ""


def next_version(folder: Path, listed: Iterable[str]) -> str:
    """ "v001", "v002" …: the one after the folder's last, or that one where it is not `listed`: unfinished."""
    numbers = [int(match[1]) for path in _entries(folder) if (match := _VERSION.fullmatch(path.name))]
    last = max(numbers, default=0)
    unfinished = last and f"v{last:03d}" not in set(listed)
    return f"v{last if unfinished else last + 1:03d}"


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def frame_bytes(folder: Path | None, suffix: str, size: tuple[int, int], channels: int, is_float: bool) -> int:
    """Bytes that a frame will take: as much as those already in the folder, or by the photo's size and format.

    channels: of the photo; is_float: whether it has more than 8 bits.
    """
    made = [path.stat().st_size for path in folder.glob(f"*_[0-9]*{suffix}")] if folder and folder.is_dir() else []
    if made:
        return sum(made) // len(made)
    depth = {".exr": 4, ".jpg": 1}.get(suffix, 2 if is_float else 1)
    return int(size[0] * size[1] * channels * depth * _PACKED[suffix])


def require_space(folder: Path, needed: int) -> None:
    """GidError where the disk of the folder has not `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise GidError(
            "disk_full",
            f"The frames need about {size_text(needed)}, and the disk of {folder} has {size_text(free)} free.",
            "Free some space, bake a smaller size or another format, or fewer frames.",
        )


def size_text(count: int) -> str:
    """A number of bytes as a person reads it."""
    for unit, power in (("GB", 30), ("MB", 20)):
        if count >= 1 << power:
            return f"{count / (1 << power):.1f} {unit}"
    return f"{max(1, count >> 10) if count else 0} KB"


def parse_frames(text: str) -> tuple[int, int]:
    """ "12" or "1-150" as (first, last). GidError for anything else."""
    match = re.fullmatch(r"\s*(\d+)\s*(?:(?:-|\.\.)\s*(\d+)\s*)?", text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last:
        raise GidError("bad_frames", f"“{text}” is not a range of frames.", "Write it as 1-150.")
    return first, last
