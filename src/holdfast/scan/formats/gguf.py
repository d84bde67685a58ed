"""GGUF: the header's keys and tensor descriptions are read, tensors are skipped by their shapes.

Source: the format's own description (versions 2 and 3, little and big endian); block sizes by quantisation type.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.scan.formats.cards import read_licence
from holdfast.scan.formats.templates import read_template
from holdfast.scan.inspect import Inspector, Seen

MAX_KEYS: Final = 100_000
MAX_TENSORS: Final = 1_000_000
MAX_STRING: Final = 16 << 20
MAX_ELEMENTS: Final = 1 << 62
_FIXED: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_TYPES: Final = (
    "0:1/4 1:1/2 2:32/18 3:32/20 6:32/22 7:32/24 8:32/34 9:32/36 10:256/84 "
    "11:256/110 12:256/144 13:256/176 14:256/210 15:256/292 16:256/66 17:256/74 18:256/98 19:256/50 "
    "20:32/18 21:256/110 22:256/82 23:256/136 24:1/1 25:1/2 26:1/4 27:1/8 28:1/8 "
    "29:256/56 30:1/2 34:256/54 35:256/66 39:32/17 "
)
_BLOCKS: Final = {
    int(kind): (int(size.partition("/")[0]), int(size.partition("/")[2]))
    for kind, _, size in (word.partition(":") for word in _TYPES.split())
}
"""Elements and bytes of a block, by tensor type."""


@dataclass
class _Cursor:
    """Reads forward in a window; every length is checked against what is left before it is used."""

    window: Window
    order: str
    at: int = 0

    def take(self, size: int) -> bytes:
        data = self.window.part(self.at, size).read(0, size)
        self.at += size
        return data

    def number(self, code: str) -> Any:
        return struct.unpack(self.order + code, self.take(struct.calcsize(code)))[0]

    def text(self) -> str:
        size = self.number("Q")
        if size > MAX_STRING:
            raise Fault("malformed", f"a text of {size:,} bytes", self.at)
        return self.take(size).decode("utf-8", "replace")

    def count(self, most: int, what: str) -> int:
        number = int(self.number("Q"))
        if number > most:
            raise Fault("malformed", f"{number:,} {what}", self.at)
        return number


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """Header, keys, tensor descriptions; tensors must lie inside the file, aligned, without lying over each other."""
    cursor = _open(window)
    tensors = cursor.count(MAX_TENSORS, "tensors")
    keys = cursor.count(MAX_KEYS, "keys")
    alignment = 32
    for _ in range(keys):
        inspector.enter()
        place = cursor.at
        name = cursor.text()
        value = _value(cursor, cursor.number("I"), inspector)
        if name == "general.alignment":
            alignment = _alignment(value, place)
        elif name == "general.license":
            read_licence(value, seen)
        elif name.startswith("tokenizer.chat_template") and isinstance(value, str):
            inspector.parse_template(len(value))
            read_template(value, seen, offset=place, member=name[:200])
    described = [_tensor(cursor, inspector) for _ in range(tensors)]
    seen.parsed = cursor.at
    _skip(window, seen, sorted(described), alignment)


def _open(window: Window) -> _Cursor:
    for order in "<>":
        cursor = _Cursor(window, order, 4)
        if cursor.number("I") in (2, 3):
            return cursor
    raise Fault("unsupported", "a version of GGUF that is not read", 4)


def _value(cursor: _Cursor, kind: int, inspector: Inspector, nested: int = 0) -> Any:
    if kind == _STRING:
        return cursor.text()
    if kind in _FIXED:
        return cursor.number(_FIXED[kind])
    if kind != _ARRAY or nested > 4:
        raise Fault("malformed", f"a value of type {kind}", cursor.at)
    inner = cursor.number("I")
    count = cursor.count(MAX_STRING, "elements")
    if inner in _FIXED:
        cursor.take(count * struct.calcsize(_FIXED[inner]))
        return None
    for _ in range(count):
        inspector.enter()
        _value(cursor, inner, inspector, nested + 1)
    return None


def _alignment(value: Any, at: int) -> int:
    if type(value) is not int or not 1 <= value <= 1 << 20 or value & (value - 1):
        raise Fault("malformed", "an alignment that is no power of two", at)
    return value


def _tensor(cursor: _Cursor, inspector: Inspector) -> tuple[int, int]:
    """Offset in the data region and size of one tensor."""
    inspector.enter()
    place = cursor.at
    cursor.text()
    elements = 1
    for _ in range(_dimensions(cursor)):
        elements *= int(cursor.number("Q"))
    kind = cursor.number("I")
    if kind not in _BLOCKS or elements > MAX_ELEMENTS:
        raise Fault("malformed", f"a tensor of type {kind} with {elements:,} elements", place)
    block, size = _BLOCKS[kind]
    if elements % block:
        raise Fault("malformed", "a tensor that does not fill its blocks", place)
    return int(cursor.number("Q")), elements // block * size


def _dimensions(cursor: _Cursor) -> int:
    count = int(cursor.number("I"))
    if count > 8:
        raise Fault("malformed", f"a tensor of {count} dimensions", cursor.at)
    return count


def _skip(window: Window, seen: Seen, tensors: list[tuple[int, int]], alignment: int) -> None:
    start = -(-seen.parsed // alignment) * alignment
    reached = min(start, len(window))
    for offset, size in tensors:
        begin = start + offset
        if begin < reached or begin - reached >= alignment:
            raise Fault("malformed", "tensors lie over each other or leave a gap", reached)
        reached = begin + size
    if reached > len(window):
        raise Fault("truncated", f"tensors of {reached - start:,} bytes where {len(window) - start:,} are left", start)
    behind = len(window) - reached
    if behind >= alignment or any(window.read(reached, behind)):
        seen.skipped = reached - seen.parsed
        raise Fault("trailing-bytes", f"{behind:,} bytes behind the tensors", reached)
    seen.skipped = len(window) - seen.parsed
