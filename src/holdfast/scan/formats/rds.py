"""R objects (.rds, .rda): the serialisation stream item by item, without making any of it.

Source: R Internals, section "Serialization Formats", and R's serialize.c (item flags and pseudo types). Every item says
how many further items it consists of, so a count of what is still to come is all the state a walk needs.
"""

from __future__ import annotations

import struct
from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.scan.inspect import Inspector, Seen

MAX_ITEMS: Final = 20_000_000
MAX_SIZE: Final = 1 << 40
_PAIRS: Final = {2: "", 239: "", 3: "closure", 5: "promise", 6: "call", 240: "call", 17: "dots"}
"""Pair lists and what is stored like them: attributes, tag, head, tail."""
_VECTORS: Final = {10: 4, 13: 4, 14: 8, 15: 16, 24: 1}
_NOTHING: Final = frozenset((254, 253, 252, 251, 250, 242, 241))
"""NULL, the global, base and empty environments by name, and the markers of missing values."""
_CHARACTERS, _STRINGS, _LISTS, _SYMBOL = 9, 16, (19, 20), 1
_RUNS: Final = {
    4: ("environment", 4),
    7: ("special", 0),
    8: ("builtin", 0),
    22: ("external pointer", 2),
    23: ("weak reference", 0),
}
"""What belongs to a session and not to data, and the items that follow."""
_MAPPED: Final = frozenset((b"mmap_integer", b"mmap_real"))
_FLAG_ATTRIBUTES, _FLAG_TAG = 0x200, 0x400


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """The header, then one item and all that it consists of."""
    walk = _Walk(window, seen)
    try:
        walk.header()
        left = 1
        while left:
            left += walk.item() - 1
    finally:
        seen.skipped = walk.skipped
        seen.parsed = walk.pos - walk.skipped
    if walk.pos < len(window):
        raise Fault("trailing-bytes", f"{len(window) - walk.pos:,} bytes behind the object", walk.pos)


class _Walk:
    def __init__(self, window: Window, seen: Seen) -> None:
        self.window, self.seen = window, seen
        self.pos = self.skipped = self.items = 0
        self.told: set[str] = set()

    def number(self) -> int:
        raw = self.window.read(self.pos, 4)
        if len(raw) < 4:
            raise Fault("truncated", "the stream ends within an item", self.pos)
        self.pos += 4
        return int(struct.unpack(">i", raw)[0])

    def length(self) -> int:
        """A length; -1 announces one of 64 bits."""
        size = self.number()
        if size == -1:
            size = (self.number() << 32) + (self.number() & 0xFFFFFFFF)
        if not 0 <= size < MAX_SIZE:
            raise Fault("malformed", f"a length of {size:,}", self.pos - 4)
        return size

    def skip(self, size: int) -> None:
        self.window.part(self.pos, size)
        self.pos += size
        self.skipped += size

    def tell(self, kind: str, value: str) -> None:
        """State a fact once, where it first shows."""
        if value not in self.told:
            self.told.add(value)
            self.seen.add(kind, value, self.pos - 4)

    def header(self) -> None:
        if self.window.read(0, 3) == b"RDX":
            self.pos = 5
        if self.window.read(self.pos, 2) != b"X\n":
            raise Fault("unsupported", "a stream that is not in XDR form", self.pos)
        self.pos += 2
        version = self.number()
        self.pos += 8
        if version not in (2, 3):
            raise Fault("unsupported", f"serialisation version {version}", 2)
        if version == 3:
            self.skip(self.length())

    def item(self) -> int:
        """Read one item; how many further ones it consists of."""
        self.items += 1
        if self.items > MAX_ITEMS:
            raise Fault("budget", "too many items", self.pos)
        flags = self.number()
        kind = flags & 0xFF
        attributes = 1 if flags & _FLAG_ATTRIBUTES else 0
        if kind in _PAIRS:
            return self._pair(kind, flags)
        if kind in _VECTORS:
            self.skip(self.length() * _VECTORS[kind])
            return attributes
        if kind == _STRINGS or kind in _LISTS:
            if kind == _LISTS[1]:
                self.tell("r-language", "expression")
            return self.length() + attributes
        if kind == _CHARACTERS:
            self._characters()
            return 0
        return self._other(kind, flags, attributes)

    def _pair(self, kind: int, flags: int) -> int:
        what = _PAIRS[kind]
        if what:
            self.tell("r-language" if what == "call" else "r-code", what)
        always = kind in (239, 240)
        return (1 if flags & _FLAG_ATTRIBUTES or always else 0) + (1 if flags & _FLAG_TAG else 0) + 2

    def _characters(self) -> None:
        size = self.number()
        if size < -1:
            raise Fault("malformed", f"a text of {size} bytes", self.pos - 4)
        if self.window.read(self.pos, 12).startswith(tuple(_MAPPED)) and size in map(len, _MAPPED):
            self.tell("r-code", "an array mapped from a file")
        self.skip(max(0, size))

    def _other(self, kind: int, flags: int, attributes: int) -> int:
        if kind in _NOTHING:
            return 0
        if kind == _SYMBOL:
            return 1
        if kind == 25:
            return attributes
        if kind == 255:
            if not flags >> 8:
                self.number()
            return 0
        if kind == 238:
            return 3
        if kind in (247, 248, 249):
            self.tell("r-language", {247: "persistent name", 248: "package", 249: "namespace"}[kind])
            self.number()
            return self.length()
        if kind in _RUNS:
            return self._session(kind, attributes)
        if kind == 21:
            self.tell("r-code", "bytecode")
        raise Fault("unsupported" if kind in (21, 243, 244) else "malformed", f"an item of type {kind}", self.pos - 4)

    def _session(self, kind: int, attributes: int) -> int:
        what, count = _RUNS[kind]
        self.tell("r-code", what)
        if kind == 4:
            self.number()
            return count
        if kind in (7, 8):
            self.skip(self.length())
        return count + attributes
