"""Where the pieces of a chunked HDF5 array lie, by the indexes of newer files: one, none, fixed, growing, and B-tree.

Source: HDF5 File Format Specification 3.0, IV.A.2.i and VII (layout versions 4 and 5, fixed and extensible arrays).
Only the addresses and sizes of chunks are read.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.hdf5_source import UNDEFINED, Source
from holdfast.core.formats.hdf5_trees import records

MAX_CHUNKS: Final = 10_000_000
MAX_RANK: Final = 33
_SINGLE, _IMPLICIT, _FIXED, _GROWING, _TREE = range(1, 6)
_MORE: Final = {_SINGLE: 0, _IMPLICIT: 0, _FIXED: 1, _GROWING: 5, _TREE: 6}
"""Bytes of parameters in front of the address of each index."""

Place = tuple[int, int]
"""Address and bytes."""


def chunks(source: Source, body: Window, shape: Sequence[int]) -> Iterator[Place]:
    """The chunks that are in the file, by a layout message of version 4 or 5; `shape` is the largest one declared."""
    at = body.start - source.window.start
    flags, rank, width = body.part(2, 3).read(0, 3)
    pos = 5 + rank * width
    sizes = [int.from_bytes(body.part(5 + n * width, width).read(0, width), "little") for n in range(rank)]
    kind = body.part(pos, 1).read(0, 1)[0]
    if not 1 < rank <= MAX_RANK or not 0 < width <= 8 or kind not in _MORE or not all(sizes):
        raise Fault("malformed", "an array in chunks of impossible measures", at)
    pos += 1
    filtered = kind == _SINGLE and flags & 2
    place = int.from_bytes(body.part(pos + (12 if filtered else _MORE[kind]), 8).read(0, 8), "little")
    if place == UNDEFINED:
        return
    whole = math.prod(sizes)
    if kind == _SINGLE:
        yield place, int.from_bytes(body.read(pos, 8), "little") if filtered else whole
    elif kind == _IMPLICIT:
        yield place, whole * math.prod(_in(size, step) for size, step in zip(shape, sizes[:-1], strict=False))
    elif kind == _TREE:
        yield from _in_tree(source, place, rank - 1, whole)
    else:
        entries = _fixed(source, place) if kind == _FIXED else _growing(source, place)
        yield from (_entry(raw, whole) for raw in entries)


def _in(count: int, of: int) -> int:
    """How many groups of `of` hold `count`."""
    return -(-count // of)


def _entry(raw: bytes, whole: int) -> Place:
    """An address; behind filters, also the bytes that came out of them, and which were left out."""
    size = whole if len(raw) == 8 else int.from_bytes(raw[8:-4], "little")
    return int.from_bytes(raw[:8], "little"), size


def _in_tree(source: Source, at: int, rank: int, whole: int) -> Iterator[Place]:
    """Records end with the chunk's place in the array, one number for each dimension."""
    for raw in records(source, at, (10, 11)):
        yield _entry(raw[: -8 * rank], whole)


def _entries(raw: bytes, size: int, start: int, count: int) -> Iterator[bytes]:
    return (raw[pos : pos + size] for pos in range(start, start + count * size, size))


