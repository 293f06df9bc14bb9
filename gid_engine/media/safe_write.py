"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import GidError

_unfinished: set[Path] = set()
_PART = ".part"


@contextlib.contextmanager
def safe_write(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside the target; on success it becomes the target, on failure it is removed.

    The temporary name starts with a dot and keeps the suffix, so that writers that go by the suffix work. Missing
    folders are made. The body must only write: every OSError in it becomes a GidError about the target.
    """
    path = Path(path)
    with _as_gid_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
        part = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}{_PART}{path.suffix}")
        _unfinished.add(part)
        try:
            part.touch()  # a folder that may not be written is found before the work, not after
            yield part
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            _unfinished.discard(part)


def discard_unfinished() -> None:
    """Remove this process's temporary files, for a process about to end in the middle of its work."""
    for part in list(_unfinished):
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def discard_abandoned(folder: Path, age_seconds: float = 600) -> None:
    """Remove temporary files that a killed process left in a folder.

    Younger ones may belong to another machine that is writing to the same folder now.
    """
    for part in folder.glob(f".*{_PART}.*"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > age_seconds:
                part.unlink()


@contextlib.contextmanager
def _as_gid_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _write_error(path, error) from error


def _write_error(path: Path, error: OSError) -> GidError:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return GidError(
                "disk_full",
                f"There is no room on the disk to write {path}.",
                "Free some space or choose another folder.",
            )
        case errno.EISDIR:
            return GidError("target_is_folder", f"{path} is a folder, not a file.", "Choose a file name.")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return GidError(
                "not_writable",
                f"{path} may not be written: it is protected, or open in another program.",
                "Choose another folder, or close the program that has the file open.",
            )
        case errno.ENOTDIR | errno.EEXIST:
            return GidError("bad_folder", f"{path.parent} is not a folder.", "Choose another folder.")
        case errno.ENAMETOOLONG:
            return GidError("name_too_long", f"The path {path} is too long.", "Choose a shorter name.")
    return GidError(
        "write_failed",
        f"{path} could not be written: {error.strerror or error}.",
        "Check the disk, or choose another folder.",
    )
