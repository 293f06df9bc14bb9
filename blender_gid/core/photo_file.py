"""Facts of a photo file that Blender does not heed: the EXIF orientation."""

from __future__ import annotations

import struct
from pathlib import Path

_ORIENTATION = 0x0112


def exif_orientation(path: Path) -> int:
    """EXIF orientation 1…8 of a JPEG, PNG, WebP or TIFF; 1 where there is none or it can't be read.

    Cameras store pixels as the sensor read them and note how to turn them. The engine turns them; Blender's
    loader does not, so that the plane has to.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(8)
            if head[:2] == b"\xff\xd8":
                file.seek(2)
                tiff = _jpeg_exif(file)
            elif head == b"\x89PNG\r\n\x1a\n":
                tiff = _png_exif(file)
            elif head[:4] == b"RIFF" and file.read(4) == b"WEBP":
                tiff = _webp_exif(file)
            elif head[:4] in (b"II*\0", b"MM\0*"):
                file.seek(0)
                return _tiff_orientation(file.read(1 << 20))
            else:
                return 1
    except (OSError, struct.error):
        return 1
    return _tiff_orientation(tiff)


def _jpeg_exif(file) -> bytes:
    while True:
        marker, length = struct.unpack(">HH", file.read(4))
        if marker == 0xFFDA or not 0xFFC0 <= marker <= 0xFFFE:  # start of scan: no headers after it
            return b""
        body = file.read(length - 2)
        if marker == 0xFFE1 and body[:6] == b"Exif\0\0":
            return body[6:]


def _png_exif(file) -> bytes:
    while True:
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"eXIf":
            return file.read(min(length, 1 << 20))
        if kind == b"IEND":
            return b""
        file.seek(length + 4, 1)


def _webp_exif(file) -> bytes:
    while True:
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind == b"EXIF":
            return file.read(min(length, 1 << 20)).removeprefix(b"Exif\0\0")
        file.seek(length + length % 2, 1)


def _tiff_orientation(tiff: bytes) -> int:
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, directory)
        for i in range(min(count, 512)):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * i)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except (KeyError, struct.error):
        pass
    return 1


def stored_uv(orientation: int, u: float, v: float) -> tuple[float, float]:
    """Where the point (u, v) of the upright photo lies in the stored pixels (both v up)."""
    return {
        2: (1 - u, v),
        3: (1 - u, 1 - v),
        4: (u, 1 - v),
        5: (1 - v, 1 - u),
        6: (1 - v, u),
        7: (v, u),
        8: (v, 1 - u),
    }.get(orientation, (u, v))
