"""What pip says, as progress and as sentences for a person."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)")
_RAW = re.compile(r"Progress (\d+) of (\d+)$")  # --progress-bar raw
_NETWORK = re.compile(
    r"ConnectionError|ReadTimeout|ConnectTimeout|Connection(?: to \S+)? (?:timed out|broken)|ProxyError|SSLError|"
    r"CERTIFICATE_VERIFY_FAILED|NameResolutionError|IncompleteRead|ProtocolError"
)
_NOT_FOUND = re.compile(r"No matching distribution found for (\S+)")
_DISK_FULL = re.compile(r"No space left on device|\[Errno 28\]|not enough space on the disk", re.IGNORECASE)
_DENIED = re.compile(r"\[Errno 13\]|\[WinError 5\]|Permission denied", re.IGNORECASE)
_INSTALLING_SHARE = 0.2  # of the time: unpacking, after everything is there


class PipProgress:
    """Reads pip's lines; `fraction` of the work and `message` follow."""

    def __init__(self, pins: Mapping[str, str]):
        """pins: the packages that are asked for; others may come along."""
        self.fraction, self.message = 0.0, ""
        self._weights = {_normal(name): _weight(name) for name in pins}
        self._total = sum(self._weights.values()) or 1
        self._done, self._current = 0.0, ""

    def read(self, line: str) -> None:
        if found := _NAME.match(line):
            self._done += self._weights.pop(self._current, 0)
            self._current = _normal(found[1])
            self._show(0, f"Looking for {found[1]}")
        elif found := _RAW.search(line):
            got, size = int(found[1]), int(found[2])
            if size:
                self._show(got / size, f"Downloading {self._current}: {_mb(got)} of {_mb(size)} MB")
        elif line.startswith("Installing collected packages"):
            self._done, self._current = self._total, ""
            self._show(0, "Unpacking the packages")

    def _show(self, share: float, message: str) -> None:
        share *= self._weights.get(self._current, 0)
        fraction = min((self._done + share) / self._total, 1) * (1 - _INSTALLING_SHARE)
        self.fraction, self.message = max(self.fraction, fraction), message


def explain(output: str, offline: bool) -> tuple[str, str]:
    """(what went wrong, what to do) from the output of a pip that failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else "")
    last = last.removeprefix("ERROR: ")[:300].rstrip(".")
    if _DISK_FULL.search(output):
        return "The disk is full.", "Free some space and install again: finished downloads are kept."
    if not offline and _NETWORK.search(output):
        return (
            "The packages could not be downloaded: the network, or the server, did not answer.",
            "Check the connection and install again: finished downloads are kept.",
        )
    if missing := _NOT_FOUND.search(output):
        if offline:
            return (
                f"The packages folder holds no {missing[1]} for this system and Python.",
                "Fill it on a machine of the same kind (see the documentation), or install with a network.",
            )
        return f"There is no {missing[1]} for this system and Python.", "Choose another backend or base Python."
    if _DENIED.search(output):
        return (
            f"A file could not be written: {last}.",
            "Close other Blenders that use the engine, or choose another engine folder.",
        )
    return f"{last or 'pip ended without a word'}.", ""


def _weight(name: str) -> float:
    """A package's share of the download, roughly: PyTorch and NVIDIA's libraries outweigh all others."""
    if _normal(name) == "torch":
        return 30
    return 5 if name.startswith(("nvidia-", "triton")) else 1


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f}"
