"""The job that the worker and the command line share: clip file -> motion file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import GidError
from ..media import load_mask, load_photo, save_image
from ..motion import Modes, save_motion
from .observation import Observation, observe
from .transfer import transferred


def observe_clip(
    clip: Path,
    out: Path,
    photo_out: Path | None = None,
    onto: Path | None = None,
    mask: Path | None = None,
    progress: Callable[[float, str], None] | None = None,
    **options,
) -> dict:
    """Read a clip's modes and save them.

    photo_out: a PNG to write with the clip's start frame, which the modes are then of. onto: another photo to give
    the motion to. mask: a picture that is white where that photo (or the start frame) may move. Options as for
    `observe`. Returns {"path", "photo", "notes", "bands", "lowest_hz", "rms_px", "gain_db", "resonances",
    "confidence", "seconds"}.
    """
    if photo_out is not None and photo_out.suffix.lower() != ".png":
        raise GidError("photo_format", f"{photo_out} does not end in .png.", "Name a PNG file.")
    still = load_photo(onto) if onto else None  # before the long work
    seen = observe(clip, progress=progress, **options)
    modes = seen.modes
    if photo_out is not None:
        save_image(photo_out, seen.photo)
        modes = replace(modes, photo_sha256=hashlib.sha256(photo_out.read_bytes()).hexdigest())
    if still is not None:
        modes = transferred(modes, still.size, still.sha256, None if mask is None else load_mask(mask, still.size))
    elif mask is not None:
        modes = modes.limited(load_mask(mask, modes.grid[::-1]))
    save_motion(out, modes)
    return _report(seen, modes, out, photo_out)


def _report(seen: Observation, modes: Modes, out: Path, photo_out: Path | None) -> dict:
    return {
        "path": str(out),
        "photo": None if photo_out is None else str(photo_out),
        "notes": list(seen.notes),
        "bands": modes.bands,
        "lowest_hz": round(float(modes.frequency_hz[0]), 4),
        "rms_px": round(seen.rms_px, 3),
        "gain_db": round(seen.gain_db, 2),
        "resonances": [[round(hz, 3), round(zeta, 3)] for hz, zeta in seen.resonances],
        "confidence": round(float(modes.confidence.mean()), 3),
        "seconds": seen.seconds,
    }
