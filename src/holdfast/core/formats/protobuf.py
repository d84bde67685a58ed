"""The protocol buffer wire format, walked without a schema and without copying.

Source: protobuf.dev/programming-guides/encoding. Groups (wire types 3 and 4) are refused: no model format uses them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from holdfast.core.formats.buffers import Buffer, Fault, Window

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
MAX_FIELDS: Final = 500_000
"""Fields of one message that are kept side by side; each takes a hundred bytes."""
MAX_WAITING: Final = 500_000
"""Messages that a walk has found and not yet read."""


class Field(NamedTuple):
    """One field. `value` of a varint is its number; `offset` and `size` are those of its payload in the window."""

    number: int
    wire: int
    value: int
    offset: int
    size: int


def fields(window: Window) -> Iterator[Field]:
    """The fields of one message, in order. Raises Fault where the bytes are no message."""
    data, end, base = window.data, window.end, window.start
    pos = base
    while pos < end:
        at = pos
        tag, pos = _varint(data, pos, end)
        number, wire = tag >> 3, tag & 7
        if number == 0 or number >= 1 << 29:
            raise Fault("malformed", f"field number {number}", at - base)
        if wire == VARINT:
            value, after = _varint(data, pos, end)
            yield Field(number, wire, value, pos - base, after - pos)
        elif wire == BYTES:
            size, pos = _varint(data, pos, end)
            after = pos + size
            if after > end:
                raise Fault("truncated", f"a field of {size:,} bytes where {end - pos:,} are left", at - base)
            yield Field(number, wire, 0, pos - base, size)
        elif wire in (FIXED32, FIXED64):
            after = pos + (4 if wire == FIXED32 else 8)
            if after > end:
                raise Fault("truncated", "a fixed field is cut off", at - base)
            yield Field(number, wire, int.from_bytes(data[pos:after], "little"), pos - base, after - pos)
        else:
            raise Fault("malformed", f"wire type {wire}", at - base)
        pos = after


def listed(window: Window) -> list[Field]:
    """The fields of one message at once, as far as there is room for them. Raises Fault: also budget."""
    found = list(islice(fields(window), MAX_FIELDS + 1))
    if len(found) > MAX_FIELDS:
        raise Fault("budget", f"a message of more than {MAX_FIELDS:,} fields", 0)
    return found


def numbers(window: Window) -> Iterator[int]:
    """Packed varints, as repeated numbers are written. Raises Fault where the last one does not end."""
    pos = window.start
    while pos < window.end:
        value, pos = _varint(window.data, pos, window.end)
        yield value


def _varint(data: Buffer, pos: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while pos < end and shift < 70:
        byte: int = data[pos]
        value |= (byte & 0x7F) << shift
        pos += 1
        if byte < 0x80:
            return value & (2**64 - 1), pos
        shift += 7
    raise Fault("truncated" if pos >= end else "malformed", "a number does not end", pos)
