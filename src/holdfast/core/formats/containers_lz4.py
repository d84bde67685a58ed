"""LZ4 frames in plain Python, for joblib files compressed with lz4.

Source: the LZ4 frame and block format descriptions (github.com/lz4/lz4, doc folder). Checksums are skipped over,
not verified: a wrong one makes lz4 refuse what we have read, never the other way round.
"""

from __future__ import annotations

from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers import check_growth

MAGIC: Final = b"\x04\x22\x4d\x18"


def decompress(window: Window, pos: int, max_bytes: int, out: bytearray, *, partial: bool = False) -> int:
    """Append one frame to `out`, give the bytes it took. `partial` stops once `max_bytes` came out."""
    start = pos
    flags = _byte(window, pos + 4)
    if window.read(pos, 4) != MAGIC or flags >> 6 != 1 or flags & 1:
        raise Fault("malformed", "no LZ4 frame that can be read", pos)
    pos += 7 + (8 if flags & 0x08 else 0)
    floor = len(out)
    while True:
        size = int.from_bytes(_exactly(window, pos, 4), "little")
        pos += 4
        if size == 0:
            break
        block = _exactly(window, pos, size & 0x7FFF_FFFF)
        if size >> 31:
            out += block
        else:
            _block(block, out, floor if not flags & 0x20 else len(out), pos)
        pos += len(block) + (4 if flags & 0x10 else 0)
        if partial and len(out) - floor >= max_bytes:
            return pos - start
        check_growth(len(out), pos - start, max_bytes)
    return pos - start + (4 if flags & 0x04 else 0)


def _byte(window: Window, pos: int) -> int:
    return _exactly(window, pos, 1)[0]


def _exactly(window: Window, pos: int, size: int) -> bytes:
    if pos + size > len(window):
        raise Fault("truncated", "the lz4 stream is cut off", pos)
    return window.read(pos, size)


def _block(block: bytes, out: bytearray, floor: int, at: int) -> None:
    """Undo one block: runs of literals, each followed by a copy from what came out before."""
    pos, end = 0, len(block)
    try:
        while pos < end:
            token = block[pos]
            length, pos = _length(block, pos + 1, token >> 4)
            out += block[pos : pos + length]
            pos += length
            if pos >= end:
                break
            distance = block[pos] | block[pos + 1] << 8
            length, pos = _length(block, pos + 2, token & 15)
            _copy(out, distance, length + 4, floor, at)
    except IndexError:
        raise Fault("malformed", "an LZ4 block ends within a sequence", at) from None
    if pos > end:
        raise Fault("malformed", "an LZ4 block ends within its literals", at)


def _length(block: bytes, pos: int, short: int) -> tuple[int, int]:
    length = short
    if short == 15:
        while True:
            more = block[pos]
            pos += 1
            length += more
            if more != 255:
                break
    return length, pos


def _copy(out: bytearray, distance: int, length: int, floor: int, at: int) -> None:
    start = len(out) - distance
    if distance == 0 or start < floor:
        raise Fault("malformed", "an LZ4 block copies from before its start", at)
    pattern = out[start : start + min(distance, length)]
    repeats = -(-length // len(pattern))
    out += (pattern * repeats)[:length]
