"""One request to the engine as a state machine: RUNNING → DONE | FAILED, or → CANCELLING → CANCELLED."""

from __future__ import annotations

import time

from .client import EngineClient
from .engine import GidError

CANCEL_PATIENCE = 5.0  # seconds until an engine that does not react to a cancel is ended by force


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
        self._first: tuple[float, float] | None = None  # when the first progress came, and how far it was
        self._cancelled_at = 0.0
        self._id = client.send(verb, **fields)

    @property
    def finished(self) -> bool:
        return self.state in ("DONE", "FAILED", "CANCELLED")

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the speed so far; None while there is nothing to estimate from."""
        if self._first is None or self.fraction - self._first[1] < 0.02:
            return None
        since, start = self._first  # not counted: the start of the engine
        return (time.monotonic() - since) * (1 - self.fraction) / (self.fraction - start)

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
            self._first = self._first or (time.monotonic(), self.fraction)
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


def _number(value) -> float:
    # NaN compares false with everything and would slip through the clamp of a progress bar.
    return float(value) if isinstance(value, int | float) and value == value else 0.0