def _pages(source: Source, at: int, size: int, count: int, page: int, present: bytes) -> Iterator[bytes]:
    """Pages lie one behind another, each with its checksum; `present` has a bit for each that was ever written."""
    for number in range(_in(count, page)):
        here = min(page, count - number * page)
        if present[number // 8] & 0x80 >> number % 8:
            yield from _entries(source.take(at, here * size + 4), size, 0, here)
        at += here * size + 4


def _sized(size: int, count: int, bits: int, at: int) -> None:
    if not 8 <= size <= 20 or 8 < size < 13 or count > MAX_CHUNKS or bits > 32:
        raise Fault("malformed", "an index of chunks of impossible measures", at)


def _fixed(source: Source, at: int) -> Iterator[bytes]:
    head = source.take(at, 28)
    size, bits, count, place = struct.unpack_from("<BBQQ", head, 6)
    if head[:5] != b"FAHD\0":
        raise Fault("malformed", "no fixed array", at)
    _sized(size, count, bits, at)
    if place == UNDEFINED:
        return
    page = 1 << bits
    if count <= page:
        raw = source.take(place, 14 + count * size + 4)
        yield from _entries(raw, size, 14, count)
    else:
        bitmap = _in(_in(count, page), 8)
        raw = source.take(place, 14 + bitmap + 4)
        yield from _pages(source, place + len(raw), size, count, page, raw[14:-4])
    if raw[:5] != b"FADB\0" or raw[6:14] != at.to_bytes(8, "little"):
        raise Fault("malformed", "no block of this fixed array", place)


@dataclass(frozen=True, slots=True)
class _Array:
    """An extensible array's measures: element bytes, elements in its index block, in its least data block, a page."""

    source: Source
    at: int
    size: int
    offset_size: int
    least: int
    page: int

    def block(self, at: int, mark: bytes, used: int, frame: int) -> bytes:
        """A block of this array: signature, version, client, owner, `frame` bytes in all in front of what it holds."""
        raw = self.source.take(at, frame + used + 4)
        if raw[:5] != mark + b"\0" or raw[6:14] != self.at.to_bytes(8, "little"):
            raise Fault("malformed", "no block of this extensible array", at)
        return raw[frame:-4]

    def data(self, at: int, row: int, present: bytes) -> Iterator[bytes]:
        """The elements of a data block of super block `row`."""
        if at == UNDEFINED:
            return
        count, frame = self.count(row), 14 + self.offset_size
        if count > MAX_CHUNKS:
            raise Fault("budget", f"{count:,} chunks in a block", at)
        if count <= self.page:
            yield from _entries(self.block(at, b"EADB", count * self.size, frame), self.size, 0, count)
            return
        self.block(at, b"EADB", 0, frame)
        yield from _pages(self.source, at + frame + 4, self.size, count, self.page, present)

    def count(self, row: int) -> int:
        """Elements in each data block of a super block."""
        return self.least << (row + 1) // 2

    def bitmap(self, row: int) -> int:
        """Bytes that say which pages of one of its data blocks were written."""
        return _in(_in(self.count(row), self.page), 8) if self.count(row) > self.page else 0

    def super(self, at: int, row: int) -> Iterator[bytes]:
        """The elements behind a super block: for each of its data blocks a bitmap, then their addresses."""
        if at == UNDEFINED:
            return
        blocks, bitmap = 1 << row // 2, self.bitmap(row)
        raw = self.block(at, b"EASB", blocks * (bitmap + 8), 14 + self.offset_size)
        for number, place in enumerate(struct.unpack_from(f"<{blocks}Q", raw, blocks * bitmap)):
            yield from self.data(place, row, raw[number * bitmap : (number + 1) * bitmap])


def _growing(source: Source, at: int) -> Iterator[bytes]:
    head = source.take(at, 72)
    size, bits, inside, least, pointers, page = head[6:12]
    place = int.from_bytes(head[60:68], "little")
    if head[:5] != b"EAHD\0":
        raise Fault("malformed", "no extensible array", at)
    _sized(size, 0, page, at)
    if not least or not pointers or least & (least - 1) or pointers & (pointers - 1) or bits > 64:
        raise Fault("malformed", "an extensible array of impossible measures", at)
    if place == UNDEFINED:
        return
    array = _Array(source, at, size, _in(bits, 8), least, 1 << page)
    rows = bits - (least.bit_length() - 1) + 1
    early = 2 * (pointers.bit_length() - 1)
    near = 2 * (pointers - 1)
    late = max(0, rows - early)
    raw = array.block(place, b"EAIB", inside * size + 8 * (near + late), 14)
    yield from _entries(raw, size, 0, inside)
    places = struct.unpack_from(f"<{near + late}Q", raw, inside * size)
    owners = [row for row in range(early) for _ in range(1 << row // 2)]
    for row, block in zip(owners, places[:near], strict=False):
        yield from array.data(block, row, b"")
    for row, block in enumerate(places[near:], early):
        yield from array.super(block, row)
