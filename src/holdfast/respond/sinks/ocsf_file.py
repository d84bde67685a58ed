"""Notices as OCSF events in a file, one JSON object a line: for log shippers, and for keeping.

Each line is on disk (fsync) before the notice counts as delivered. A file that has reached its size is renamed with
the moment in its name; nothing is ever deleted.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from holdfast import __version__
from holdfast.core.domain.response import Notice
from holdfast.core.policy.schema import Strict
from holdfast.core.report.ocsf import detection_finding
from holdfast.respond.interface import Sink, SinkError, sink

MEGABYTE = 1_000_000


class OcsfFileOptions(Strict):
    """`path`: the file, relative to respond.yaml. `rotate_mb`: size at which a new one is begun."""

    path: Annotated[str, Field(min_length=1, max_length=1000)]
    rotate_mb: Annotated[int, Field(ge=1, le=10_000)] = 100


@dataclass
class OcsfFile:
    """Appends to one file. Several processes may: each line is one write, and a rotated file is looked for anew."""

    path: Path
    rotate_bytes: int
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, notice: Notice) -> None:
        """Write one line and wait until the disk has it."""
        event = detection_finding(notice, version=__version__)
        line = (json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "backslashreplace")
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._rotate(notice)
            self._append(line)

    def _append(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self.path, flags, 0o640)
        try:
            line = self._mended(handle) + line
            if os.write(handle, line) != len(line):
                raise SinkError(f"{self.path.name}: the line was not written whole; the disk may be full")
            os.fsync(handle)
        finally:
            os.close(handle)
        _sync_folder(self.path.parent)

    def _mended(self, handle: int) -> bytes:
        """A line end, where a write was cut off before: the next line must not be glued to half of the last."""
        size = os.fstat(handle).st_size
        if size == 0:
            return b""
        with self.path.open("rb") as reader:
            reader.seek(size - 1)
            return b"" if reader.read(1) == b"\n" else b"\n"

    def _rotate(self, notice: Notice) -> None:
        """Rename a full file. Its new name is made of the notice that found it full, so that no two are the same."""
        with suppress(FileNotFoundError):
            if self.path.stat().st_size >= self.rotate_bytes:
                moment = notice.at.strftime("%Y%m%dT%H%M%SZ")
                self.path.rename(self.path.with_name(f"{self.path.stem}.{moment}-{notice.id[4:16]}{self.path.suffix}"))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@sink("ocsf-file", OcsfFileOptions)
def ocsf_file(options: OcsfFileOptions, folder: Path) -> Sink:
    """A file of OCSF events."""
    return OcsfFile(folder / options.path, options.rotate_mb * MEGABYTE)
