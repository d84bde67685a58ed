"""What a data set is, down to its rows: the digests that a seal holds, and how they are taken.

A digest of the file alone says that something changed. With one digest per column and a Merkle root over the rows, a
change is named: this column, these rows. Columns and rows are hashed by what they say, not by how a file stores it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.core.data.merkle import HASH_BYTES, root_of
from holdfast.core.data.seal_rows import kind_of, leaves_of
from holdfast.core.data.table import Table
from holdfast.core.domain import digest


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """`kind` is number, bool or text; `digest` is over the values alone, so that a renamed column is known again."""

    name: str
    kind: str
    digest: str


@dataclass(frozen=True, slots=True)
class SealedTable:
    """`root` is `sha256:` and the Merkle root over the rows, in order."""

    rows: int
    columns: tuple[SealedColumn, ...]
    root: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def schema(self) -> tuple[tuple[str, str], ...]:
        """Names and kinds, in order: rows of equal schemas can be compared one by one."""
        return tuple((column.name, column.kind) for column in self.columns)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file of a data set. `name` is relative to it; `table` is None where it is no table, and `note` says why."""

    name: str
    digest: str
    bytes: int
    table: SealedTable | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class SealedData:
    """A data set: one file, or a folder of files in the order of their names."""

    name: str
    files: tuple[SealedFile, ...]

    @property
    def rows(self) -> int:
        return sum(file.table.rows for file in self.files if file.table is not None)

    def file(self, name: str) -> SealedFile | None:
        """The file of that name."""
        return next((file for file in self.files if file.name == name), None)

    @property
    def digest(self) -> str:
        """Identity of names and bytes, whatever the time and whoever signed."""
        return digest([[file.name, file.digest, file.bytes] for file in self.files])


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaf hashes of a table's rows, and their tree."""

    data: bytes = field(repr=False)

    def __len__(self) -> int:
        return len(self.data) // HASH_BYTES

    def __getitem__(self, place: slice) -> Sequence[bytes]:
        start, stop, _ = place.indices(len(self))
        return [self.data[HASH_BYTES * at : HASH_BYTES * (at + 1)] for at in range(start, stop)]

    @property
    def root(self) -> str:
        return "sha256:" + root_of(self[:]).hex()


def seal_table(table: Table) -> tuple[SealedTable, Leaves]:
    """The digests of a table, and the leaves under its root."""
    leaves = Leaves(leaves_of(table))
    columns = tuple(
        SealedColumn(name, kind_of(values), table.column_digest(name)) for name, values in table.columns.items()
    )
    return SealedTable(table.n_rows, columns, leaves.root), leaves
