"""A data set as it is now: its files by their bytes, its tables down to the rows."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from holdfast.core.data.seal import Leaves, SealedData, SealedFile, seal_table
from holdfast.core.data.table import Table
from holdfast.core.errors import DataError
from holdfast.core.sign import FileDigest, file_digest, manifest

TABLES: Final = frozenset({".parquet", ".csv", ".tsv", ".txt", ".arrow", ".arrows", ".feather", ".ipc"})
MAX_FILES: Final = 5_000


@dataclass(frozen=True, slots=True)
class Observed:
    """`leaves` by file name, for the files that are tables."""

    data: SealedData
    leaves: dict[str, Leaves]


def observe(data: Path, against: SealedData | None = None) -> Observed:
    """Hash a file, or every file below a folder. Raises DataError HF-SEA-007, -008, SignatureError HF-SIG-010.

    `against` is what was sealed: a file with the same bytes is not read again, another one is read in a process apart.
    """
    root = data if data.is_dir() else data.parent
    listed = manifest([data], root=root).files
    if not listed or len(listed) > MAX_FILES:
        raise DataError(
            f"{data} cannot be sealed as one data set",
            cause=f"it has {len(listed):,} files; there have to be 1 to {MAX_FILES:,}",
            fix="seal a folder that holds the data, and parts of it one by one where they are very many",
            code="HF-SEA-007",
        )
    files, leaves = [], {}
    for one in listed:
        file, rows = _look(root / one.name, one, against)
        files.append(file)
        if rows is not None:
            leaves[file.name] = rows
    return Observed(SealedData(data.resolve().name, tuple(files)), leaves)


def _look(path: Path, seen: FileDigest, against: SealedData | None) -> tuple[SealedFile, Leaves | None]:
    name = portable(seen.name)
    if against is None:
        return read_file(path, seen, name)
    same = next((file for file in against.files if file.digest == seen.digest), None)
    if same is not None:
        return replace(same, name=name), None
    from holdfast.seal.apart import read_apart

    return read_apart(path, seen, name)


def read_file(path: Path, seen: FileDigest, name: str) -> tuple[SealedFile, Leaves | None]:
    """A file down to its rows, or the reason why only its bytes are known. Raises DataError HF-SEA-008."""
    if path.suffix.lower() not in TABLES:
        return SealedFile(name, seen.digest, seen.bytes, note="its name is not that of a table"), None
    try:
        table = Table.read(path)
    except DataError as fault:
        return SealedFile(name, seen.digest, seen.bytes, note=f"{fault.code}: {fault.cause}"[:300]), None
    again, _ = file_digest(path)
    if again != seen.digest:
        raise DataError(
            f"{path} changed while it was read",
            cause="its bytes before and after are not the same",
            fix="wait until whoever writes it is done, then run this again",
            code="HF-SEA-008",
        )
    sealed, rows = seal_table(table)
    return SealedFile(name, seen.digest, seen.bytes, sealed), rows


def portable(name: str) -> str:
    """The name as a statement can say it: text, with slashes."""
    return name.replace(os.sep, "/").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
