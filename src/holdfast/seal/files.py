"""Where seals lie, and how they are written: whole or not at all.

Beside `train.parquet` are `train.parquet.seal.json`, the signed seal, and the folder `train.parquet.seal.d` with the
leaf hashes of its rows, named by their root, and with the seals that this one took the place of, named by their digest.
The seal is written last: before it is there, nothing points to what a killed process left behind.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from holdfast.core.data.merkle import HASH_BYTES
from holdfast.core.data.seal import Leaves, SealedData, SealedTable
from holdfast.core.errors import DataError
from holdfast.core.sign import PublicKey
from holdfast.core.sign.dsse import MAX_ENVELOPE_BYTES
from holdfast.core.sign.keys import open_now
from holdfast.seal.faults import no_seal, no_statement, not_as_sealed
from holdfast.seal.statement import Signed

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


def read_bounded(path: Path, most: int) -> bytes:
    """A regular file's bytes. Raises OSError, and ValueError where there are more than `most`."""
    with open_now(path) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is not a regular file")
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return data


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


def write_whole(path: Path, data: bytes, *, replace: bool) -> None:
    """Write beside `path`, then take its place at once. Without `replace` a file that is there stays: HF-SEA-005."""
    try:
        _write(path, data, replace=replace)
    except FileExistsError:
        raise DataError(
            f"{path} is there already",
            cause="a seal or an attestation that somebody relies on is not overwritten by chance",
            fix="add --replace to keep the old seal as the parent of the new one, or name another file",
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
