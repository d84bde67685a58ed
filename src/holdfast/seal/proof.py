"""That one row is among the sealed ones, shown without the others: its values and the path to the sealed root."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from holdfast.core.data.merkle import inclusion_path, root_from_inclusion, root_of
from holdfast.core.data.seal import Leaves, SealedFile, SealedTable
from holdfast.core.data.seal_rows import leaf_of, row_of
from holdfast.core.data.table import Table
from holdfast.core.errors import SignatureError, UsageError
from holdfast.core.sign import PublicKey
from holdfast.core.sign.strict import parse_object
from holdfast.seal.faults import not_as_sealed
from holdfast.seal.files import load as load_seal
from holdfast.seal.files import seal_of
from holdfast.seal.standing import EXITS, Standing
from holdfast.seal.statement import Seal
from holdfast.seal.whole import read_bounded

MAX_PROOF_BYTES: Final = 4_000_000
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class RowProof:
    """Row `row` (the first is 0) of the file `file` under the seal `seal`. `path` leads from the row to the root."""

    seal: str
    file: str
    row: int
    values: Mapping[str, Any]
    path: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "schema_version": 1,
            "seal": self.seal,
            "file": self.file,
            "row": self.row,
            "values": dict(self.values),
            "path": [step.hex() for step in self.path],
        }

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a proof file, bounded. Raises SignatureError HF-SEA-010."""
        try:
            return cls._of(parse_object(data, MAX_PROOF_BYTES))
        except (KeyError, TypeError, ValueError) as fault:
            raise _unreadable(str(fault)) from fault

    @classmethod
    def _of(cls, said: dict[str, Any]) -> Self:
        row, values, path = said["row"], said["values"], said["path"]
        if said["schema_version"] != 1 or not isinstance(values, dict) or not isinstance(path, list):
            raise ValueError("schema_version, values or path")
        if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < 2**63 or len(path) > 64:
            raise ValueError("row or path")
        if not all(isinstance(step, str) and _HASH.fullmatch(step) for step in path):
            raise ValueError("path")
        steps = tuple(bytes.fromhex(step) for step in path)
        return cls(str(said["seal"]), str(said["file"]), row, values, steps)

    def holds(self, seal: Seal) -> str | None:
        """None where the row is proven to be under `seal`, else why not."""
        if self.seal != seal.digest:
            return f"the proof is for the seal {self.seal[:80]}, this one is {seal.digest}"
        found = seal.data.file(self.file)
        if found is None or found.table is None:
            return f"the seal has no table '{self.file[:80]}'"
        return self._leads_to(found.table)

    def _leads_to(self, table: SealedTable) -> str | None:
        if tuple(self.values) != table.names and set(self.values) != set(table.names):
            return "the row has other columns than the sealed table"
        try:
            leaf = leaf_of(
                [column.kind for column in table.columns], [self.values[column.name] for column in table.columns]
            )
        except ValueError as fault:
            return f"a value is not of its column's kind: {fault}"
        root = root_from_inclusion(leaf, self.row, table.rows, self.path)
        if root is None or f"sha256:{root.hex()}" != table.root:
            return "the values and the path do not lead to the sealed root"
        return None


def prove(data: Path, row: int, *, file: str | None = None, seal: Path | None = None) -> RowProof:
    """The proof for a row of sealed data, read from the data itself.

    Raises UsageError HF-SEA-011 where there is no such row, SignatureError HF-SEA-003 where the data was changed.
    """
    signed = load_seal(seal or seal_of(data), (), data=data)
    chosen, sealed = _table(signed.seal, file)
    if not 0 <= row < sealed.rows:
        raise _no_row(f"'{chosen.name}' has {sealed.rows:,} rows, 0 to {sealed.rows - 1}", "count from 0")
    table = Table.read(data / chosen.name if data.is_dir() else data)
    leaves = _checked(table, sealed, chosen.name)
    path = inclusion_path(row, sealed.rows, lambda start, stop: root_of(leaves[start:stop]))
    return RowProof(signed.seal.digest, chosen.name, row, row_of(table, row), tuple(path))


def _checked(table: Table, sealed: SealedTable, name: str) -> Leaves:
    from holdfast.core.data.seal import seal_table

    now, leaves = seal_table(table)
    if now != sealed:
        raise not_as_sealed(
            name, "its rows or columns are others than the sealed ones; `holdfast seal verify` names them"
        )
    return leaves


def _table(seal: Seal, file: str | None) -> tuple[SealedFile, SealedTable]:
    tables = {one.name: one for one in seal.data.files if one.table is not None}
    if file is None and len(tables) != 1:
        raise _no_row(f"the seal has {len(tables)} tables", "name one of them with --file")
    name = next(iter(tables)) if file is None else file
    if name not in tables:
        raise _no_row(f"the seal has no table '{name}'", f"its tables are {', '.join(list(tables)[:8]) or 'none'}")
    table = tables[name].table
    assert table is not None, "chosen for it"
    return tables[name], table


def _no_row(cause: str, fix: str) -> UsageError:
    return UsageError("there is no such row under the seal", cause=cause, fix=fix, code="HF-SEA-011")


@dataclass(frozen=True, slots=True)
class RowVerified:
    """Whether a row is shown to be under a seal, and by whose word."""

    standing: Standing
    words: str
    row: int

    @property
    def exit_code(self) -> int:
        return EXITS[self.standing]


def verify_row(proof: Path, seal: Path, keys: tuple[PublicKey, ...]) -> RowVerified:
    """Hold a proof file against a seal; the data is not needed. Raises SignatureError HF-SEA-002, -010."""
    signed = load_seal(seal, keys)
    try:
        read = RowProof.parse(read_bounded(proof, MAX_PROOF_BYTES))
    except (OSError, ValueError) as fault:
        raise _unreadable(getattr(fault, "strerror", None) or str(fault)) from fault
    why = read.holds(signed.seal)
    if why is not None:
        return RowVerified(Standing.BROKEN, why, read.row)
    where = f"row {read.row} of {read.file} is under the seal {signed.seal.digest}"
    if signed.signer is None:
        return RowVerified(Standing.UNKNOWN, f"{where}, which no trusted key signed", read.row)
    return RowVerified(Standing.OK, f"{where}, signed by {signed.signer.key_id}", read.row)


def _unreadable(why: str) -> SignatureError:
    return SignatureError(
        "the proof of a row cannot be read",
        cause=f"missing or wrong: {why[:200]}",
        fix="get the file again; `holdfast seal prove` writes it",
        code="HF-SEA-010",
    )
