"""A request to the engine as states: RUNNING → DONE | FAILED, or → CANCELLING → CANCELLED; and batches."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .client import EngineClient
from .engine import GidError

CANCEL_PATIENCE = 5.0  # seconds until an engine that does not react to a cancel is ended by force
# Errors that every further job of a batch would meet, too.
_STOPS_ALL = {"engine_missing", "engine_incomplete", "disk_full", "cannot_write"}


class Pace:
    """How fast something goes on, told by its fraction done."""

    def __init__(self):
        self._first: tuple[float, float] | None = None  # when the first progress came, and how far it was

    def tell(self, fraction: float) -> None:
        self._first = self._first or (time.monotonic(), fraction)

    def seconds_left(self, fraction: float) -> float | None:
        """Estimate from the speed so far; None while there is nothing to estimate from."""
        if self._first is None or fraction - self._first[1] < 0.02:
            return None
        since, start = self._first  # not counted: the start of the engine
        return (time.monotonic() - since) * (1 - fraction) / (fraction - start)


class Job:
    """A request in flight. `poll` moves it on and never blocks; the rest is for showing."""

    def __init__(self, client: EngineClient, title: str, verb: str, **fields):
        """title: what the user reads ("Predicting motion"). GidError if the request can't be sent."""
        self.title = title
        self.state = "RUNNING"
        self.fraction = 0.0
        self.message = "Starting the engine"
        self.result: dict = {}
        self.error: GidError | None = None
        self._client = client
        self._pace = Pace()
        self._cancelled_at = 0.0
        self._id = client.send(verb, **fields)

    @property
    def finished(self) -> bool:
        return self.state in ("DONE", "FAILED", "CANCELLED")

    @property
    def seconds_left(self) -> float | None:
        return self._pace.seconds_left(self.fraction)

    def cancel(self) -> None:
        """Ask the engine to stop; what it has finished stays."""
        if self.state != "RUNNING":
            return
        if not self._client.answered:  # still starting: deaf, and nothing is lost by ending it
            self.abandon()
            return
        self.state, self._cancelled_at = "CANCELLING", time.monotonic()
        self.message = "Cancelling"
        try:
            self._client.send("cancel", target=self._id)
        except GidError:
            self.state = "CANCELLED"

    def abandon(self) -> None:
        """End the engine and the job at once: a file is being opened, or Blender quits."""
        if not self.finished:
            self._client.stop()
            self._end("CANCELLED")

    def poll(self) -> bool:
        """Take in what has arrived; True if something changed that is worth a redraw."""
        if self.finished:
            return False
        before = (self.state, self.fraction, self.message)
        for reply in self._client.replies():
            # The worker names no id where it could not read the request's: there is only this one in flight.
            unread = reply.get("id") is None and reply.get("type") == "error"
            if (unread or reply.get("id") == self._id) and not self.finished:
                self._take(reply)
        if not self.finished and not self._client.alive:
            cancelled = self.state == "CANCELLING"
            self._fail(self._client.stopped_error()) if not cancelled else self._end("CANCELLED")
        if self.state == "CANCELLING" and time.monotonic() - self._cancelled_at > CANCEL_PATIENCE:
            self._client.stop(patience=0)
            self._end("CANCELLED")
        return (self.state, self.fraction, self.message) != before

    def _take(self, reply: dict) -> None:
        kind = reply.get("type")
        if kind == "progress":
            self.fraction = min(max(_number(reply.get("fraction")), 0.0), 1.0)
            self._pace.tell(self.fraction)
            if self.state == "RUNNING":
                self.message = str(reply.get("message") or self.message)
        elif kind == "result":
            self.result = reply
            self.fraction = 1.0
            self._end("DONE")
        elif kind == "error":
            if reply.get("code") == "cancelled" or self.state == "CANCELLING":
                self._end("CANCELLED")
            else:
                self._fail(
                    GidError(
                        str(reply.get("code", "engine_error")),
                        str(reply.get("message") or "The engine reported an error without a reason."),
                        str(reply.get("action") or ""),
                    )
                )

    def _fail(self, error: GidError) -> None:
        self.error = error
        self._end("FAILED")

    def _end(self, state: str) -> None:
        self.state = state
        self.message = str(self.error).strip() if self.error else state.capitalize()


