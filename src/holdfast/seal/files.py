"""Where seals lie, and how they are written: whole or not at all.

Beside `train.parquet` are `train.parquet.seal.json`, the signed seal, and the folder `train.parquet.seal.d` with the
leaf hashes of its rows, named by their root, and with the seals that this one took the place of, named by their digest.
The seal is written last: before it is there, nothing points to what a killed process left behind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from holdfast.core.data.merkle import HASH_BYTES
from holdfast.core.data.seal import Leaves, SealedData, SealedTable
from holdfast.core.sign import PublicKey
from holdfast.core.sign.dsse import MAX_ENVELOPE_BYTES
from holdfast.seal.faults import no_seal, no_statement, not_as_sealed
from holdfast.seal.statement import Signed
from holdfast.seal.whole import read_bounded, write_whole

SEAL_SUFFIX: Final = ".seal.json"
FOLDER_SUFFIX: Final = ".seal.d"


def seal_of(data: Path) -> Path:
    """Where the seal of a file or folder lies."""
    plain = data.resolve() if data.name in ("", "..") else data
    return plain.with_name(plain.name + SEAL_SUFFIX)


def data_of(seal: Path) -> Path:
    """The file or folder that a seal lies beside."""
    return seal.with_name(seal.name.removesuffix(SEAL_SUFFIX))


def is_seal(path: Path) -> bool:
    """Whether a path is meant as a seal, by its name."""
    return path.name.endswith(SEAL_SUFFIX)


def folder_of(seal: Path) -> Path:
    """Where the rows and the earlier seals of a data set lie; earlier seals lie in it themselves."""
    if seal.parent.name.endswith(FOLDER_SUFFIX):
        return seal.parent
    return seal.with_name(seal.name.removesuffix(SEAL_SUFFIX) + FOLDER_SUFFIX)


def earlier_of(seal: Path, digest: str) -> Path:
    """Where the seal of that digest lies after another took its place."""
    return folder_of(seal) / f"{digest.removeprefix('sha256:')}{SEAL_SUFFIX}"


def load(seal: Path, keys: tuple[PublicKey, ...], *, data: Path | None = None) -> Signed:
    """Read a seal file. Raises DataError HF-SEA-001 where there is none, SignatureError HF-SEA-002."""
    try:
        return Signed.parse(read_bounded(seal, MAX_ENVELOPE_BYTES), keys, str(seal))
    except FileNotFoundError:
        raise no_seal(data or data_of(seal), seal) from None
    except (OSError, ValueError) as fault:
        raise no_statement(str(seal), getattr(fault, "strerror", None) or str(fault)) from fault


def load_leaves(seal: Path, data: SealedData) -> dict[str, Leaves]:
    """The leaves of each table, as far as they are beside the seal. Raises SignatureError HF-SEA-003 on others."""
    tables = {file.name: file.table for file in data.files if file.table is not None}
    found = {name: _leaves(seal, table) for name, table in tables.items()}
    return {name: leaves for name, leaves in found.items() if leaves is not None}


def _leaves(seal: Path, table: SealedTable) -> Leaves | None:
    path = _rows_file(seal, table.root)
    try:
        leaves = Leaves(read_bounded(path, HASH_BYTES * table.rows))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as fault:
        raise not_as_sealed(str(path), str(fault)) from fault
    if len(leaves) != table.rows or leaves.root != table.root:
        raise not_as_sealed(str(path), "the row hashes in it do not lead to the sealed root")
    return leaves


def _rows_file(seal: Path, root: str) -> Path:
    return folder_of(seal) / f"{root.removeprefix('sha256:')}.rows"


def write_rows(seal: Path, leaves: dict[str, Leaves], data: SealedData) -> None:
    """Write the leaves of each table; a file that is there already says the same."""
    for file in data.files:
        if file.table is None:
            continue
        path = _rows_file(seal, file.table.root)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_whole(path, leaves[file.name].data, replace=True)
