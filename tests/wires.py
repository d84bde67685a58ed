"""Small writers of formats that several folders of tests read: protocol buffers and sorted tables."""

from __future__ import annotations

import struct

from holdfast.core.formats.sstable import MAGIC


def varint(value: int) -> bytes:
    """A number in groups of seven bits."""
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def block(pairs: list[tuple[bytes, bytes]], every: int = 4) -> bytes:
    """A block whose keys share prefixes, restarting every few entries."""
    out, before, restarts = b"", b"", []
    for position, (key, value) in enumerate(pairs):
        shared = 0
        if position % every:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        else:
            restarts.append(len(out))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    restarts = restarts or [0]
    return out + b"".join(struct.pack("<I", at) for at in restarts) + struct.pack("<I", len(restarts))


def sstable(pairs: dict[bytes, bytes], of: int = 5, *, compressed: bool = False) -> bytes:
    """A table with `of` entries a block."""
    sheets = sorted(pairs.items())
    out, index = b"", []
    for at in range(0, len(sheets), of):
        body = block(sheets[at : at + of])
        index.append((sheets[min(at + of, len(sheets)) - 1][0], varint(len(out)) + varint(len(body))))
        out += body + bytes([compressed]) + b"sums"
    handles = b""
    for body in (block([]), block(index, 1)):
        handles += varint(len(out)) + varint(len(body))
        out += body + b"\0sums"
    return out + handles.ljust(40, b"\0") + MAGIC


def message(*pairs: tuple[int, bytes | int]) -> bytes:
    """A protocol buffer message of numbers and bytes."""
    out = b""
    for number, value in pairs:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out
