"""Zip archives read twice, by central directory and by local headers: where the two differ, readers differ.

Source: PKWARE APPNOTE 6.3 (records 4.3.7 to 4.3.16). Nothing is extracted; the bytes of members stay where they are.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from holdfast.core.domain import Fact
from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers import check_growth

MAX_ENTRIES: Final = 100_000
MAX_SHARED: Final = 4
"""How many times its own length an archive's members may come to, packed as they are; honest ones lie side by side."""
_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_ENCRYPTED: Final = 0x0001
_DESCRIPTOR: Final = 0x0008
_BIG: Final = 0xFFFFFFFF
STORED: Final = 0
DEFLATED: Final = 8


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A member. `offset` is where its bytes start in the archive, None where the local header is unusable."""

    name: str
    method: int
    packed: int
    size: int
    crc: int
    flags: int
    header: int
    offset: int | None
    mode: int

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/") and self.size == 0

    @property
    def is_link(self) -> bool:
        """Whether its Unix mode says symbolic link."""
        return self.mode >> 12 == 0o12


@dataclass(frozen=True, slots=True)
class ZipArchive:
    """The members that could be located, and what is wrong with the archive as facts."""

    entries: tuple[ZipEntry, ...]
    facts: tuple[Fact, ...]
    overhead: int
    """Bytes of headers, directory and padding that are accounted for."""
    unexplained: int


@dataclass(slots=True)
class _Book:
    """Facts found on the way, and the byte ranges that are accounted for."""

    facts: list[Fact] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)

    def add(self, kind: str, value: str, offset: int, member: str | None = None) -> None:
        self.facts.append(Fact(kind, value, offset, member))


def read_zip(window: Window) -> ZipArchive:
    """Read the archive's directory. Raises Fault where there is none, or it cannot be followed."""
    book = _Book()
    count, size, directory = _end(window, book)
    shift = book.ranges[0][0] - size - directory
    if len(book.ranges) == 1 and shift > 0 and window.read(directory + shift, 4) == b"PK\1\2":
        return _shifted(read_zip(window.part(shift, len(window) - shift)), shift)
    if count > MAX_ENTRIES:
        raise Fault("budget", f"{count:,} entries", directory)
    entries = [_local(window, entry, book) for entry in _central(window, directory, size, count)]
    if sum(entry.packed for entry in entries if entry.offset is not None) > MAX_SHARED * len(window):
        raise Fault("bomb", "members that lie over each other", directory)
    book.ranges.append((directory, directory + size))
    _names(entries, book)
    covered, gaps = _gaps(book.ranges, len(window))
    explained = covered
    for start, length in gaps[:100]:
        raw = window.read(start, 64)
        kind = "polyglot" if start == 0 else "zip-gap"
        if start != 0 and length <= 4096 and not window.read(start, length).strip(b"\0"):
            explained += length
            continue
        book.add(kind, f"{length:,} bytes that no entry names, starting {raw[:16]!r}", start)
    packed = sum(entry.packed for entry in entries if entry.offset is not None)
    if sum(end - start for start, end in book.ranges) > covered:
        book.add("zip-mismatch", "members lie over each other", 0)
    return ZipArchive(tuple(entries), tuple(book.facts), max(0, explained - packed), len(window) - explained)


def find_end(window: Window) -> int:
    """Where the last record of a zip lies, -1 where there is none: 22 bytes and a comment of up to 64 kB."""
    return window.rfind(b"PK\5\6", len(window) - 65_557)


def _shifted(inner: ZipArchive, shift: int) -> ZipArchive:
    """An archive whose offsets count from behind what was put in front of it, as the usual readers accept it."""
    entries = tuple(
        replace(entry, header=entry.header + shift, offset=None if entry.offset is None else entry.offset + shift)
        for entry in inner.entries
    )
    prefix = Fact("polyglot", f"{shift:,} bytes in front of the archive", 0)
    return ZipArchive(entries, (*inner.facts, prefix), inner.overhead, inner.unexplained + shift)


