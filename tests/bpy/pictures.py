"""Test photos: written and read with numpy and zlib alone, so that no image library has a say in them."""

import struct
import zlib
from pathlib import Path

import numpy as np


def write_png(path: Path, pixels: np.ndarray) -> Path:
    """pixels: uint8 [H, W, 3 or 4]."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)
    body = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(body))
    return path


def photo(width: int = 48, height: int = 32, channels: int = 3, shift: int = 0) -> np.ndarray:
    """A picture without any symmetry: each corner has its own colour, so that a flip or turn shows."""
    y, x = np.mgrid[0:height, 0:width]
    red = 255 * ((x + shift) % width) / (width - 1)
    green = 255 * y / (height - 1)
    blue = np.where((x < width // 4) & (y < height // 3), 255, 40)
    planes = [red, green, blue]
    if channels == 4:
        planes.append(np.where(x < width // 2, 255, 0))
    return np.stack(planes, axis=-1).round().astype(np.uint8)
