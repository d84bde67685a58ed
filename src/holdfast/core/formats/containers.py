"""Compressed streams and tar archives, unpacked in memory within a budget of bytes and of ratio."""

from __future__ import annotations

import bz2
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from holdfast.core.formats.buffers import Fault, Window

BOMB_RATIO: Final = 200
"""Output per input byte above which a large output is a bomb. zlib cannot exceed about 1,030."""
BOMB_BYTES: Final = 64 << 20
"""Outputs below this are harmless whatever their ratio."""
_CHUNK: Final = 1 << 20
_STEP: Final = 4 << 20
MAX_TAR_ENTRIES: Final = 100_000
MAX_TAR_HEADER: Final = 1 << 20
_DIGITS: Final = re.compile(rb"[0-9]{65}")

COMPRESSIONS: Final = ("gzip", "zlib", "bz2", "xz", "lzma", "lz4", "zstd")
"""Ids of the compressed formats that `inflate` undoes."""
_OTHERS: Final = ("lz4", "zstd")


@dataclass(frozen=True, slots=True)
class Inflated:
    """What came out, and how many input bytes were used up for it."""

    data: bytes
    consumed: int


def inflate(window: Window, kind: str, max_bytes: int) -> Inflated:
    """Decompress `window`, joined members included. Raises Fault: bomb, truncated, malformed or budget."""
    out = bytearray()
    pos = 0
    while pos < len(window) and (pos == 0 or _another(window, pos, kind)):
        pos += _member(window, pos, kind, max_bytes, out)
    return Inflated(bytes(out), pos)


def peek(window: Window, kind: str, size: int = 4096) -> bytes:
    """The first bytes that would come out; empty where the stream is broken."""
    try:
        if kind in _OTHERS:
            out = bytearray()
            _frames(kind)(window, 0, size, out, partial=True)
            return bytes(out[:size])
        return bytes(_decoder(kind).decompress(window.read(0, 1 << 16), size))
    except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError, Fault):
        return b""


def _frames(kind: str) -> Any:
    """The reader of frames that the standard library cannot unpack."""
    return import_module(f"holdfast.core.formats.containers_{kind}").decompress


def _another(window: Window, pos: int, kind: str) -> bool:
    """Whether a further member starts at `pos`, as the standard readers would take it; those of zstd differ."""
    magic = {"gzip": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ\0"}.get(kind)
    return magic is not None and window.read(pos, len(magic)) == magic


def _decoder(kind: str) -> Any:
    match kind:
        case "gzip":
            return zlib.decompressobj(wbits=31)
        case "zlib":
            return zlib.decompressobj()
        case "bz2":
            return bz2.BZ2Decompressor()
        case "xz":
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=1 << 30)
        case "lzma":
            return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=1 << 30)
    raise ValueError(f"no decompressor for {kind!r}")


def _member(window: Window, pos: int, kind: str, max_bytes: int, out: bytearray) -> int:
    """Append one member to `out` and give the input bytes it took."""
    if kind in _OTHERS:
        taken: int = _frames(kind)(window, pos, max_bytes, out)
        return taken
    decoder, fed = _decoder(kind), 0
    try:
        while not decoder.eof:
            chunk = window.read(pos + fed, _CHUNK)
            fed += len(chunk)
            before = len(out)
            _drain(decoder, chunk, kind, out, max_bytes, pos + fed)
            if not chunk and not decoder.eof and len(out) == before:
                raise Fault("truncated", f"the {kind} stream is cut off", len(window))
    except (zlib.error, OSError, EOFError, lzma.LZMAError) as fault:
        raise Fault("malformed", f"the {kind} stream is broken: {fault}", pos) from None
    return fed - len(decoder.unused_data)


def _drain(decoder: Any, chunk: bytes, kind: str, out: bytearray, max_bytes: int, fed: int) -> None:
    """Feed one chunk and take all it gives, in steps that keep a bomb from filling memory."""
    pending = chunk
    while True:
        got = decoder.decompress(pending, _STEP)
        out += got
        check_growth(len(out), fed, max_bytes)
        pending = decoder.unconsumed_tail if kind in ("gzip", "zlib") else b""
        waiting = bool(pending) if kind in ("gzip", "zlib") else not decoder.needs_input
        if decoder.eof or not (waiting or len(got) == _STEP):
            return


def check_growth(out: int, fed: int, max_bytes: int) -> None:
    """Raise Fault where the output outgrows its input or the budget."""
    if out > BOMB_BYTES and out > BOMB_RATIO * max(fed, 1):
        raise Fault("bomb", f"{out:,} bytes out of {fed:,}", 0)
    if out > max_bytes:
        raise Fault("budget", f"more than {max_bytes:,} bytes when decompressed", 0)


@dataclass(frozen=True, slots=True)
class TarEntry:
    """A member of a tar: `kind` is file, folder, link or special; `target` of a link is where it points."""

    name: str
    kind: str
    offset: int
    size: int
    target: str = ""


class _Reader:
    """The file object that `tarfile` wants, over a window."""

    def __init__(self, window: Window) -> None:
        self._window, self._pos = window, 0

    def read(self, size: int = -1) -> bytes:
        """Raises ValueError for what `tarfile` would match patterns on without end: it goes over digits many times."""
        got = self._window.read(self._pos, len(self._window) if size < 0 else size)
        if len(got) > tarfile.BLOCKSIZE and (len(got) > MAX_TAR_HEADER or _DIGITS.search(got)):
            raise ValueError(f"a header of {len(got):,} bytes")
        self._pos += len(got)
        return got

    def seek(self, offset: int, whence: int = 0) -> int:
        self._pos = offset + (0, self._pos, len(self._window))[whence]
        return self._pos

    def tell(self) -> int:
        return self._pos


def tar_entries(window: Window) -> Iterator[TarEntry]:
    """The members of an uncompressed tar, in order; nothing is extracted. Raises Fault where it is broken."""
    try:
        with tarfile.open(fileobj=_Reader(window), mode="r:") as archive:  # type: ignore[call-overload]
            for number, entry in enumerate(archive):
                if number >= MAX_TAR_ENTRIES:
                    raise Fault("budget", f"more than {MAX_TAR_ENTRIES:,} entries", entry.offset)
                yield TarEntry(entry.name, _tar_kind(entry), entry.offset_data, entry.size, entry.linkname)
            end = archive.offset
    except (tarfile.TarError, ValueError, EOFError, OverflowError, OSError) as fault:
        raise Fault("malformed", f"not a sound tar archive: {fault}", 0) from None
    # Where a header is none, tarfile takes the archive to be at its end; other readers go on.
    if any(window.read(at, 1 << 20).strip(b"\0") for at in range(end, len(window), 1 << 20)):
        raise Fault("trailing-bytes", f"{len(window) - end:,} bytes behind the last entry", end)


def _tar_kind(entry: tarfile.TarInfo) -> str:
    if entry.issparse():
        return "special"
    if entry.isreg():
        return "file"
    if entry.isdir():
        return "folder"
    return "link" if entry.issym() or entry.islnk() else "special"