def _end(window: Window, book: _Book) -> tuple[int, int, int]:
    """Entries, size and offset of the central directory."""
    at = find_end(window)
    if at < 0 or at + _END.size > len(window):
        raise Fault("truncated", "no end of central directory", max(0, len(window) - 22))
    _, disk, start_disk, here, total, size, offset, comment = _END.unpack(window.read(at, _END.size))
    book.ranges.append((at, at + _END.size + comment))
    if at + _END.size + comment != len(window):
        book.add("trailing-bytes", f"{len(window) - at - _END.size - comment:,} bytes behind the archive", at)
    if disk or start_disk or here != total:
        book.add("zip-mismatch", "an archive of several disks", at)
    wide = _end64(window, at, book)
    if wide is not None:
        if (total, size, offset) != wide and not (total == 0xFFFF or _BIG in (size, offset)):
            book.add("zip-mismatch", "the two ends of the directory disagree", at)
        total, size, offset = wide
    if offset + size > at:
        raise Fault("malformed", "the central directory reaches outside of the archive", at)
    return total, size, offset


def _end64(window: Window, at: int, book: _Book) -> tuple[int, int, int] | None:
    if at < 20 or window.read(at - 20, 4) != b"PK\6\7":
        return None
    place = int.from_bytes(window.read(at - 12, 8), "little")
    raw = window.read(place, _END64.size)
    if len(raw) < _END64.size or raw[:4] != b"PK\6\6":
        raise Fault("malformed", "no ZIP64 end where the locator points", at - 20)
    _, length, *_, total, size, offset = _END64.unpack(raw)
    book.ranges += [(place, place + 12 + length), (at - 20, at)]
    return total, size, offset


def _central(window: Window, directory: int, size: int, count: int) -> Iterator[ZipEntry]:
    pos, end = directory, directory + size
    for _ in range(count):
        raw = window.read(pos, _CENTRAL.size)
        if len(raw) < _CENTRAL.size or raw[:4] != b"PK\1\2":
            raise Fault("malformed", "the central directory ends early", pos)
        (_, _, _, flags, method, _, _, crc, packed, full, n_name, n_extra, n_note, _, _, attributes, header) = (
            _CENTRAL.unpack(raw)
        )
        name = _name(window.read(pos + _CENTRAL.size, n_name), flags)
        extra = window.read(pos + _CENTRAL.size + n_name, n_extra)
        full, packed, header = _wide(extra, full, packed, header)
        yield ZipEntry(name, method, packed, full, crc, flags, header, None, attributes >> 16)
        pos += _CENTRAL.size + n_name + n_extra + n_note
    if pos != end:
        raise Fault("malformed", "the central directory is longer than its entries", pos)


def _name(raw: bytes, flags: int) -> str:
    return raw.decode("utf-8" if flags & 0x800 else "cp437", "backslashreplace")


def _wide(extra: bytes, full: int, packed: int, header: int) -> tuple[int, int, int]:
    """Replace 32-bit fields by those of the ZIP64 extra field."""
    values, pos = [full, packed, header], 0
    while pos + 4 <= len(extra):
        tag, size = struct.unpack_from("<2H", extra, pos)
        if tag == 1:
            numbers = [int.from_bytes(extra[i : i + 8], "little") for i in range(pos + 4, pos + 4 + size - 7, 8)]
            for index, value in enumerate(values):
                if value == _BIG and numbers:
                    values[index] = numbers.pop(0)
        pos += 4 + size
    return values[0], values[1], values[2]


def _local(window: Window, entry: ZipEntry, book: _Book) -> ZipEntry:
    """Compare with the local header, and find where the member's bytes start."""
    raw = window.read(entry.header, _LOCAL.size)
    if len(raw) < _LOCAL.size or raw[:4] != b"PK\3\4":
        book.add("zip-mismatch", "no local header where the directory points", entry.header, entry.name)
        return entry
    _, _, flags, method, _, _, crc, packed, full, n_name, n_extra = _LOCAL.unpack(raw)
    name_at = entry.header + _LOCAL.size
    name = _name(window.read(name_at, n_name), flags)
    extra = window.read(name_at + n_name, n_extra)
    full, packed, _ = _wide(extra, full, packed, 0)
    offset = name_at + n_name + n_extra
    end = offset + entry.packed
    if end > len(window):
        book.add("truncated", "the member reaches outside of the archive", entry.header, entry.name)
        return entry
    for what, ours, theirs in (
        ("name", entry.name, name),
        ("method", entry.method, method),
        ("flags", entry.flags & ~0x800, flags & ~0x800),
    ):
        if ours != theirs:
            book.add("zip-mismatch", f"{what}: directory {ours!r}, local {theirs!r}", entry.header, entry.name)
    if not flags & _DESCRIPTOR and (crc, packed, full) != (entry.crc, entry.packed, entry.size):
        book.add(
            "zip-mismatch", "size or checksum differs between directory and local header", entry.header, entry.name
        )
    if flags & _ENCRYPTED or entry.flags & _ENCRYPTED:
        book.add("encrypted", "the member is encrypted", entry.header, entry.name)
    end += _descriptor(window, end, entry) if flags & _DESCRIPTOR else 0
    book.ranges.append((entry.header, end))
    return replace(entry, offset=offset)


