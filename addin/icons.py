"""Draws the add-in's icon, a speech bubble that holds a rising chart, at any size as PNG bytes."""

from __future__ import annotations

import math
import struct
import zlib

SIZES = (16, 32, 64, 80)

_SAMPLES = 4  # per side of a pixel, for smooth edges
_GREEN, _TEAL, _WHITE, _AMBER = (15, 107, 79), (18, 148, 118), (255, 255, 255), (255, 183, 51)

# All shapes live on a square of side 1. Box: left, top, right, bottom, corner radius.
_Box = tuple[float, float, float, float, float]
_TILE: _Box = (0.0, 0.0, 1.0, 1.0, 0.22)
_BUBBLE: _Box = (0.14, 0.15, 0.86, 0.72, 0.13)
_TAIL = ((0.27, 0.66), (0.27, 0.90), (0.50, 0.70))
_BARS: tuple[tuple[_Box, tuple[int, int, int]], ...] = (
    ((0.27, 0.47, 0.38, 0.61, 0.03), _TEAL),
    ((0.445, 0.37, 0.555, 0.61, 0.03), _TEAL),
    ((0.62, 0.26, 0.73, 0.61, 0.03), _AMBER),
)


def icon(size: int) -> bytes:
    """A PNG of `size` by `size` pixels with transparent corners.

    The same bytes on every machine: the image data is stored, not compressed, because
    compressors differ between versions of zlib.
    """
    rows = bytearray()
    for y in range(size):
        rows.append(0)  # filter type: none
        for x in range(size):
            rows += bytes(_pixel(x, y, size))
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)  # 8 bits, RGBA
    chunks = ((b"IHDR", header), (b"IDAT", _stored(bytes(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _pixel(x: int, y: int, size: int) -> tuple[int, int, int, int]:
    red = green = blue = alpha = 0.0
    for i in range(_SAMPLES):
        for j in range(_SAMPLES):
            u, v = (x + (i + 0.5) / _SAMPLES) / size, (y + (j + 0.5) / _SAMPLES) / size
            colour = _colour(u, v)
            if colour is not None:
                red, green, blue = red + colour[0], green + colour[1], blue + colour[2]
                alpha += 1
    if not alpha:
        return 0, 0, 0, 0
    return (
        round(red / alpha),
        round(green / alpha),
        round(blue / alpha),
        round(255 * alpha / _SAMPLES**2),
    )


def _colour(u: float, v: float) -> tuple[float, float, float] | None:
    if not _in_box(u, v, _TILE):
        return None
    for box, colour in _BARS:
        if _in_box(u, v, box):
            return colour
    if _in_box(u, v, _BUBBLE) or _in_triangle(u, v):
        return _WHITE
    mix = (u + v) / 2
    return (
        _TEAL[0] + mix * (_GREEN[0] - _TEAL[0]),
        _TEAL[1] + mix * (_GREEN[1] - _TEAL[1]),
        _TEAL[2] + mix * (_GREEN[2] - _TEAL[2]),
    )


def _in_box(u: float, v: float, box: _Box) -> bool:
    left, top, right, bottom, radius = box
    dx = max(left + radius - u, u - (right - radius), 0.0)
    dy = max(top + radius - v, v - (bottom - radius), 0.0)
    return math.hypot(dx, dy) <= radius


def _in_triangle(u: float, v: float) -> bool:
    sides = []
    for (ax, ay), (bx, by) in zip(_TAIL, _TAIL[1:] + _TAIL[:1], strict=True):
        sides.append((bx - ax) * (v - ay) - (by - ay) * (u - ax))
    return all(side <= 0 for side in sides) or all(side >= 0 for side in sides)


def _stored(data: bytes) -> bytes:
    """`data` as a zlib stream of uncompressed blocks (RFC 1950, RFC 1951 section 3.2.4)."""
    blocks = [data[start : start + 65_535] for start in range(0, len(data), 65_535)]
    stream = bytearray(b"\x78\x01")
    for number, block in enumerate(blocks, start=1):
        stream += struct.pack("<BHH", number == len(blocks), len(block), len(block) ^ 0xFFFF)
        stream += block
    return bytes(stream) + struct.pack(">I", zlib.adler32(data))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
