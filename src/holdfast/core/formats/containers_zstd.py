"""Zstandard frames: measured here, unpacked by pyarrow where it is installed.

Source: RFC 8878, sections 3.1.1 and 3.1.2. Where a frame ends follows from its headers, so the bytes behind it are
known without trusting a decoder; a decoder of its own is not worth its size for a format that few models use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers import check_growth

MAGIC: Final = b"\x28\xb5\x2f\xfd"
_STEP: Final = 1 << 20
_RLE: Final = 1


def decompress(window: Window, pos: int, max_bytes: int, out: bytearray, *, partial: bool = False) -> int:
    """Append one frame to `out`, give the bytes it took. `partial` stops once `max_bytes` came out.

    Raises Fault: unsupported where no decoder is installed, truncated, malformed, bomb or budget.
    """
    size = frame_size(window, pos)
    arrow = _arrow()
    floor = len(out)
    try:
        with arrow.CompressedInputStream(arrow.BufferReader(window.read(pos, size)), "zstd") as reader:
            while got := reader.read(min(_STEP, max_bytes) if partial else _STEP):
                out += got
                if partial and len(out) - floor >= max_bytes:
                    break
                check_growth(len(out), pos + size, max_bytes)
    except (OSError, ValueError) as fault:
        raise Fault("malformed", f"the zstd stream is broken: {fault}", pos) from None
    return size


def frame_size(window: Window, pos: int) -> int:
    """Bytes of the frame at `pos`, by its headers. Raises Fault where they lead outside."""
    if window.read(pos, 4) != MAGIC:
        raise Fault("malformed", "no zstd frame", pos)
    flags = _number(window, pos + 4, 1)
    if flags & 0x08:
        raise Fault("malformed", "a zstd frame of another version", pos)
    single, content = flags >> 5 & 1, flags >> 6
    dictionary = (0, 1, 2, 4)[flags & 3]
    if dictionary:
        raise Fault("unsupported", "a zstd frame that needs a dictionary", pos)
    at = pos + 5 + (0 if single else 1) + ((0, 2, 4, 8)[content] or single)
    last = 0
    while not last:
        head = _number(window, at, 3)
        last, kind, size = head & 1, head >> 1 & 3, head >> 3
        if kind == 3:
            raise Fault("malformed", "a zstd block of no kind", at)
        at += 3 + (1 if kind == _RLE else size)
    at += 4 if flags & 0x04 else 0
    window.part(pos, at - pos)
    return at - pos


def _number(window: Window, at: int, size: int) -> int:
    return int.from_bytes(window.part(at, size).read(0, size), "little")


def _arrow() -> Any:
    try:
        return import_module("pyarrow")
    except ModuleNotFoundError:
        raise Fault("unsupported", "unpacking zstd needs the package pyarrow, which is not installed", 0) from None