@dataclass(frozen=True)
class Step:
    """A part of a batch: how to start it, what to do with its result (returns a sentence), whom to tell."""

    name: str
    start: Callable[[], Job]
    finish: Callable[[dict], str]
    tell: Callable[[str, bool], None]  # a sentence, and whether it is a failure


class Batch:
    """Jobs one after the other, with the face of one `Job`. A step that fails does not keep the others back."""

    def __init__(self, title: str, steps: list[Step]):
        self.title, self.state, self.message = title, "RUNNING", "Starting the engine"
        self.sentences: list[str] = []
        self.failures: list[tuple[str, GidError]] = []
        self.error: GidError | None = None
        self.result: dict = {}
        self._count, self._waiting = len(steps), deque(steps)
        self._step: Step | None = None
        self._job: Job | None = None
        self._pace = Pace()
        self._next()

    @property
    def finished(self) -> bool:
        return self.state in ("DONE", "FAILED", "CANCELLED")

    @property
    def fraction(self) -> float:
        if self.state == "DONE":
            return 1.0
        begun = self._count - len(self._waiting)
        return min(max(begun - 1, 0) + (self._job.fraction if self._job else 0), self._count) / self._count

    @property
    def seconds_left(self) -> float | None:
        return self._pace.seconds_left(self.fraction)

    @property
    def summary(self) -> str:
        """What a finished batch did, in a sentence."""
        return self.sentences[0] if self._count == 1 else f"All {self._count} are done."

    def cancel(self) -> None:
        """Stop after what is finished; steps that have not begun are left out."""
        if self.state != "RUNNING":
            return
        self._waiting.clear()
        self.state, self.message = "CANCELLING", "Cancelling"
        self._job.cancel()
        self._look()

    def abandon(self) -> None:
        """End the engine and the batch at once."""
        if not self.finished:
            self._waiting.clear()
            self._job.abandon()
            self.state, self.message = "CANCELLED", "Cancelled"

    def poll(self) -> bool:
        if self.finished:
            return False
        changed = self._job.poll()
        if self._job.fraction > 0:
            self._pace.tell(self.fraction)
        return self._look() or changed

    def _look(self) -> bool:
        """Take over what the running job has become; True where it has ended."""
        if not self._job.finished:
            if self.state == "RUNNING":
                self.message = self._named(self._job.message)
            return False
        if self._job.state == "DONE":
            try:
                self._succeed(self._step.finish(self._job.result))
            except GidError as error:
                self._fail(error)
        elif self._job.state == "FAILED":
            self._fail(self._job.error)
        else:
            self._step.tell(f"{self.title} was cancelled.", False)
            self.state = "CANCELLING"
        self._next()
        return True

    def _next(self) -> None:
        while self._waiting and self.state == "RUNNING":
            self._step = self._waiting.popleft()
            try:
                self._job = self._step.start()
                return
            except GidError as error:
                self._fail(error)
        if self.state == "CANCELLING":
            self.state, self.message = "CANCELLED", "Cancelled"
        elif self.failures:
            self.state, self.error = "FAILED", self._summary()
            self.message = str(self.error).strip()
        else:
            self.state, self.message = "DONE", "Done"

    def _succeed(self, sentence: str) -> None:
        self.sentences.append(sentence)
        self._step.tell(sentence, False)

    def _fail(self, error: GidError) -> None:
        self.failures.append((self._step.name, error))
        self._step.tell(str(error).strip(), True)
        if error.code in _STOPS_ALL:
            self._waiting.clear()

    def _summary(self) -> GidError:
        name, error = self.failures[0]
        if self._count == 1:
            return error
        done = f"{len(self.sentences)} of {self._count} are done; {name}: {error.message}"
        return GidError(error.code, done, error.action)

    def _named(self, message: str) -> str:
        if self._count == 1:
            return message
        return f"{self._step.name} ({self._count - len(self._waiting)} of {self._count}): {message}"


def _number(value) -> float:
    # NaN compares false with everything and would slip through the clamp of a progress bar.
    return float(value) if isinstance(value, int | float) and value == value else 0.0
