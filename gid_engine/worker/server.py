"""Reads requests, runs jobs one at a time, keeps stdout clean, and ends when its parent does."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
import traceback
from collections import deque
from typing import BinaryIO

from .. import __version__, jobs
from ..errors import Cancelled, GidError
from ..media import discard_unfinished
from . import verbs
from .protocol import MAX_LINE, PROTOCOL, Request, RequestError, encode_reply, error_reply, parse_request

_JOBS = {
    "predict": verbs.predict,
    "observe": verbs.observe,
    "select": verbs.select,
    "render": verbs.render,
    "export": verbs.export,
}
_MAX_WAITING = 16
_PROGRESS_SECONDS = 0.05  # between two progress replies of a job
_ENDING_SECONDS = 0.3  # given to a running job to clean up when stdin ends


def main() -> int:
    """Serve stdin until it ends, then end the process, also in the middle of a job."""
    requests, replies = _take_over_streams()
    worker = Worker(replies)
    try:
        with contextlib.suppress(KeyboardInterrupt, Cancelled):  # the command line turns SIGTERM into Cancelled
            worker.serve(requests)
    finally:
        worker.stop()
        discard_unfinished()
        sys.stderr.flush()
        os._exit(0)  # a job deep inside a library cannot be joined


def _take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """The protocol's own streams; afterwards stdin is empty and all that prints to stdout, C libraries included,
    prints to stderr."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
    return requests, replies


class Job:
    """A request to be worked on and whether its client still wants it."""

    def __init__(self, request: Request):
        self.request = request
        self.cancelled = threading.Event()


class Worker:
    """One reader (the caller of `serve`), one thread that works, and a lock around the replies."""

    def __init__(self, replies: BinaryIO):
        self._replies = replies
        self._writing = threading.Lock()
        self._changed = threading.Condition()  # guards the three below
        self._waiting: deque[Job] = deque()
        self._current: Job | None = None
        self._stopping = False
        threading.Thread(target=self._work, name="gid-job", daemon=True).start()

    def serve(self, requests: BinaryIO) -> None:
        """Read requests until the stream ends or one asks to shut down."""
        while line := requests.readline(MAX_LINE + 1):
            try:
                if len(line) > MAX_LINE:
                    while line and not line.endswith(b"\n"):
                        line = requests.readline(MAX_LINE)
                    raise RequestError(None, "line_too_long", f"A line may have {MAX_LINE >> 20} MiB at most.")
                if not line.strip():
                    continue
                request = parse_request(line)
                if request.verb == "shutdown":
                    self._reply(request.id, "result")
                    return
                self._take(request)
            except RequestError as error:
                self._send(error_reply(error.id, error))

    def stop(self) -> None:
        """Cancel everything and give the running job a moment to remove its temporary files."""
        with self._changed:
            self._stopping = True
            self._waiting.clear()
            if self._current:
                self._current.cancelled.set()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._current is None, _ENDING_SECONDS)

    def _take(self, request: Request) -> None:
        if request.verb == "hello":
            # Importing torch takes seconds, and the reader must stay free.
            threading.Thread(target=self._hello, args=(request.id,), daemon=True).start()
        elif request.verb == "cancel":
            self._reply(request.id, "result", found=self._cancel(request.fields["target"]))
        else:
            self._enqueue(Job(request))

    def _enqueue(self, job: Job) -> None:
        id_ = job.request.id
        with self._changed:
            in_flight = [*self._waiting, *([self._current] if self._current else [])]
            if any(other.request.id == id_ for other in in_flight):
                raise RequestError(id_, "duplicate_id", f"The id {id_!r} is still in use.")
            if len(self._waiting) >= _MAX_WAITING:
                raise RequestError(
                    id_, "busy", "Too many jobs are waiting.", "Wait for one to end, or cancel one."
                )
            self._waiting.append(job)
            self._changed.notify_all()

    def _cancel(self, target: int | str) -> bool:
        with self._changed:
            if self._current and self._current.request.id == target:
                self._current.cancelled.set()
                return True
            waiting = next((job for job in self._waiting if job.request.id == target), None)
            if waiting is None:
                return False
            self._waiting.remove(waiting)
        self._send(error_reply(target, _cancelled()))
        return True

    def _hello(self, id_: int | str) -> None:
        facts = {"version": __version__, "protocol": PROTOCOL, "python": platform.python_version()}
        self._answer(id_, lambda: facts | jobs.engine_facts())

    def _work(self) -> None:
        while True:
            with self._changed:
                self._current = None
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                job = self._current = self._waiting.popleft()
            run, fields = _JOBS[job.request.verb], job.request.fields
            progress = self._reporter(job)
            self._answer(job.request.id, lambda run=run, fields=fields, told=progress: run(told, **fields))

    def _answer(self, id_: int | str, run) -> None:
        """Send what `run` returns, or the sentence for what it raises."""
        try:
            self._reply(id_, "result", **run())
        except Cancelled:
            self._send(error_reply(id_, _cancelled()))
        except Exception as error:
            known = jobs.as_gid_error(error)
            if known is None:
                traceback.print_exc()
                known = GidError(
                    "internal",
                    f"The engine met a fault of its own ({type(error).__name__}: {str(error)[:200]}).",
                    "Try again; if it stays, report it with the engine's log.",
                )
            self._send(error_reply(id_, known))

    def _reporter(self, job: Job):
        last = 0.0

        def progress(fraction: float, message: str) -> None:
            nonlocal last
            if job.cancelled.is_set():
                raise Cancelled
            now = time.monotonic()
            if now - last >= _PROGRESS_SECONDS:
                last = now
                fraction = min(max(float(fraction), 0.0), 1.0)
                self._reply(job.request.id, "progress", fraction=fraction, message=message)

        return progress

    def _reply(self, id_: int | str, kind: str, **fields) -> None:
        self._send({"id": id_, "type": kind, **fields})

    def _send(self, reply: dict) -> None:
        line = encode_reply(reply)
        # A client that has gone also closes stdin, and that ends the process.
        with self._writing, contextlib.suppress(OSError, ValueError):
            self._replies.write(line)
            self._replies.flush()


def _cancelled() -> GidError:
    return GidError("cancelled", "The job was cancelled.", "What it had finished is kept.")
