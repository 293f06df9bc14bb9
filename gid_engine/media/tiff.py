"""A TIFF writer for what frames need and the usual libraries do not combine: 16 bit, alpha, ICC profile."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_SHORT, _LONG, _UNDEFINED = 3, 4, 7


def encode_tiff(pixels: np.ndarray, icc: bytes | None = None) -> bytes:
    """uint8 or uint16 [H, W, 3 | 4] as a little-endian, deflated baseline TIFF; alpha is straight."""
    height, width, samples = pixels.shape
    bits = pixels.dtype.itemsize * 8
    strip = zlib.compress(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes(), 6)
    tags = {
        256: (_LONG, struct.pack("<I", width)),
        257: (_LONG, struct.pack("<I", height)),
        258: (_SHORT, struct.pack(f"<{samples}H", *[bits] * samples)),
        259: (_SHORT, struct.pack("<H", 8)),  # Adobe deflate
        262: (_SHORT, struct.pack("<H", 2)),  # RGB
        273: (_LONG, struct.pack("<I", 8)),  # the strip follows the 8-byte header
        277: (_SHORT, struct.pack("<H", samples)),
        278: (_LONG, struct.pack("<I", height)),
        279: (_LONG, struct.pack("<I", len(strip))),
        284: (_SHORT, struct.pack("<H", 1)),
    }
    if samples == 4:
        tags[338] = (_SHORT, struct.pack("<H", 2))  # unassociated alpha
    if icc:
        tags[34675] = (_UNDEFINED, icc)
    strip += b"\0" * (len(strip) % 2)
    directory_at = 8 + len(strip)
    extra_at = directory_at + 2 + 12 * len(tags) + 4
    entries, extra = b"", b""
    for tag, (kind, value) in sorted(tags.items()):
        count = len(value) // {_SHORT: 2, _LONG: 4, _UNDEFINED: 1}[kind]
        if len(value) > 4:
            entries += struct.pack("<HHII", tag, kind, count, extra_at + len(extra))
            extra += value + b"\0" * (len(value) % 2)
        else:
            entries += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    header = struct.pack("<2sHI", b"II", 42, directory_at)
    return header + strip + struct.pack("<H", len(tags)) + entries + b"\0" * 4 + extra
