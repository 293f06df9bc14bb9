"""Work on a folder by programs that run one after another, as a state machine that never blocks.

RUNNING → DONE | FAILED | CANCELLED: the same face as `core.job.Job`, so that it is shown and cancelled alike.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from . import paths, process
from .engine import ENGINE_ROOT, GidError
from .pip_output import PipProgress, explain


@dataclass
class Step:
    """A program to run. share: of the whole work; pins: what pip is asked for; optional: may fail."""

    title: str
    command: list[str]
    share: float
    pins: dict[str, str] | None = None
    optional: bool = False


class Setup:
    """A subclass gives `title` and `_work`, a generator of steps that receives each step's exit code."""

    title = ""

    def __init__(self, folder: Path, log: Path, offline: bool = False):
        """folder: made where there is none; log: file for what the programs print. GidError if it can't begin."""
        self.state, self.fraction, self.message = "RUNNING", 0.0, "Starting"
        self.result: dict = {}
        self.error: GidError | None = None
        self.seconds_left = None
        self._folder, self._log, self._offline = folder, log, offline
        self._process: subprocess.Popen | None = None
        self._step: Step | None = None
        self._done, self._read = 0.0, 0  # share of the work; bytes of the log
        self._lock = FolderLock(folder)
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_bytes(b"")
            self._begin()
        except BaseException as error:
            self._lock.release()
            if isinstance(error, OSError):
                raise cannot_write(folder, error) from error
            raise
        self._steps = self._work()
        self._advance(None)

    @property
    def finished(self) -> bool:
        return self.state in ("DONE", "FAILED", "CANCELLED")

    def poll(self) -> bool:
        if self.finished:
            return False
        before = self.fraction, self.message
        code = self._process.poll()
        self._follow()
        if code is None:
            return (self.fraction, self.message) != before
        self._done += self._step.share
        self._advance(code)
        return True

    def cancel(self) -> None:
        """Stop at once. What was there before is back; what was begun can be gone on with."""
        if not self.finished:
            if self._process:
                process.end(self._process)
            self._finish("CANCELLED", "Cancelled")

    abandon = cancel

    def _begin(self) -> None:
        """What must be right before anything is changed."""

    def _work(self) -> Generator[Step, int, None]:
        raise NotImplementedError

    def _undo(self) -> None:
        """Leave the folder as something that works, or that can be gone on with."""

    def _advance(self, code: int | None) -> None:
        try:
            if code and not self._step.optional:
                raise self._failure(code)
            self._step = next(self._steps) if code is None else self._steps.send(code)
            self.message, self.fraction = self._step.title, max(self.fraction, min(self._done, 1.0))
            self._progress = PipProgress(self._step.pins or {})
            self._read = self._log.stat().st_size
            with open(self._log, "ab") as log:
                self._process = process.start(
                    self._step.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self._folder,
                    env=process.clean_environment(ENGINE_ROOT) | self._pip_settings(),
                )
        except StopIteration:
            self.fraction = 1.0
            self._finish("DONE", "Done")
        except GidError as error:
            self._fail(error)
        except OSError as error:
            self._fail(cannot_write(self._folder, error))

    def _pip_settings(self) -> dict[str, str]:
        settings = {"CACHE_DIR": str(self._folder / "cache"), "USER": "0", "NO_INPUT": "1", "NO_COLOR": "1"}
        return {f"PIP_{name}": value for name, value in settings.items()} | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def _follow(self) -> None:
        """Read what the step has printed since the last time."""
        with contextlib.suppress(OSError), open(self._log, "rb") as log:
            log.seek(self._read)
            whole, newline, _ = log.read(1 << 18).rpartition(b"\n")
            self._read += len(whole) + len(newline)
            for line in whole.decode(errors="replace").splitlines():
                self._progress.read(line)
        if self._step.pins and self._progress.message:
            self.message = self._progress.message
            self.fraction = max(self.fraction, min(self._done + self._step.share * self._progress.fraction, 1.0))

    def _printed(self) -> str:
        """The end of the log."""
        with open(self._log, "rb") as log:
            log.seek(max(0, self._log.stat().st_size - 20_000))
            return log.read().decode(errors="replace").strip()

    def _failure(self, code: int) -> GidError:
        what, action = explain(self._printed(), self._offline)
        if not self._step.pins:
            last = self._printed().splitlines()[-1:] or [process.why_it_ended(code)]
            what, action = last[0][:300], ""
        return GidError("install_failed", f"{self._step.title} failed: {what}", action)

    def _fail(self, error: GidError) -> None:
        self.error = GidError(
            error.code, error.message, f"{error.action} The whole log is in {self._log}.".strip()
        )
        self._finish("FAILED", str(self.error))

    def _finish(self, state: str, message: str) -> None:
        if state != "DONE":
            with contextlib.suppress(OSError):
                self._undo()
        self._lock.release()
        self.state, self.message = state, message


def cannot_write(folder: Path, error: OSError) -> GidError:
    return GidError(
        "cannot_write",
        f"{error.filename or folder} can't be used: {error.strerror or error}.",
        "Choose another engine folder in the preferences.",
    )


class FolderLock:
    """One Blender at a time changes a folder. GidError where another one does, or it can't be written to."""

    def __init__(self, folder: Path):
        try:
            paths.writable_folder(folder)
        except GidError as error:
            action = "Choose another engine folder in the preferences."
            raise GidError(error.code, error.message, action) from error
        self._path = folder / "lock"
        self._file = open(self._path, "w")
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise GidError(
                "engine_busy",
                f"Another Blender is changing the engine in {folder}.",
                "Wait until it has finished.",
            ) from error

    def release(self) -> None:
        if not self._file.closed:
            self._file.close()
            with contextlib.suppress(OSError):
                self._path.unlink()
