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

    def check(self) -> None:
        """GidError naming the first file that is missing or cut off: Blender would show magenta for it."""
        for frame in range(self.first, self.last + 1):
            path = self.path(frame)
            if not _whole(path):
                raise GidError(
                    "frames_missing",
                    f"The baked frame {path} is missing or cut off.",
                    "Bake again: only missing frames are rendered.",
                )


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
