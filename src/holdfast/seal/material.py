"""What a training run is given: files that are as sealed to the byte, and tables that are as sealed to the value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from holdfast.core.data.seal import SealedFile, SealedTable
from holdfast.core.data.seal_rows import kind_of
from holdfast.core.data.table import Table
from holdfast.core.errors import UsageError
from holdfast.core.sign import Material, PublicKey
from holdfast.seal.faults import not_as_sealed, untrusted
from holdfast.seal.files import load, seal_of
from holdfast.seal.statement import Signed
from holdfast.seal.verifying import same_bytes, verify


@dataclass(frozen=True, slots=True)
class Sealed:
    """A data set and the seal it was held against."""

    path: Path
    seal: Path
    signed: Signed

    @property
    def files(self) -> tuple[SealedFile, ...]:
        return self.signed.seal.data.files

    def where(self, file: SealedFile) -> Path:
        """Where a file of the data set lies."""
        return self.path / file.name if self.path.is_dir() else self.path

    def check(self) -> None:
        """Raises SignatureError HF-SEA-003, naming what changed, where a byte is not as sealed."""
        if same_bytes(self.path, self.signed.seal.data):
            return
        found = verify(self.path, (), seal=self.seal)
        raise not_as_sealed(str(self.path), "; ".join(found.problems[:12]))

    def table(self, file: SealedFile) -> Table:
        """A table whose values are the sealed ones. They are compared in memory: no later write reaches them."""
        assert file.table is not None, "only asked for tables"
        found = Table.read(self.where(file))
        _refuse_other_values(self.where(file), found, file.table)
        return found

    def bytes(self, file: SealedFile) -> bytes:
        """A file's bytes, compared after they were read."""
        data = self.where(file).read_bytes()
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != file.digest:
            raise not_as_sealed(str(self.where(file)), "its bytes are others")
        return data

    @property
    def materials(self) -> Iterable[Material]:
        """The files as an attestation names them."""
        signer = self.signed.signer
        notes = {"role": "train", "seal": self.signed.seal.digest, "sealed_by": signer.key_id if signer else ""}
        for file in self.files:
            rows = {} if file.table is None else {"rows": file.table.rows, "row_root": file.table.root}
            yield Material(file.name, file.digest, {**notes, **rows})


def sealed(data: Path, trusted: tuple[PublicKey, ...], seal: Path | None = None) -> Sealed:
    """Hold data against its seal. Raises DataError HF-SEA-001, SignatureError HF-SEA-002 to -004."""
    path = seal or seal_of(data)
    signed = load(path, trusted, data=data)
    if signed.signer is None:
        raise untrusted(path, f"it names {', '.join(signed.claimed)}; trusted are {len(trusted)} keys")
    found = Sealed(data, path, signed)
    found.check()
    return found


def only_table(sets: Iterable[Sealed], name: str | None = None) -> tuple[Sealed, SealedFile]:
    """The one table of all data sets, or the one of that name. Raises UsageError HF-SEA-014."""
    tables = [(one, file) for one in sets for file in one.files if file.table is not None]
    chosen = [item for item in tables if name is None or item[1].name == name]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(file.name for _, file in tables[:8]) or "none"
    raise UsageError(
        "it is not clear which table to train with" if len(chosen) > 1 else "there is no such sealed table",
        cause=f"the sealed tables are: {names}",
        fix="name one: run.read_table('train.parquet'); a file that is no table is read with run.read_bytes(name)",
        code="HF-SEA-014",
    )


def _refuse_other_values(path: Path, table: Table, wanted: SealedTable) -> None:
    if table.names != wanted.names or table.n_rows != wanted.rows:
        raise not_as_sealed(str(path), "other columns or another number of rows were read than sealed")
    for column in wanted.columns:
        if kind_of(table[column.name]) != column.kind or table.column_digest(column.name) != column.digest:
            raise not_as_sealed(str(path), f"the values read from column '{column.name}' are others than sealed")
