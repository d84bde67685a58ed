"""Fractal heaps of HDF5, where groups with many links and objects with many attributes keep them.

Source: HDF5 File Format Specification 3.0, III.G: managed objects lie in direct blocks, which a table of rows of
doubling size points to, through indirect blocks where there are many; huge ones lie alone and are found in a B-tree.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.hdf5_source import UNDEFINED, Source, width_of
from holdfast.core.formats.hdf5_trees import records

MAX_BLOCKS: Final = 1_000_000
MAX_ROWS: Final = 64
_HEAD: Final = 146
_SPACE_HEAD, _SECTION = 82, 40


class Heap:
    """One heap: objects by their ids."""

    def __init__(self, source: Source, at: int) -> None:
        head = source.take(at, _HEAD)
        self.source, self.at = source, at
        self.id_size, filters, flags, most = struct.unpack_from("<HHBL", head, 5)
        huge, space = struct.unpack_from("<Q", head, 22)[0], struct.unpack_from("<Q", head, 38)[0]
        self.width, self.first, self.largest, bits, _, root, rows = struct.unpack_from("<HQQHHQH", head, 110)
        if head[:5] != b"FRHP\0":
            raise Fault("malformed", "no fractal heap", at)
        if filters:
            raise Fault("unsupported", "a fractal heap behind filters", at)
        self._check(bits, rows)
        self.offset_size, self.frame = -(-bits // 8), 13 + -(-bits // 8) + (4 if flags & 2 else 0)
        self.length_size = min((self.largest.bit_length() + 6) // 8, width_of(most))
        self.starts, self.blocks = list[int](), list[tuple[int, int, int]]()
        self._blocks(root, rows)
        self.huge = {record[16:24]: record[:16] for record in records(source, huge, (1,))} if huge != UNDEFINED else {}
        _free_space(source, space)

    def _check(self, bits: int, rows: int) -> None:
        sizes = (self.width, self.first, self.largest)
        sound = all(size and not size & (size - 1) for size in sizes) and self.first <= self.largest < 1 << 32
        if not sound or self.width > 1 << 12 or not 0 < bits <= 64 or rows > MAX_ROWS:
            raise Fault("malformed", "a fractal heap of impossible measures", self.at)

    def object(self, key: bytes) -> Window:
        """The bytes of an object. Raises Fault where the heap has none of this id."""
        kind = key[0] >> 4
        if kind == 1:
            return self._huge(key)
        if kind or len(key) != self.id_size:
            raise Fault("unsupported", f"a heap object of kind {kind}", self.at)
        cut = 1 + self.offset_size
        offset = int.from_bytes(key[1:cut], "little")
        size = int.from_bytes(key[cut : cut + self.length_size], "little")
        place = bisect_right(self.starts, offset) - 1
        start, length, at = self.blocks[place] if place >= 0 else (0, 0, 0)
        if offset + size > start + length or offset < start + self.frame:
            raise Fault("malformed", "a heap object outside of its blocks", self.at)
        self.source.take(at + offset - start, size)
        return self.source.window.part(at + offset - start, size)

    def _huge(self, key: bytes) -> Window:
        found = self.huge.get(key[1:].ljust(8, b"\0")[:8])
        if found is None:
            raise Fault("malformed", "the heap has no such large object", self.at)
        at, size = struct.unpack("<QQ", found)
        self.source.take(at, size)
        return self.source.window.part(at, size)

    def _blocks(self, root: int, rows: int) -> None:
        """Every direct block, by where it lies in the heap's own space."""
        waiting = [] if root == UNDEFINED else [(root, rows, 0)]
        seen = set[int]()
        found: list[tuple[int, int, int]] = []
        if waiting and not rows:
            waiting, found = [], [(0, self.first, root)]
        direct = (self.largest // self.first).bit_length() + 1
        while waiting:
            at, rows, start = waiting.pop()
            if at in seen or len(found) > MAX_BLOCKS:
                raise Fault("malformed", "a heap whose blocks run in circles", at)
            seen.add(at)
            table = self._table(at, rows, start)
            for row in range(rows):
                size = self.first << max(0, row - 1)
                inside = size.bit_length() - (self.first * self.width).bit_length() + 1
                for place in table[row * self.width : (row + 1) * self.width]:
                    if place != UNDEFINED and row < direct:
                        found.append((start, size, place))
                    elif place != UNDEFINED:
                        waiting.append((place, inside, start))
                    start += size
        self.blocks = sorted(found)
        self.starts = [block[0] for block in self.blocks]
        for start, size, at in self.blocks:
            head = self.source.take(at, self.frame)
            self.source.window.part(at, size)
            if head[:5] != b"FHDB\0" or self._owner(head) != (self.at, start):
                raise Fault("malformed", "no block of this heap", at)

    def _table(self, at: int, rows: int, start: int) -> tuple[int, ...]:
        """The addresses in an indirect block, row by row."""
        if not 0 < rows <= MAX_ROWS:
            raise Fault("malformed", "a heap's table without rows", at)
        head, count = 13 + self.offset_size, rows * self.width
        raw = self.source.take(at, head + 8 * count + 4)
        if raw[:5] != b"FHIB\0" or self._owner(raw) != (self.at, start):
            raise Fault("malformed", "no table of this heap", at)
        return struct.unpack_from(f"<{count}Q", raw, head)

    def _owner(self, head: bytes) -> tuple[int, int]:
        """The heap that a block says it belongs to, and where in it."""
        return int.from_bytes(head[5:13], "little"), int.from_bytes(head[13 : 13 + self.offset_size], "little")


def _free_space(source: Source, at: int) -> None:
    """The list of free places, which is only accounted for: free places themselves must hold zeros."""
    if at == UNDEFINED:
        return
    head = source.take(at, _SPACE_HEAD)
    sections = struct.unpack_from("<Q", head, 14)[0]
    place, used = struct.unpack_from("<2Q", head, 54)
    if head[:5] != b"FSHD\0" or (place != UNDEFINED and used > 17 + _SECTION * sections):
        raise Fault("malformed", "no list of free places", at)
    if place != UNDEFINED and source.take(place, used)[:4] != b"FSSE":
        raise Fault("malformed", "no list of free places", place)
