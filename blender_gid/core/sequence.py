"""A baked sequence: the names of its files, their check, and how Blender has to count them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .engine import GidError

_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_NUMBERED = re.compile(r"(?P<stem>.*?)_(?P<number>\d{4,})(?P<suffix>\.\w+)")


@dataclass(frozen=True)
class Sequence:
    """Files FOLDER/STEM_0001.png …, numbered by the scene's frames; cyclic: they loop."""

    folder: Path
    stem: str
    suffix: str
    first: int
    last: int
    cyclic: bool = False

    def path(self, frame: int) -> Path:
        return self.folder / f"{self.stem}_{frame:04d}{self.suffix}"

    def __len__(self) -> int:
        return self.last - self.first + 1

    @property
    def image_user(self) -> dict[str, int | bool]:
        """Settings of an ImageUser. Blender shows file number
        offset + clamp or wrap(frame − start + 1, 1 … duration); start carries the shift in time, offset none
        but the number of the first file."""
        return {
            "frame_duration": len(self),
            "frame_start": self.first,
            "frame_offset": self.first - 1,
            "use_cyclic": self.cyclic,
        }

    def shown_at(self, frame: int) -> int:
        """The number of the file that Blender shows at a frame of the scene."""
        if self.cyclic:
            return self.first + (frame - self.first) % len(self)
        return min(max(frame, self.first), self.last)

    def missing(self) -> list[int]:
        """Numbers of the files that are missing or cut off: Blender would show magenta for them."""
        return [frame for frame in range(self.first, self.last + 1) if not _whole(self.path(frame))]

    def check(self) -> None:
        """GidError naming the first file that is missing or cut off."""
        if missing := self.missing():
            raise missing_error(self, missing)

    def held(self, missing: list[int], frames: range) -> list[tuple[int, int]]:
        """What to show instead of missing files: (frame of the scene, shift of the file's number from there on).

        Each missing file is replaced by the nearest that is there, the earlier of two. Begins with the first
        frame; empty where all files that the frames show are there, or none is.
        """
        there = sorted(set(range(self.first, self.last + 1)) - set(missing))
        if not there:
            return []
        shifts = []
        for frame in frames:
            shown = self.shown_at(frame)
            shifts.append(min(there, key=lambda n: (abs(n - shown), n)) - shown)
        before = [None, *shifts[:-1]]
        return [(f, s) for f, s, b in zip(frames, shifts, before, strict=True) if s != b] if any(shifts) else []


def missing_error(sequence: Sequence, missing: list[int]) -> GidError:
    """The sentence for files that are not there; names the first."""
    first = sequence.path(missing[0])
    if len(missing) == 1:
        sentence = f"The baked frame {first} is missing or cut off."
    else:
        sentence = f"{len(missing)} baked frames are missing or cut off ({spans(missing)}), the first is {first}."
    return GidError("frames_missing", sentence, "Bake again: only missing frames are rendered.")


def spans(numbers: list[int], most: int = 3) -> str:
    """Rising numbers as a person writes them: "3–5, 9"; after `most` runs comes "…"."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    told = [str(a) if a == b else f"{a}–{b}" for a, b in runs[:most]]
    return ", ".join(told) + (" …" if len(runs) > most else "")


def sequence_from(path: Path, length: int, cyclic: bool) -> Sequence | None:
    """The sequence whose first file is `path`; None for a name without a number."""
    parts = _NUMBERED.fullmatch(path.name)
    if not parts:
        return None
    first = int(parts["number"])
    return Sequence(path.parent, parts["stem"], parts["suffix"], first, first + length - 1, cyclic)


def find_sequence(path: Path, cyclic: bool) -> Sequence:
    """The sequence that a file such as NAME_0001.png belongs to: the unbroken run of numbers around it."""
    parts = _NUMBERED.fullmatch(path.name)
    if not parts or not path.is_file():
        raise GidError("frames_missing", f"{path} is not a frame NAME_0001.png.", "Choose a baked frame.")
    number = int(parts["number"])
    one = Sequence(path.parent, parts["stem"], parts["suffix"], number, number)
    first = last = number
    while first > 0 and one.path(first - 1).is_file():
        first -= 1
    while one.path(last + 1).is_file():
        last += 1
    return Sequence(path.parent, parts["stem"], parts["suffix"], first, last, cyclic)


def _whole(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            if path.suffix.lower() != ".png":
                return bool(file.read(1))
            file.seek(-len(_PNG_END), 2)
            return file.read() == _PNG_END
    except OSError:
        return False
