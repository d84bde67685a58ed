"""Universal Binary JSON, read with bounds: the container of XGBoost's `.ubj` models and serialised boosters.

Typed arrays become numpy arrays without a Python object per number. Draft 12 of the UBJSON specification;
what XGBoost never writes (high-precision numbers, typed objects, arrays of value-less types) is refused.
"""

from __future__ import annotations

import struct

import numpy as np

from holdfast.core.formats.faults import damaged, oversize

MAX_DEPTH = 48
MAX_VALUES = 4_000_000
"""Values that become Python objects; numbers in typed arrays do not count."""

Value = object

_NUMBERS = {
    ord("i"): (">b", "i1"),
    ord("U"): (">B", "u1"),
    ord("I"): (">h", ">i2"),
    ord("l"): (">i", ">i4"),
    ord("L"): (">q", ">i8"),
    ord("d"): (">f", ">f4"),
    ord("D"): (">d", ">f8"),
}
_INTEGERS = frozenset(b"iUIlL")
_CONSTANTS: dict[int, bool | None] = {ord("Z"): None, ord("T"): True, ord("F"): False}
_NO_OP, _TYPE, _COUNT = ord("N"), ord("$"), ord("#")
_ARRAY, _ARRAY_END, _OBJECT, _OBJECT_END = ord("["), ord("]"), ord("{"), ord("}")
_STRING, _CHAR = ord("S"), ord("C")


def parse(data: bytes | memoryview, kind: str = "UBJSON") -> Value:
    """The one value in `data`: dict, list, str, int, float, bool, None, or a numpy array. FormatError if broken."""
    reader = _Reader(memoryview(data), kind)
    value = reader.value(reader.marker(), 0)
    if not reader.at_end():
        raise damaged(kind, f"bytes follow the end of the document at offset {reader.offset}")
    return value


class _Reader:
    def __init__(self, data: memoryview, kind: str) -> None:
        self._data, self._kind = data, kind
        self.offset = 0
        self._values = 0

    def at_end(self) -> bool:
        return self.offset == len(self._data)

    def marker(self) -> int:
        """The next type marker; no-ops are skipped."""
        while True:
            marker = self._take(1)[0]
            if marker != _NO_OP:
                return marker

    def value(self, marker: int, depth: int) -> Value:
        self._values += 1
        if self._values > MAX_VALUES:
            raise oversize(self._kind, "values, or more", self._values, MAX_VALUES)
        if marker in _NUMBERS:
            return self._number(marker)
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker == _STRING:
            return self._string()
        if marker == _CHAR:
            return chr(self._take(1)[0])
        if depth >= MAX_DEPTH:
            raise oversize(self._kind, "levels of nesting", depth + 1, MAX_DEPTH)
        if marker == _ARRAY:
            return self._array(depth + 1)
        if marker == _OBJECT:
            return self._object(depth + 1)
        raise self._broken(f"unknown type marker {marker:#04x}")

    def _take(self, size: int) -> memoryview:
        end = self.offset + size
        if end > len(self._data):
            raise self._broken("the data ends early")
        part = self._data[self.offset : end]
        self.offset = end
        return part

    def _number(self, marker: int) -> int | float:
        layout = _NUMBERS[marker][0]
        number: int | float = struct.unpack(layout, self._take(struct.calcsize(layout)))[0]
        return number

    def _length(self) -> int:
        """A length or count; every element takes at least one byte, so it cannot exceed what is left."""
        marker = self._take(1)[0]
        if marker not in _INTEGERS:
            raise self._broken("a length is not an integer")
        length = int(self._number(marker))
        if not 0 <= length <= len(self._data) - self.offset:
            raise self._broken(f"a length of {length:,} reaches outside the data")
        return length

    def _string(self) -> str:
        part = self._take(self._length())
        try:
            return bytes(part).decode("utf-8")
        except UnicodeDecodeError as fault:
            raise self._broken("a text is not UTF-8") from fault

    def _peek(self) -> int:
        if self.at_end():
            raise self._broken("the data ends early")
        return self._data[self.offset]

    def _array(self, depth: int) -> Value:
        if self._peek() == _TYPE:
            return self._typed_array(depth)
        if self._peek() == _COUNT:
            self.offset += 1
            return [self.value(self.marker(), depth) for _ in range(self._length())]
        found = []
        while (marker := self.marker()) != _ARRAY_END:
            found.append(self.value(marker, depth))
        return found

    def _typed_array(self, depth: int) -> Value:
        self.offset += 1
        marker = self._take(1)[0]
        if self._take(1)[0] != _COUNT:
            raise self._broken("a typed array has no count")
        if marker in _NUMBERS:
            dtype = np.dtype(_NUMBERS[marker][1])
            part = self._take(self._length() * dtype.itemsize)
            return np.frombuffer(part, dtype).astype(dtype.newbyteorder("="))
        if marker not in (_STRING, _CHAR, _ARRAY, _OBJECT):
            raise self._broken("an array of values that take no bytes")
        return [self.value(marker, depth) for _ in range(self._length())]

    def _object(self, depth: int) -> dict[str, Value]:
        if self._peek() == _TYPE:
            raise self._broken("typed objects are not read")
        found: dict[str, Value] = {}
        if self._peek() == _COUNT:
            self.offset += 1
            for _ in range(self._length()):
                self._member(found, depth)
            return found
        while self._peek() != _OBJECT_END:
            if self._peek() == _NO_OP:
                self.offset += 1
            else:
                self._member(found, depth)
        self.offset += 1
        return found

    def _member(self, found: dict[str, Value], depth: int) -> None:
        key = self._string()
        if key in found:
            raise self._broken(f"the key {key[:40]!r} appears twice")
        found[key] = self.value(self.marker(), depth)

    def _broken(self, why: str) -> Exception:
        return damaged(self._kind, f"{why} (offset {self.offset:,})")