def _descriptor(window: Window, at: int, entry: ZipEntry) -> int:
    """Length of the data descriptor behind a member, by what it says."""
    raw = window.read(at, 24)
    for signature in (b"PK\7\x08", b""):
        for layout in ("<3L", "<LQQ"):
            size = len(signature) + struct.calcsize(layout)
            if raw.startswith(signature) and len(raw) >= size:
                found = struct.unpack_from(layout, raw, len(signature))
                if found == (entry.crc, entry.packed, entry.size):
                    return size
    return 0


def _names(entries: list[ZipEntry], book: _Book) -> None:
    seen: set[str] = set()
    for entry in entries:
        folded = entry.name.casefold()
        if folded in seen:
            book.add("zip-duplicate", entry.name, entry.header, entry.name)
        seen.add(folded)
        if escapes(entry.name):
            book.add("path-escape", entry.name, entry.header, entry.name)
        if entry.is_link:
            book.add("link", entry.name, entry.header, entry.name)


def escapes(name: str) -> bool:
    """Whether unpacking a member of this name could write outside of its folder, on any system."""
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or name[1:2] == ":" or "\0" in name or "\\" in name


def _gaps(ranges: list[tuple[int, int]], size: int) -> tuple[int, list[tuple[int, int]]]:
    """Bytes covered by `ranges`, and the (start, length) of what is not."""
    covered, gaps, reached = 0, [], 0
    for start, end in sorted(ranges):
        if start > reached:
            gaps.append((reached, start - reached))
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    if reached < size:
        gaps.append((reached, size - reached))
    return covered, gaps


def member_bytes(window: Window, entry: ZipEntry, max_bytes: int) -> Window:
    """The unpacked bytes of a member: in place where stored. Raises Fault: bomb, unsupported, malformed, checksum."""
    if entry.offset is None:
        raise Fault("zip-mismatch", "the member cannot be located", entry.header)
    if entry.flags & _ENCRYPTED:
        raise Fault("encrypted", "the member is encrypted", entry.header)
    packed = window.part(entry.offset, entry.packed)
    if entry.method == STORED:
        if entry.packed != entry.size:
            raise Fault("zip-mismatch", "a stored member of two sizes", entry.header)
        return packed
    if entry.method != DEFLATED:
        raise Fault("unsupported", f"compression method {entry.method}", entry.header)
    return Window.whole(_inflate(packed, entry, max_bytes))


def _inflate(packed: Window, entry: ZipEntry, max_bytes: int) -> bytes:
    decoder, out, fed = zlib.decompressobj(-15), bytearray(), 0
    try:
        while not decoder.eof and fed < len(packed):
            pending = packed.read(fed, 1 << 20)
            fed += len(pending)
            while pending and not decoder.eof:
                out += decoder.decompress(pending, 4 << 20)
                check_growth(len(out), fed, max_bytes)
                pending = decoder.unconsumed_tail
    except zlib.error as fault:
        raise Fault("malformed", f"the member is broken: {fault}", entry.header) from None
    if not decoder.eof or decoder.unused_data or len(out) != entry.size:
        raise Fault("zip-mismatch", f"{len(out):,} bytes where {entry.size:,} are declared", entry.header)
    return bytes(out)


def check_crc(content: Window, entry: ZipEntry) -> bool:
    """Whether the bytes have the declared CRC-32. Reads all of them: for members that are parsed, not for arrays."""
    crc, pos = 0, 0
    while pos < len(content):
        crc = zlib.crc32(content.read(pos, 1 << 20), crc)
        pos += 1 << 20
    return crc == entry.crc
