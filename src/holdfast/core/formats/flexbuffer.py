"""The first texts of a flexbuffer's root vector: as much as TensorFlow Lite's Flex operators need.

Source: flatbuffers.dev/flexbuffers and internals. The buffer is read from its end: root width, root type, root value;
an offset counts backwards from where it stands. Types of an untyped vector's elements lie behind the elements.
"""

from __future__ import annotations

from typing import Final

from holdfast.core.formats.buffers import Fault, Window

_KEY, _TEXT, _VECTOR, _BLOB = 4, 5, 10, 25
_WIDTHS: Final = (1, 2, 4, 8)


def first_texts(window: Window, count: int) -> list[bytes]:
    """Up to `count` texts or blobs that the root vector begins with. Raises Fault where the bytes are none."""
    size = len(window)
    if size < 3:
        raise Fault("malformed", "options that are no flexbuffer", 0)
    packed, width = window.read(size - 2, 1)[0], window.read(size - 1, 1)[0]
    if width not in _WIDTHS or packed >> 2 != _VECTOR:
        raise Fault("malformed", "options of another shape", size - 2)
    root = size - 2 - width
    start = root - _number(window, root, width)
    step = _WIDTHS[packed & 3]
    length = _number(window, start - step, step)
    found = []
    for place in range(min(count, length)):
        kind = window.part(start + length * step + place, 1).read(0, 1)[0]
        if kind >> 2 not in (_TEXT, _BLOB, _KEY):
            raise Fault("malformed", "options that begin with no text", start)
        at = start + place * step
        found.append(_text(window, at - _number(window, at, step), _WIDTHS[kind & 3]))
    return found


def _text(window: Window, at: int, width: int) -> bytes:
    size = _number(window, at - width, width)
    return window.part(at, size).read(0, size)


def _number(window: Window, at: int, width: int) -> int:
    return int.from_bytes(window.part(at, width).read(0, width), "little")
