"""What an Arrow IPC stream claims to hold, read from its framing before the library is let at it.

A compressed buffer says how large it will be, and the library allocates that. So the claims are added up first: rows,
batches, and bytes when unpacked. Layout: the Arrow columnar format, "Encapsulated message format", and Message.fbs;
flatbuffers as far as those tables need them. Everything read is checked against the bytes that are there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

CONTINUATION: Final = 0xFFFFFFFF
MAX_METADATA_BYTES: Final = 4 << 20
MAX_BUFFERS: Final = 100_000
DICTIONARY_BATCH: Final = 2
RECORD_BATCH: Final = 3


class MalformedError(ValueError):
    """The bytes are no Arrow IPC stream."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a stream says of itself."""

    messages: int
    rows: int
    unpacked: int


def claims(data: bytes | memoryview) -> Claims:
    """Add up what a stream claims. Raises MalformedError."""
    messages = rows = unpacked = 0
    for metadata, body in _messages(memoryview(data)):
        messages += 1
        message = _Table(metadata, _u32(metadata, 0))
        kind = message.byte(1)
        if kind in (DICTIONARY_BATCH, RECORD_BATCH):
            header = message.table(2)
            batch = header.table(1) if kind == DICTIONARY_BATCH else header
            length = batch.long(0)
            if length < 0:
                raise MalformedError("a batch of negative length")
            rows += length if kind == RECORD_BATCH else 0
            unpacked += _unpacked(batch, body)
    return Claims(messages, rows, unpacked)


def _messages(data: memoryview) -> Iterator[tuple[memoryview, memoryview]]:
    """Metadata and body of every message."""
    place = 0
    while place < len(data):
        size = _u32(data, place)
        place += 4
        if size == CONTINUATION:
            size = _u32(data, place)
            place += 4
        if size == 0:
            return
        if size > min(MAX_METADATA_BYTES, len(data) - place):
            raise MalformedError("a message is longer than the stream, or its description than 4 MiB")
        metadata = data[place : place + size]
        place += size
        length = _Table(metadata, _u32(metadata, 0)).long(3)
        if not 0 <= length <= len(data) - place:
            raise MalformedError("a message claims more bytes than there are")
        yield metadata, data[place : place + length]
        place += length


def _unpacked(batch: _Table, body: memoryview) -> int:
    """The bytes of a batch's buffers once unpacked."""
    if not batch.has(3):
        return len(body)
    total = 0
    for offset, length in batch.pairs(2):
        if not (offset >= 0 and length >= 0 and offset + length <= len(body)):
            raise MalformedError("a buffer lies outside its message")
        if length:
            claimed = struct.unpack_from("<q", body, offset)[0] if length >= 8 else -2
            if claimed < -1:
                raise MalformedError("a compressed buffer does not say how large it is")
            total += length if claimed == -1 else claimed
    return total


@dataclass(frozen=True, slots=True)
class _Table:
    """A flatbuffers table at a place in its buffer."""

    data: memoryview
    place: int

    def _field(self, number: int) -> int | None:
        vtable = self.place - _i32(self.data, self.place)
        entry = 4 + 2 * number
        if entry + 2 > _u16(self.data, vtable):
            return None
        offset = _u16(self.data, vtable + entry)
        return self.place + offset if offset else None

    def has(self, number: int) -> bool:
        """Whether the field is there."""
        return self._field(number) is not None

    def byte(self, number: int) -> int:
        """A field of one byte; 0 by default."""
        place = self._field(number)
        return 0 if place is None else self.data[_within(self.data, place, 1)]

    def long(self, number: int) -> int:
        """A field of eight bytes; 0 by default."""
        place = self._field(number)
        if place is None:
            return 0
        return int(struct.unpack_from("<q", self.data, _within(self.data, place, 8))[0])

    def table(self, number: int) -> _Table:
        """A table that this one refers to."""
        place = self._field(number)
        if place is None:
            raise MalformedError("a message lacks its header")
        return _Table(self.data, place + _u32(self.data, place))

    def pairs(self, number: int) -> list[tuple[int, int]]:
        """A vector of structs of two longs."""
        place = self._field(number)
        if place is None:
            return []
        begin = place + _u32(self.data, place)
        count = _u32(self.data, begin)
        if count > MAX_BUFFERS:
            raise MalformedError("a batch has too many buffers")
        _within(self.data, begin + 4, 16 * count)
        return list(struct.iter_unpack("<qq", self.data[begin + 4 : begin + 4 + 16 * count]))


def _within(data: memoryview, place: int, size: int) -> int:
    if not 0 <= place <= len(data) - size:
        raise MalformedError("a description points outside itself")
    return place


def _u16(data: memoryview, place: int) -> int:
    return int(struct.unpack_from("<H", data, _within(data, place, 2))[0])


def _u32(data: memoryview, place: int) -> int:
    return int(struct.unpack_from("<I", data, _within(data, place, 4))[0])


def _i32(data: memoryview, place: int) -> int:
    return int(struct.unpack_from("<i", data, _within(data, place, 4))[0])
