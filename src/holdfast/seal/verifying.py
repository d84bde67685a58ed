"""Data held against its seal: the same to the byte, or what differs, by file, column and row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from holdfast.core.data.seal import SealedData
from holdfast.core.data.seal_changes import Changes, FileChanges, RowChanges, changes
from holdfast.core.sign import PublicKey, manifest
from holdfast.seal.files import load, load_leaves, seal_of
from holdfast.seal.observe import observe, portable
from holdfast.seal.standing import EXITS, Standing
from holdfast.seal.statement import Signed

SHOWN: Final = 10
"""How many rows a sentence names before it counts the rest."""


@dataclass(frozen=True, slots=True)
class Verified:
    """`changes` is empty where every byte is as sealed. `problems` say the same in words."""

    path: Path
    signed: Signed
    changes: Changes
    standing: Standing
    problems: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return EXITS[self.standing]


def verify(data: Path, keys: tuple[PublicKey, ...], *, seal: Path | None = None, content: bool = False) -> Verified:
    """Hold a file or folder against its seal. With `content`, other bytes that say the same are fine.

    Raises DataError HF-SEA-001, SignatureError HF-SEA-002 and HF-SIG-010.
    """
    path = seal or seal_of(Path(data))
    signed = load(path, keys, data=Path(data))
    found = _differences(Path(data), path, signed.seal.data)
    broken = found.content if content else bool(found)
    problems = tuple(in_words(found)) if broken else ()
    if broken:
        return Verified(path, signed, found, Standing.BROKEN, problems)
    if signed.signer is None:
        why = f"the seal is signed by {', '.join(signed.claimed)}, which is no trusted key"
        return Verified(path, signed, found, Standing.UNKNOWN, (why,))
    return Verified(path, signed, found, Standing.OK, ())


def _differences(data: Path, seal: Path, sealed: SealedData) -> Changes:
    if same_bytes(data, sealed):
        return Changes()
    now = observe(data, sealed)
    return changes(sealed, now.data, load_leaves(seal, sealed), now.leaves)


def same_bytes(data: Path, sealed: SealedData) -> bool:
    """Whether every file is there with its bytes, and no other. Names of a single file do not matter."""
    root = data if data.is_dir() else data.parent
    listed = manifest([data], root=root).files
    if len(sealed.files) == len(listed) == 1 and not data.is_dir():
        return sealed.files[0].digest == listed[0].digest
    return {file.name: file.digest for file in sealed.files} == {portable(file.name): file.digest for file in listed}


def in_words(found: Changes) -> Iterator[str]:
    """A sentence for each thing that differs."""
    yield from (f"{name}: the file is gone" for name in found.removed)
    yield from (f"{name}: the file was not there when the data was sealed" for name in found.added)
    for file in found.changed:
        yield from (f"{file.name}: {part}" for part in _of_file(file))


def _of_file(file: FileChanges) -> Iterator[str]:
    if not file.content:
        yield "other bytes, with the same rows and columns"
        return
    columns = file.columns
    # With more or fewer rows than before every column differs, which tells nothing.
    altered = () if file.rows is not None and len(file.rows.added) != len(file.rows.removed) else columns.changed
    yield from (f"the column '{name}' changed" for name in altered[:SHOWN])
    if len(altered) > SHOWN:
        yield f"{len(altered) - SHOWN} more columns changed"
    yield from (f"the column '{name}' is gone" for name in columns.removed[:SHOWN])
    yield from (f"the column '{name}' is new" for name in columns.added[:SHOWN])
    yield from (f"the column '{old}' is named '{new}' now" for old, new in columns.renamed[:SHOWN])
    if columns.reordered:
        yield "the columns are in another order"
    if file.rows is not None:
        yield from _of_rows(file.rows)
    if file.why:
        yield f"the bytes changed; {file.why}"


def _of_rows(rows: RowChanges) -> Iterator[str]:
    for verb, numbers in (
        ("changed", rows.changed),
        ("added", rows.added),
        ("gone", rows.removed),
        ("moved", rows.moved),
    ):
        if numbers.size:
            listed = ", ".join(str(number) for number in numbers[:SHOWN])
            more = f" and {numbers.size - SHOWN:,} more" if numbers.size > SHOWN else ""
            yield f"row{'s' if numbers.size > 1 else ''} {verb}: {listed}{more}"
