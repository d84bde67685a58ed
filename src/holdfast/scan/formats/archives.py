"""Compressed streams, zip and tar archives: each member is inspected as what its bytes are."""

from __future__ import annotations

from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers import BOMB_BYTES, BOMB_RATIO, TarEntry, inflate, tar_entries
from holdfast.core.formats.containers_zip import ZipArchive, ZipEntry, check_crc, escapes, member_bytes, read_zip
from holdfast.scan.inspect import Inspector, Seen

UNDERSTOOD: Final = ("zip", "npz")
"""Kinds of zip whose meaning is that of their members; others carry code in ways of their own."""


def read_compressed(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """A compressed stream of whatever kind."""
    unpack(inspector, window, seen, depth, seen.format)


def unpack(inspector: Inspector, window: Window, seen: Seen, depth: int, kind: str) -> None:
    """Decompress in memory and inspect what comes out; its facts carry the compression as their member."""
    found = inflate(window, kind, inspector.unpacked_bytes)
    inspector.unpacked(len(found.data))
    inner = inspector.inspect(Window.whole(found.data), depth + 1)
    seen.take(inner, f"<{kind}>")
    if found.consumed < len(window):
        seen.add("trailing-bytes", f"{len(window) - found.consumed:,} bytes behind the stream", found.consumed)
    seen.unread = len(window) - found.consumed + (found.consumed if inner.unread else 0)
    seen.parsed = len(window) - seen.unread


def read_zip_members(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """Every member of a zip by its own bytes."""
    archive = open_zip(inspector, window, seen)
    for entry in archive.entries:
        read_member(inspector, window, seen, entry, depth)
    if seen.format not in UNDERSTOOD:
        seen.add("unsupported", f"{seen.format} archives are not understood yet")


def open_zip(inspector: Inspector, window: Window, seen: Seen) -> ZipArchive:
    """The archive's directory, with its faults as facts and its overhead as parsed."""
    archive = read_zip(window)
    inspector.enter(len(archive.entries))
    seen.facts += archive.facts
    seen.parsed += archive.overhead
    seen.unread += archive.unexplained
    packed, full = (sum(getattr(entry, name) for entry in archive.entries) for name in ("packed", "size"))
    if full > BOMB_BYTES and full > BOMB_RATIO * max(1, packed):
        raise Fault("bomb", f"{full:,} bytes declared in {packed:,}", 0)
    return archive


def read_member(inspector: Inspector, window: Window, seen: Seen, entry: ZipEntry, depth: int) -> None:
    """One member; what cannot be read of it is a fact of its own."""
    try:
        content = member_bytes(window, entry, inspector.unpacked_bytes)
    except Fault as fault:
        seen.add(fault.kind, fault.why, fault.offset, entry.name)
        seen.unread += 0 if entry.offset is None else entry.packed
        return
    if content.data is not window.data:
        inspector.unpacked(len(content))
    if entry.is_folder:
        seen.parsed += entry.packed  # an empty stream, where it is packed as files are
        return
    inner = inspector.inspect(content, depth + 1)
    seen.take(inner, entry.name)
    if inner.parsed and not inner.skipped and not check_crc(content, entry):
        seen.add("zip-mismatch", "the member's checksum is wrong", entry.header, entry.name)
    account(seen, entry, inner)


def account(seen: Seen, entry: ZipEntry, inner: Seen) -> None:
    """Coverage in bytes of the archive: exact for stored members, all or nothing for packed ones."""
    if entry.packed == inner.size:
        seen.cover(inner)
    elif inner.unread:
        seen.unread += entry.packed
    else:
        seen.parsed += entry.packed


def read_tar(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """Every file of a tar; links and special members are facts."""
    explained = 0
    for entry in tar_entries(window):
        inspector.enter()
        if escapes(entry.name) or (entry.kind == "link" and escapes(entry.target)):
            seen.add("path-escape", entry.target or entry.name, entry.offset, entry.name)
        elif entry.kind == "link":
            seen.add("link", f"{entry.name} to {entry.target}", entry.offset, entry.name)
        elif entry.kind == "special":
            seen.add("special-file", entry.name, entry.offset, entry.name)
        if entry.kind == "file":
            explained += _tar_file(inspector, window, seen, entry, depth)
    seen.parsed += len(window) - explained


def _tar_file(inspector: Inspector, window: Window, seen: Seen, entry: TarEntry, depth: int) -> int:
    inner = inspector.inspect(window.part(entry.offset, entry.size), depth + 1)
    seen.take(inner, entry.name)
    seen.cover(inner)
    return inner.size
