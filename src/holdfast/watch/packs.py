"""Pack files: append-only files that hold segments one behind the other, each a compressed Arrow IPC stream.

A segment is a slice of a pack. Appending needs one fdatasync, however many models a group of requests speaks of, and
no new name in a folder. A pack has one writer, who holds a lock on it as long as it lives; whoever gets that lock
knows that the writer is gone. What lies in a pack without a row in the catalogue was never acknowledged.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import ipc

from holdfast.core.errors import StoreError
from holdfast.core.store.segments import Slice

FOLDER: Final = "events"
SUFFIX: Final = ".pack"
CODEC: Final = "zstd"
LEVEL: Final = 1
"""Level 3 halves the speed and saves less than one byte per event (docs/adr/0105)."""


def encode(events: pa.Table) -> tuple[bytes, int]:
    """A table as the bytes of a segment, and how many bytes they are when unpacked."""
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, events.schema) as writer:
        writer.write_table(events)
    plain = sink.getvalue()
    return pa.Codec(CODEC, LEVEL).compress(plain, asbytes=True), plain.size


def decode(data: bytes, raw: int) -> pa.Table:
    """The table that `encode` was given."""
    return ipc.open_stream(pa.Codec(CODEC).decompress(data, raw)).read_all()


def sha256(data: bytes) -> str:
    """The digest that the catalogue keeps of a segment's bytes."""
    return hashlib.sha256(data).hexdigest()


class Packs:
    """The folder of pack files, for readers."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def path(self, name: str) -> Path:
        """Where a pack lies."""
        return self.folder / name

    def bytes_of(self, place: Slice) -> bytes:
        """The bytes of a segment, as they are. Raises StoreError (HF-WAT-020) where the file is gone or too short."""
        try:
            with self.path(place.pack).open("rb") as file:
                data = os.pread(file.fileno(), place.length, place.offset)
        except OSError as fault:
            raise _damaged(place, fault.strerror or str(fault)) from fault
        if len(data) != place.length:
            raise _damaged(place, f"{len(data)} bytes are left of {place.length}")
        return data

    def read(self, place: Slice, columns: list[str] | None = None) -> pa.Table:
        """The events of a segment, checked against their digest. Raises StoreError (HF-WAT-020)."""
        data = self.bytes_of(place)
        if sha256(data) != place.sha256:
            raise _damaged(place, "the bytes have another SHA-256 than the catalogue says")
        table = decode(data, place.raw)
        return table if columns is None else table.select(columns)

    def names(self) -> list[str]:
        """The pack files that are there."""
        return sorted(path.name for path in self.folder.glob(f"*{SUFFIX}")) if self.folder.is_dir() else []

    def remove(self, name: str) -> bool:
        """Delete a pack that nobody writes. False where somebody does, or where it is gone already."""
        try:
            handle = os.open(self.path(name), os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.path(name).unlink(missing_ok=True)
        except BlockingIOError:
            return False
        finally:
            os.close(handle)
        return True


class PackWriter:
    """Appends to one pack. Not for several threads at once."""

    def __init__(self, packs: Packs, name: str) -> None:
        self.name = name + SUFFIX
        packs.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(packs.path(self.name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        sync_folder(packs.folder)
        self.size = 0

    def append(self, pieces: list[bytes]) -> list[int]:
        """Write pieces one behind the other; on disk when it returns. Gives where each begins."""
        begin, places = self.size, []
        for piece in pieces:
            places.append(self.size)
            self._write(piece)
            self.size += len(piece)
        if self.size > begin:
            os.fdatasync(self._file)
        return places

    def _write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        place = self.size
        while rest:
            done = os.pwrite(self._file, rest, place)
            place += done
            rest = rest[done:]

    def linked(self) -> bool:
        """Whether the file still has its name."""
        return os.fstat(self._file).st_nlink > 0

    def close(self) -> None:
        """Give the pack up; nobody appends to it again."""
        os.close(self._file)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _damaged(place: Slice, cause: str) -> Any:
    return StoreError(
        f"events of {place.model} cannot be read",
        cause=f"{place.pack} at byte {place.offset}: {cause}",
        fix="restore the events folder from a backup; `holdfast watch verify` names everything that is damaged",
        code="HF-WAT-020",
    )
