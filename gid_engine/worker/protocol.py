"""The worker's language: one JSON object a line, UTF-8, on stdin and stdout.

Requests: {"id": ID, "verb": VERB, …}; ID is a string or whole number of the client's choice, unique among what is
in flight. Every request gets exactly one final reply, `result` or `error`; jobs send `progress` before it.

    {"id": ID, "type": "progress", "fraction": 0…1, "message": SENTENCE}
    {"id": ID, "type": "result", …fields of the verb…}
    {"id": ID, "type": "error", "code": NAME, "message": SENTENCE, "action": WHAT TO DO}

An error's id is null where the line had none that could be read. Codes of the worker itself: bad_request,
line_too_long, unknown_verb, duplicate_id, busy, cancelled, internal; all others come from the job.

Answered at once, also while a job runs:

    hello                       -> version, protocol, renderer, python, torch, device, weights[, problem]
    cancel    target            -> found; the target ends with the error `cancelled` (what it finished stays)
    shutdown                    -> nothing; the process ends as it does at the end of stdin

Jobs, one at a time, the rest waiting in order (at most 16):

    predict   photo, out, [seed 0], [mask], [device "auto"]
              -> path, notes, seconds {stage: s}
    observe   clip, out, [photo_out], [onto], [mask], [start 0], [seconds 5], [stabilise false], [phase false]
              -> path, photo, notes, bands, lowest_hz, rms_px, gain_db, resonances, confidence, seconds {stage: s}
    select    photo, out, box [left, top, right, bottom] in 0…1 -> path, share (a mask of the thing in the box)
    render    photo, motion, frames, out_dir, name, [score], [format], [video], [size], [proxy 1], [step 1],
              [shutter 0], [samples 8], [quality 95], [device]
              -> folder, name, suffix, first, last, rendered, skipped[, video]
    export    photo, motion, frames, out_dir, name, kind "displacement" | "stmap", [score], [size], [proxy],
              [step], [device]
              -> folder, name, suffix, first, last, rendered, skipped

Paths are strings. observe reads the modes of a clip from frame `start` on; photo_out: a PNG to write with that
frame, the photo of the motion; onto: another photo to give the motion to; mask: white where things may move.
notes: sentences to show; rms_px: how far the liveliest places go, in pixels of a picture 512 long; gain_db: under
1 the modes explain little; resonances: [[Hz, damping ratio], …], strongest first; confidence: mean of the map.
Codes to offer something for: clip_camera_moves (stabilise true), clip_cut, clip_too_short, clip_still.
frames: a list of frame numbers, or {"first": A, "last": B}. score: a score's table, or the path
of a score file. format: "png", "exr", "jpg", "tif"; by default what keeps the photo. video: a path, .mp4 .mov .mkv
.webm. size: long side in pixels; proxy: what to divide it by. step: how far the score goes on from frame to frame.
shutter: degrees for which a frame is exposed, by so many samples. quality: of JPEG. device: "auto", "cuda", "mps",
"cpu". Arrays and pictures are never in a line.
Logs go to stderr. The process ends at the end of stdin, whatever it is doing, and leaves no half-written file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import GidError
from ..jobs import FORMATS
from ..media import JPEG_QUALITY
from ..motion import Score

PROTOCOL = 1
MAX_LINE = 16 << 20  # bytes; a score with keys on a hundred thousand frames fits
DEVICES = ("auto", "cuda", "mps", "cpu")
_MAX_FRAMES = 1_000_000
_REQUIRED = object()


@dataclass(frozen=True)
class Request:
    """A request with its fields checked and defaults filled in."""

    id: int | str
    verb: str
    fields: dict


class RequestError(GidError):
    """A line that is no proper request; id: whom to answer, None if unknown."""

    def __init__(
        self,
        id_: int | str | None,
        code: str,
        message: str,
        action: str = "Update the add-on or the engine, so that both are of the same version.",
    ):
        super().__init__(code, message, action)
        self.id = id_


def parse_request(line: bytes) -> Request:
    """Read one line. Raises RequestError naming what is wrong."""
    try:
        data = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise RequestError(None, "bad_request", "The line is not JSON.") from error
    if not isinstance(data, dict):
        raise RequestError(None, "bad_request", "A request must be a JSON object.")
    id_ = data.pop("id", None)
    if isinstance(id_, bool) or not isinstance(id_, int | str):
        raise RequestError(None, "bad_request", "A request needs an id, a string or a whole number.")
    verb = data.pop("verb", None)
    if not isinstance(verb, str) or verb not in _VERBS:
        raise RequestError(id_, "unknown_verb", f"There is no verb {_shown(verb)}.")
    fields = _VERBS[verb]
    if unknown := sorted(set(data) - set(fields)):
        raise RequestError(id_, "bad_request", f"The verb {verb} has no field {_shown(unknown[0])}.")
    try:
        return Request(id_, verb, {name: _read(data, name, *rule) for name, rule in fields.items()})
    except ValueError as error:
        raise RequestError(id_, "bad_request", f"{verb}: {error}") from error
    except GidError as error:  # a score
        raise RequestError(id_, error.code, error.message, error.action) from error


def encode_reply(reply: dict) -> bytes:
    """One line. ASCII, so that no console's encoding can spoil it."""
    return json.dumps(reply, separators=(",", ":")).encode("ascii") + b"\n"


