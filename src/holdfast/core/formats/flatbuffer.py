"""Flatbuffers, walked by field numbers, without a schema compiler and without copying.

Source: flatbuffers.dev/internals. A table points back to its vtable, which says where each field lies; a vector is a
count and its elements. Every offset is checked against the window before it is followed; nothing recurses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.formats.buffers import Fault, Window

MAX_ELEMENTS = 400_000_000


def _number(window: Window, at: int, size: int, *, signed: bool = False) -> int:
    return int.from_bytes(window.part(at, size).read(0, size), "little", signed=signed)


@dataclass(frozen=True, slots=True)
class Table:
    """One table at `at`. Its methods raise Fault where the bytes are none."""

    window: Window
    at: int

    @classmethod
    def root(cls, window: Window) -> Table:
        """The table that a buffer starts from."""
        return cls(window, _number(window, 0, 4))

    def place(self, number: int) -> int:
        """Where a field lies; 0 where it is not given."""
        vtable = self.at - _number(self.window, self.at, 4, signed=True)
        if 4 + 2 * number + 2 > _number(self.window, vtable, 2):
            return 0
        offset = _number(self.window, vtable + 4 + 2 * number, 2)
        return self.at + offset if offset else 0

    def integer(self, number: int, default: int, size: int = 4) -> int:
        """A whole number."""
        at = self.place(number)
        return _number(self.window, at, size, signed=True) if at else default

    def number(self, number: int, size: int) -> int:
        """A whole number without a sign; 0 where it is not given."""
        at = self.place(number)
        return _number(self.window, at, size) if at else 0

    def double(self, number: int, default: float) -> float:
        """A float64."""
        at = self.place(number)
        return float(np.frombuffer(self.window.part(at, 8).read(0, 8), "<f8")[0]) if at else default

    def text(self, number: int) -> str:
        """A text; empty where it is not given."""
        at = self.place(number)
        return _text(self.window, at + _number(self.window, at, 4)) if at else ""

    def table(self, number: int) -> Table | None:
        """A table; None where it is not given."""
        at = self.place(number)
        return Table(self.window, at + _number(self.window, at, 4)) if at else None

    def array(self, number: int, dtype: str) -> NDArray[Any]:
        """A vector of numbers or structs; empty where it is not given."""
        kind: np.dtype[Any] = np.dtype(dtype)
        start, count = self.vector(number)
        if not count:
            return np.zeros(0, kind)
        size = count * kind.itemsize
        return np.frombuffer(self.window.part(start, size).read(0, size), kind)

    def tables(self, number: int) -> list[Table]:
        """A vector of tables."""
        return [Table(self.window, at) for at in self._targets(number)]

    def texts(self, number: int) -> list[str]:
        """A vector of texts."""
        return [_text(self.window, at) for at in self._targets(number)]

    def _targets(self, number: int) -> list[int]:
        start, count = self.vector(number)
        if not count:
            return []
        steps = np.frombuffer(self.window.part(start, 4 * count).read(0, 4 * count), "<u4")
        return [start + 4 * position + step for position, step in enumerate(steps.tolist())]

    def vector(self, number: int) -> tuple[int, int]:
        """Where a vector's elements start, and how many there are."""
        at = self.place(number)
        if not at:
            return 0, 0
        start = at + _number(self.window, at, 4)
        count = _number(self.window, start, 4)
        if count > MAX_ELEMENTS:
            raise Fault("budget", f"{count:,} elements", start)
        return start + 4, count


def _text(window: Window, at: int) -> str:
    size = _number(window, at, 4)
    try:
        return window.part(at + 4, size).read(0, size).decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("malformed", "a text is not UTF-8", at) from None
