"""Files that are there whole or not at all, and still there after the power fails."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from holdfast.core.errors import StoreError


@contextmanager
def new_file(staging: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A private file to fill, in a folder beside its later place; gone at the end unless it was moved."""
    staging.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=staging)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def settle(file: BinaryIO, temporary: Path, target: Path) -> None:
    """Put a filled file in its place in one step. Its name is durable once `sync_folders` has run."""
    file.flush()
    os.fsync(file.fileno())
    while True:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            temporary.replace(target)
        except FileNotFoundError:
            if not temporary.exists():
                raise
            continue  # another process tidied the folder away in between
        return


def write_whole(target: Path, data: bytes, staging: Path) -> None:
    """Write or replace a file in one step. Its name is durable once `sync_folders` has run."""
    with new_file(staging) as (file, temporary):
        file.write(data)
        settle(file, temporary, target)


def sync_folders(targets: set[Path], top: Path) -> None:
    """Make the names of files durable, and those of the folders above them up to `top`."""
    folders = {folder for target in targets for folder in target.parents if folder.is_relative_to(top)}
    for folder in sorted(folders, reverse=True):
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return  # tidied away by another process: no name is left in it to keep
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def using(folder: Path) -> Iterator[None]:
    """Turn what the operating system says about a folder into a StoreError."""
    try:
        yield
    except OSError as fault:
        raise StoreError(
            f"cannot use the folder {folder}",
            cause=fault.strerror or str(fault),
            fix="check free disk space and permissions",
            code="HF-STO-014",
        ) from fault
