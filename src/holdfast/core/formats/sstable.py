"""Sorted tables of keys and values, as LevelDB lays them out and TensorFlow writes its checkpoint indexes.

Source: LevelDB's table format: blocks of entries whose keys share a prefix with the one before, each block followed by
its compression and a checksum, and a footer that says where the index lies. Checksums are not recomputed: whoever could
change an entry could change them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from holdfast.core.formats.buffers import Fault, Window

MAGIC: Final = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER: Final = 48
MAX_ENTRIES: Final = 2_000_000
MAX_KEY: Final = 1 << 16
_TRAILER: Final = 5
"""Compression and checksum behind a block."""


def is_sstable(window: Window) -> bool:
    """Whether the last bytes are those of a table."""
    return len(window) >= FOOTER and window.read(len(window) - 8, 8) == MAGIC


def entries(window: Window) -> Iterator[tuple[bytes, Window]]:
    """Every key with its value, in the file's order.

    Raises Fault where the file cannot be followed, a block is compressed, or bytes belong to no block.
    """
    footer = window.part(len(window) - FOOTER, FOOTER)
    meta, pos = _handle(footer, 0)
    index, pos = _handle(footer, pos)
    if any(footer.read(pos, FOOTER - 8 - pos)):
        raise Fault("malformed", "a footer that holds more than it should", len(window) - FOOTER)
    places = [_handle(value, 0)[0] for _, value in _block(window, index)]
    for _ in _block(window, meta):
        pass
    for place in places:
        yield from _block(window, place)
    _check_filled(window, [*places, meta, index])


def _check_filled(window: Window, places: list[tuple[int, int]]) -> None:
    """Blocks lie side by side and fill the file up to its footer."""
    reached = 0
    for offset, size in sorted(places):
        if offset != reached:
            raise Fault("malformed", "blocks that lie over each other or leave a gap", reached)
        reached = offset + size + _TRAILER
    if reached != len(window) - FOOTER:
        raise Fault("malformed", "bytes between the last block and the footer", reached)


def _block(window: Window, place: tuple[int, int]) -> Iterator[tuple[bytes, Window]]:
    offset, size = place
    body = window.part(offset, size)
    if window.part(offset + size, _TRAILER).read(0, 1) != b"\0":
        raise Fault("unsupported", "a compressed block", offset)
    restarts = int.from_bytes(body.part(size - 4, 4).read(0, 4), "little") if size >= 4 else 0
    end = size - 4 - 4 * restarts
    if end < 0:
        raise Fault("malformed", "a block without room for its restarts", offset)
    key, pos, count = b"", 0, 0
    while pos < end:
        shared, pos = _number(body, pos)
        own, pos = _number(body, pos)
        length, pos = _number(body, pos)
        count += 1
        if shared > len(key) or shared + own > MAX_KEY or pos + own + length > end or count > MAX_ENTRIES:
            raise Fault("malformed", "an entry that does not fit its block", offset + pos)
        key = key[:shared] + body.read(pos, own)
        yield key, body.part(pos + own, length)
        pos += own + length


def _handle(window: Window, pos: int) -> tuple[tuple[int, int], int]:
    offset, pos = _number(window, pos)
    size, pos = _number(window, pos)
    return (offset, size), pos


def _number(window: Window, pos: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(window.read(pos, 10)):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, pos + count + 1
    raise Fault("malformed", "a number does not end", pos)
