"""The engine's process: started on demand, spoken to in JSON lines, read without blocking, ended with Blender.

Protocol: `gid_engine/worker/protocol.py`.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from pathlib import Path

from . import process
from .engine import GidError


class EngineClient:
    """One engine process. `send` returns at once, `replies` hands over what has arrived since the last call."""

    def __init__(self, command: list[str], engine_root: Path, log: Path):
        """command: the worker's command line; log: file that receives its stderr. GidError if it can't start."""
        self.log = log
        self._next_id = 0
        self._queue: queue.SimpleQueue[dict | None] = queue.SimpleQueue()
        self._ended = False
        self.answered = False  # whether it has ever said a word: before, it is still starting
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with open(log, "wb") as stderr:
                self._process = process.start(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    cwd=log.parent,
                    env=process.clean_environment(engine_root),
                )
        except OSError as error:
            raise GidError(
                "engine_missing",
                f"The engine's Python could not be started ({command[0]}: {error.strerror or error}).",
                "Install the engine, or choose its Python, in the add-on's preferences.",
            ) from error
        threading.Thread(target=self._read, name="gid-engine-reader", daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._ended and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def send(self, verb: str, **fields) -> int:
        """Send a request; its id. GidError if the process is gone."""
        self._next_id += 1
        line = json.dumps({"id": self._next_id, "verb": verb, **fields}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self.stopped_error() from error
        return self._next_id

    def replies(self) -> list[dict]:
        """Replies that have arrived, oldest first; afterwards `alive` tells whether more can come."""
        arrived = []
        while True:
            try:
                reply = self._queue.get_nowait()
            except queue.Empty:
                return arrived
            if reply is None:
                self._ended = True
            else:
                self.answered = True
                arrived.append(reply)

    def stopped_error(self) -> GidError:
        """What to tell a person when the process has ended by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)  # its pipes close a moment before it is gone
        code = self._process.poll()
        because = "" if code is None else f" ({process.why_it_ended(code)})"
        last = self.last_log_line()
        return GidError(
            "engine_stopped",
            f"The engine stopped in the middle{because}{': ' + last if last else ''}.",
            f"Start again: finished frames are kept. Details are in {self.log}.",
        )

    def last_log_line(self) -> str:
        try:
            lines = self.log.read_bytes()[-4000:].decode(errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip()[:200].rstrip(".") for line in reversed(lines) if line.strip()), "")

    def stop(self, patience: float = 0.6) -> None:
        """End the process: by EOF on its stdin, which lets it clean up; by force after `patience` seconds."""
        try:
            self._process.stdin.close()
        except OSError:
            pass
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            process.end(self._process)
        self._ended = True

    def _read(self) -> None:
        # A line that is not a JSON table is some library's chatter: the protocol knows no such line.
        for line in self._process.stdout:
            try:
                reply = json.loads(line.decode(errors="replace"))
            except (ValueError, RecursionError):
                continue
            if isinstance(reply, dict):
                self._queue.put(reply)
        self._queue.put(None)


def worker_command(python: str) -> list[str]:
    # -s: no user packages; -u: replies arrive when they are written.
    return [python, "-s", "-u", "-m", "gid_engine", "worker"]


def blender_python() -> str:
    """The Python that runs Blender's scripts, as a program (Blender ≥ 2.93 sets sys.executable to it)."""
    return sys.executable
