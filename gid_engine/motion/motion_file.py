"""The motion file: a safetensors file read and written with numpy alone, so that Blender needs nothing more.

safetensors layout: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets},
"__metadata__": {str: str}}, then the tensors' bytes without gaps. Nothing in it is executed.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
import tempfile
from pathlib import Path

import numpy as np

from ..errors import GidError
from .modes import Modes

FORMAT, VERSION = "gid-motion", "1"
_DTYPES = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4")}
_MAX_HEADER = 1 << 20
_MAX_BANDS, _MAX_SIDE = 256, 4096
_MAPS = ("mask", "depth", "confidence")


def save_motion(path: str | os.PathLike, modes: Modes) -> None:
    """Write a motion file; the file appears whole or not at all. Raises GidError (disk, rights, NaN)."""
    path = Path(path)
    if not np.isfinite(modes.modes).all():
        raise GidError("motion_not_finite", "The motion holds values that are not numbers.", "Predict it anew.")
    parts = np.stack([modes.modes.real, modes.modes.imag], axis=-1)
    tensors = {
        "modes": parts.astype("<f2"),
        "frequency_hz": modes.frequency_hz.astype("<f4"),
        "damping": modes.damping.astype("<f4"),
    }
    tensors |= {name: getattr(modes, name).astype("<f2") for name in _MAPS if getattr(modes, name) is not None}
    if not np.isfinite(tensors["modes"]).all():
        raise GidError("motion_too_large", "The motion is larger than any photo.", "Lower its amplitude.")
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "photo_width": str(modes.photo_size[0]),
        "photo_height": str(modes.photo_size[1]),
        "photo_sha256": modes.photo_sha256,
        "seed": str(modes.seed),
        "source": modes.source,
        "rest_time": repr(float(modes.rest_time)),
    }
    write_whole(path, _pack(tensors, metadata))


def load_motion(path: str | os.PathLike) -> Modes:
    """Read a motion file. Raises GidError naming the file and the field where anything is wrong."""
    path = Path(path)
    header, data = _read(path)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise _bad(path, "it is a safetensors file, but not of a motion")
    if metadata.get("version") != VERSION:
        raise GidError(
            "motion_version",
            f"{path} has the version {metadata.get('version')!r} of the motion format; this reads {VERSION}.",
            "Update the add-on or the engine, or predict the motion anew.",
        )
    arrays = _arrays(path, header, data)
    modes = _field(path, arrays, "modes", 5)
    bands, two, height, width, pair = modes.shape
    if (two, pair) != (2, 2) or not (
        0 < bands <= _MAX_BANDS and 0 < height <= _MAX_SIDE and 0 < width <= _MAX_SIDE
    ):
        raise _bad(path, f"the field modes has the shape {list(modes.shape)}, not [K, 2, h, w, 2]")
    numbers = {
        name: _number(path, metadata, name) for name in ("photo_width", "photo_height", "seed", "rest_time")
    }
    if not (0 < numbers["photo_width"] < 1e6 and 0 < numbers["photo_height"] < 1e6):
        raise _bad(path, "the field photo_width or photo_height is not the size of a photo")
    frequency = _field(path, arrays, "frequency_hz", 1)
    damping = _field(path, arrays, "damping", 1)
    if frequency.shape != (bands,) or damping.shape != (bands,):
        raise _bad(path, f"the fields frequency_hz and damping must have {bands} values")
    if (frequency <= 0).any() or (damping < 0).any():
        raise _bad(path, "a frequency is not positive or a damping is negative")
    maps = {name: _field(path, arrays, name, 2) for name in _MAPS if name in arrays}
    for name, array in maps.items():
        if array.shape != (height, width):
            raise _bad(path, f"the field {name} has the shape {list(array.shape)}, not {[height, width]}")
    return Modes(
        modes=modes[..., 0] + 1j * modes[..., 1],
        frequency_hz=frequency,
        damping=damping,
        photo_size=(int(numbers["photo_width"]), int(numbers["photo_height"])),
        photo_sha256=str(metadata.get("photo_sha256", "")),
        seed=int(numbers["seed"]),
        source=str(metadata.get("source", "")),
        rest_time=numbers["rest_time"],
        **maps,
    )


def _pack(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> list[bytes]:
    header: dict = {"__metadata__": metadata}
    offset = 0
    names = {dtype: name for name, dtype in _DTYPES.items()}
    for name, array in tensors.items():
        span = [offset, offset + array.nbytes]
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": span}
        offset = span[1]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start aligned
    return [
        struct.pack("<Q", len(text)),
        text,
        *(np.ascontiguousarray(a).tobytes() for a in tensors.values()),
    ]


def write_whole(path: Path, chunks: list[bytes]) -> None:
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}-", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise GidError(
            "cannot_write",
            f"{path} could not be written: {error.strerror or error}.",
            "Choose a folder with free space and the right to write.",
        ) from error


def _read(path: Path) -> tuple[dict, memoryview]:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(8)
            if len(start) < 8:
                raise _bad(path, "it is empty or cut off")
            (length,) = struct.unpack("<Q", start)
            if length > _MAX_HEADER or 8 + length > size:
                raise _bad(path, "it is not a safetensors file, or it is cut off")
            text = file.read(length)
            data = memoryview(file.read())
    except OSError as error:
        raise GidError(
            "motion_unreadable",
            f"The motion file {path} could not be read: {error.strerror or error}.",
            "Check the path, or predict the motion again.",
        ) from error
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _bad(path, "its header is not a table")
    return header, data


def _arrays(path: Path, header: dict, data: memoryview) -> dict[str, np.ndarray]:
    arrays = {}
    for name in ("modes", "frequency_hz", "damping", *_MAPS):
        if name not in header:
            continue
        entry = header[name]
        try:
            dtype = _DTYPES[entry["dtype"]]
            shape = [int(n) for n in entry["shape"]]
            begin, end = (int(n) for n in entry["data_offsets"])
            fits = min(shape, default=1) > 0 and math.prod(shape) * dtype.itemsize == end - begin
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _bad(path, f"the field {name} is described wrongly") from error
        if not fits or not 0 <= begin <= end <= len(data):
            raise _bad(path, f"the field {name} does not fit into the file (cut off?)")
        array = np.frombuffer(data[begin:end], dtype).reshape(shape).astype(np.float32)
        if not np.isfinite(array).all():
            raise _bad(path, f"the field {name} holds values that are not numbers")
        arrays[name] = array
    return arrays


def _field(path: Path, arrays: dict[str, np.ndarray], name: str, axes: int) -> np.ndarray:
    if name not in arrays:
        raise _bad(path, f"the field {name} is missing")
    if arrays[name].ndim != axes:
        raise _bad(path, f"the field {name} has {arrays[name].ndim} axes, not {axes}")
    return arrays[name]


def _number(path: Path, metadata: dict, name: str) -> float:
    try:
        value = float(metadata[name])
    except (KeyError, TypeError, ValueError) as error:
        raise _bad(path, f"the field {name} is missing or not a number") from error
    if not math.isfinite(value):
        raise _bad(path, f"the field {name} is not a number")
    return value


def _bad(path: Path, what: str) -> GidError:
    return GidError(
        "motion_damaged",
        f"{path} can't be used as a motion file: {what}.",
        "Predict the motion again, or choose another file.",
    )
