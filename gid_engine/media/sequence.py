"""Frame sequences: NAME_0001.png, NAME_0002.png …"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import GidError

_MAX_FRAME = 9_999_999


@dataclass(frozen=True)
class FrameSequence:
    """The files of a sequence in one folder; frame numbers are written with at least four digits."""

    folder: Path
    name: str
    suffix: str

    def __post_init__(self):
        plain = self.name and not re.search(r'[\x00-\x1f/\\:*?"<>|]', self.name) and not self.name.startswith(".")
        if not plain:
            raise GidError(
                "bad_name",
                f"{self.name!r} cannot be the name of a sequence.",
                'Choose a name without / \\ : * ? " < > | and without a leading dot.',
            )

    def path(self, frame: int) -> Path:
        if not 0 <= frame <= _MAX_FRAME:
            raise GidError(
                "bad_frame",
                f"{frame} is not a frame number of a sequence.",
                f"Use frames from 0 to {_MAX_FRAME}.",
            )
        return self.folder / f"{self.name}_{frame:04d}{self.suffix}"

    def frames(self) -> list[int]:
        """The frames whose files are there, in order."""
        pattern = re.compile(re.escape(self.name) + r"_(\d{4,7})" + re.escape(self.suffix))
        names = (p.name for p in self.folder.iterdir()) if self.folder.is_dir() else ()
        numbers = (int(m[1]) for m in map(pattern.fullmatch, names) if m)
        return sorted(n for n in numbers if self.path(n).is_file())

    def missing(self, frames: Iterable[int] | None = None) -> list[int]:
        """Those of the frames that have no file; by default the gaps between the first file and the last."""
        there = self.frames()
        if frames is None:
            frames = range(there[0], there[-1] + 1) if there else ()
        return sorted(set(frames) - set(there))
