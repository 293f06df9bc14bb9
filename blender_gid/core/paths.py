"""Where a plane's files lie: names that every file system takes, and the folder of each plane."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Collection
from pathlib import Path

from .engine import GidError

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST = 48  # characters: leaves room for the rest of a Windows path (260)


def file_name(name: str) -> str:
    """A name of any characters as a folder or file name that Windows, macOS and Linux all accept."""
    safe = _FORBIDDEN.sub("_", name)[:_LONGEST].strip(" .")
    if not safe:
        safe = "photo"
    return f"_{safe}" if _RESERVED.fullmatch(safe) else safe


def folder_name(name: str, taken: Collection[str], unique: bool) -> str:
    """A folder for a plane called `name` that no name in `taken` equals, not even but for the case.

    unique: add a random part, for a folder that planes of several unsaved files share.
    """
    base = file_name(name)
    if unique:
        base = f"{base}-{uuid.uuid4().hex[:8]}"
    used = {t.casefold() for t in taken}
    candidate, n = base, 2
    while candidate.casefold() in used:
        candidate, n = f"{base}_{n}", n + 1
    return candidate


def writable_folder(folder: Path) -> Path:
    """Make the folder and prove that a file can be written in it. GidError otherwise."""
    probe = folder / f".gid-{uuid.uuid4().hex[:8]}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"gid")
        probe.unlink()
    except OSError as error:
        with contextlib.suppress(OSError):
            probe.unlink()
        raise GidError(
            "cannot_write",
            f"{folder} can't be written to: {error.strerror or error}.",
            "Save the .blend file in a folder with free space and the right to write.",
        ) from error
    return folder
