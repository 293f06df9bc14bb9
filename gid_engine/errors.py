"""Errors that a person can act on, shared by every room of the engine."""

from __future__ import annotations


class GidError(Exception):
    """Something a person can mend.

    code: short machine-readable name, e.g. "photo_unreadable"; message: a sentence naming what is wrong and
    with which file; action: a sentence saying what to do.
    """

    def __init__(self, code: str, message: str, action: str):
        super().__init__(f"{message} {action}")
        self.code, self.message, self.action = code, message, action


class Cancelled(Exception):
    """Raised by a progress callback to stop a long job; whatever was finished stays."""
