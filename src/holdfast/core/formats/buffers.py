"""Bytes of a file without reading them: memory maps, windows onto them, and the place where they go wrong."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.core.errors import FormatError

Buffer = Any
"""bytes or mmap: something with integer indexing, slicing and `find`."""


class Fault(Exception):  # noqa: N818 - a place in a file, not an error of the program
    """The bytes cannot be followed further. `kind` is the fact it becomes, such as truncated or malformed."""

    def __init__(self, kind: str, why: str, offset: int) -> None:
        super().__init__(why)
        self.kind, self.why, self.offset = kind, why, offset


@dataclass(frozen=True, slots=True)
class Window:
    """`data[start:end]`, not copied. Offsets given to and by its methods count from `start`."""

    data: Buffer
    start: int
    end: int

    @classmethod
    def whole(cls, data: Buffer) -> Window:
        """All of a buffer."""
        return cls(data, 0, len(data))

    def __len__(self) -> int:
        return self.end - self.start

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes; fewer at the end."""
        begin = self.start + max(0, offset)
        return bytes(self.data[begin : min(begin + size, self.end)])

    def find(self, pattern: bytes, offset: int = 0, limit: int | None = None) -> int:
        """Where `pattern` first lies in `[offset, limit)`; -1 where it does not."""
        end = self.end if limit is None else min(self.end, self.start + limit)
        at: int = self.data.find(pattern, self.start + offset, end)
        return -1 if at < 0 else at - self.start

    def rfind(self, pattern: bytes, offset: int) -> int:
        """Where `pattern` last lies in `[offset, end)`; -1 where it does not."""
        at: int = self.data.rfind(pattern, self.start + max(0, offset), self.end)
        return -1 if at < 0 else at - self.start

    def part(self, offset: int, size: int) -> Window:
        """A window within this one. Raises Fault where it reaches outside."""
        if offset < 0 or size < 0 or offset + size > len(self):
            raise Fault("truncated", f"{size:,} bytes at {offset:,} reach outside of {len(self):,}", offset)
        return Window(self.data, self.start + offset, self.start + offset + size)


@contextmanager
def open_buffer(path: Path) -> Iterator[Buffer]:
    """The bytes of a regular file as a read-only map. Raises FormatError HF-FMT-001 where it cannot be opened."""
    mapped = _map(path)
    try:
        yield mapped
    finally:
        if isinstance(mapped, mmap.mmap):
            _close(mapped)


def _map(path: Path) -> Buffer:
    try:
        # Non-blocking, so that a pipe put in the file's place cannot hold us up.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("it is not a regular file")
            return mmap.mmap(handle, 0, access=mmap.ACCESS_READ) if status.st_size else b""
        finally:
            os.close(handle)
    except (OSError, ValueError) as fault:
        raise FormatError(
            f"cannot read {path}",
            cause=getattr(fault, "strerror", None) or str(fault),
            fix="check the path and its permissions",
            code="HF-FMT-001",
        ) from fault


def _close(mapped: mmap.mmap) -> None:
    """A numpy array made by a reader may still share the map; then it is closed when the array goes."""
    try:
        mapped.close()
    except BufferError:
        return
