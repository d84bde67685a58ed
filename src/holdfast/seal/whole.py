"""Files of the room: read within bounds, written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from holdfast.core.errors import DataError
from holdfast.core.sign.keys import open_now


def read_bounded(path: Path, most: int) -> bytes:
    """A regular file's bytes. Raises OSError, and ValueError where there are more than `most`."""
    with open_now(path) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is not a regular file")
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return data


def write_whole(path: Path, data: bytes, *, replace: bool) -> None:
    """Write beside `path`, then take its place at once. Without `replace` a file that is there stays: HF-SEA-005."""
    try:
        _write(path, data, replace=replace)
    except FileExistsError:
        raise DataError(
            f"{path} is there already",
            cause="what somebody signed and others rely on is not overwritten by chance",
            fix="add --replace (a seal keeps the one it replaces as its parent), or name another file",
            code="HF-SEA-005",
        ) from None
    except OSError as fault:
        raise DataError(
            f"cannot write {path}",
            cause=fault.strerror or str(fault),
            fix="check that the folder exists and may be written to, and that the disk has room",
            code="HF-SEA-006",
        ) from fault


def _write(path: Path, data: bytes, *, replace: bool) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:60]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        take_place(Path(name), path, replace=replace)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def take_place(written: Path, path: Path, *, replace: bool) -> None:
    """Give a finished file its name, and make sure that the folder remembers. Raises FileExistsError."""
    if replace:
        written.replace(path)
    else:
        os.link(written, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