def error_reply(id_: int | str | None, error: GidError) -> dict:
    return {"id": id_, "type": "error", "code": error.code, "message": error.message, "action": error.action}


def _read(data: dict, name: str, reader: Callable, default) -> object:
    if data.get(name) is None:
        if default is _REQUIRED:
            raise ValueError(f"the field {name} is missing.")
        return default
    return reader(data[name], name)


def _shown(value) -> str:
    return repr(value)[:60]


def _path(value, name) -> Path:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError(f"the field {name} must be a path.")
    return Path(value)


def _text(value, name) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the field {name} must be a string.")
    return value


def _whole(low: int, high: int) -> Callable:
    def read(value, name) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"the field {name} must be a whole number from {low} to {high}.")
        return value

    return read


def _number(low: float, high: float) -> Callable:
    def read(value, name) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"the field {name} must be a number from {low:g} to {high:g}.")
        return float(value)

    return read


def _flag(value, name) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"the field {name} must be true or false.")
    return value


def _one_of(*choices: str) -> Callable:
    def read(value, name) -> str:
        if value not in choices:
            raise ValueError(f"the field {name} must be one of {', '.join(choices)}.")
        return value

    return read


def _frames(value, name) -> list[int] | range:
    frame = _whole(-10_000_000, 10_000_000)
    if isinstance(value, dict) and set(value) == {"first", "last"}:
        value = range(frame(value["first"], "frames.first"), frame(value["last"], "frames.last") + 1)
    elif isinstance(value, list):
        value = [frame(item, name) for item in value]
    else:
        raise ValueError(f"the field {name} must be a list of frame numbers, or a table of first and last.")
    if not 0 < len(value) <= _MAX_FRAMES:
        raise ValueError(f"the field {name} must name 1 to {_MAX_FRAMES} frames.")
    return value


def _box(value, name) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError(f"the field {name} must be a list of four numbers.")
    return tuple(_number(-1, 2)(item, name) for item in value)


def _score(value, name) -> Score | Path:
    """A path is opened by the job, so that reading it cannot hold up the worker."""
    return Score.from_dict(value, f"The field {name}") if isinstance(value, dict) else _path(value, name)


def _id(value, name) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"the field {name} must be the id of a request.")
    return value


_DEVICE = (_one_of(*DEVICES), "auto")
_TAKE = {
    "photo": (_path, _REQUIRED),
    "motion": (_path, _REQUIRED),
    "frames": (_frames, _REQUIRED),
    "out_dir": (_path, _REQUIRED),
    "name": (_text, _REQUIRED),
    "score": (_score, None),
    "size": (_whole(16, 16384), None),
    "proxy": (_whole(1, 16), 1),
    "step": (_number(0.001, 1000), 1.0),
    "device": _DEVICE,
}
_VERBS: dict[str, dict] = {
    "hello": {},
    "cancel": {"target": (_id, _REQUIRED)},
    "shutdown": {},
    "predict": {
        "photo": (_path, _REQUIRED),
        "out": (_path, _REQUIRED),
        "seed": (_whole(0, 2**63 - 1), 0),
        "mask": (_path, None),
        "device": _DEVICE,
    },
    "observe": {
        "clip": (_path, _REQUIRED),
        "out": (_path, _REQUIRED),
        "photo_out": (_path, None),
        "onto": (_path, None),
        "mask": (_path, None),
        "start": (_whole(0, 10_000_000), 0),
        "seconds": (_number(1, 20), 5.0),
        "stabilise": (_flag, False),
        "phase": (_flag, False),
    },
    "select": {"photo": (_path, _REQUIRED), "out": (_path, _REQUIRED), "box": (_box, _REQUIRED)},
    "render": _TAKE
    | {
        "format": (_one_of(*FORMATS), None),
        "quality": (_whole(1, 100), JPEG_QUALITY),
        "video": (_path, None),
        "shutter": (_number(0, 360), 0.0),
        "samples": (_whole(1, 64), 8),
    },
    "export": _TAKE | {"kind": (_one_of("displacement", "stmap"), _REQUIRED)},
}
