"""A seal as a signed in-toto statement: its subjects are the files, its predicate what is in them.

Reading is strict and bounded: whatever is not exactly what `make` writes is refused with HF-SEA-002.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Final, Self

import msgspec

from holdfast import __version__
from holdfast.core.data.seal import SealedColumn, SealedData, SealedFile, SealedTable
from holdfast.core.domain import digest_bytes, from_iso, to_iso
from holdfast.core.errors import SignatureError
from holdfast.core.sign import PAYLOAD_TYPE, Envelope, PublicKey, SigningKey, Statement, Subject, dsse_sign, dsse_verify
from holdfast.seal.code import NO_CODE, Code
from holdfast.seal.faults import no_statement

SEAL_TYPE: Final = "urn:holdfast:seal:v1"
MAX_PARENTS: Final = 100
MAX_WORDS: Final = 2_000
MAX_ROWS: Final = 2**40
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_KINDS: Final = frozenset({"number", "bool", "text"})


@dataclass(frozen=True, slots=True)
class Parent:
    """A seal that this data came from, by the digest of its statement; `by` says what was done to get here."""

    name: str
    seal: str
    by: str


@dataclass(frozen=True)
class Seal:
    """What was sealed, when, from what, by which code."""

    data: SealedData
    sealed_at: datetime
    parents: tuple[Parent, ...] = ()
    code: Code = NO_CODE

    @cached_property
    def payload(self) -> bytes:
        """The bytes that are signed."""
        return self.statement().to_json()

    @property
    def digest(self) -> str:
        """The seal's name everywhere else: in lineages, attestations and the ledger."""
        return digest_bytes(self.payload)

    def statement(self) -> Statement:
        """The in-toto statement."""
        subjects = tuple(Subject.of(file.name, file.digest) for file in self.data.files)
        predicate = {
            "sealedAt": to_iso(self.sealed_at),
            "tool": {"holdfast": __version__},
            "name": self.data.name,
            "code": {"commit": self.code.commit, "dirty": list(self.code.dirty)},
            "parents": [{"name": parent.name, "seal": parent.seal, "by": parent.by} for parent in self.parents],
            "files": [_file_json(file) for file in self.data.files],
        }
        return Statement(subjects, SEAL_TYPE, predicate)

    def sign(self, key: SigningKey) -> Envelope:
        """The signed envelope."""
        return dsse_sign(PAYLOAD_TYPE, self.payload, key)

    @classmethod
    def of(cls, payload: bytes, source: str) -> Self:
        """Read a statement. Raises SignatureError HF-SEA-002."""
        try:
            statement = Statement.parse(payload)
            if statement.predicate_type != SEAL_TYPE:
                raise ValueError(f"its predicate is '{statement.predicate_type[:100]}'")
            said = msgspec.convert(dict(statement.predicate), _Predicate)
            seal = cls(_data(said), from_iso(said.sealedAt), _parents(said), _code(said))
            if seal.statement().subjects != statement.subjects:
                raise ValueError("its subjects are not the files it describes")
        except SignatureError as fault:
            raise no_statement(source, fault.cause) from fault
        except (ValueError, msgspec.ValidationError) as fault:
            raise no_statement(source, str(fault)[:300]) from fault
        # What was signed keeps its own bytes: another version may write the same thing differently.
        seal.__dict__["payload"] = payload
        return seal


@dataclass(frozen=True)
class Signed:
    """A seal as it was found: who claims to have signed it, and the trusted key that did, None where none did."""

    seal: Seal
    claimed: tuple[str, ...]
    signer: PublicKey | None

    @classmethod
    def parse(cls, envelope: bytes, keys: tuple[PublicKey, ...], source: str) -> Self:
        """Read an envelope, and try its signatures with `keys`. Raises SignatureError HF-SEA-002."""
        try:
            read = Envelope.parse(envelope)
        except SignatureError as fault:
            raise no_statement(source, fault.cause) from fault
        if read.payload_type != PAYLOAD_TYPE:
            raise no_statement(source, f"it holds '{read.payload_type[:100]}'")
        signer = next((key for key in keys if _signed_by(read, key)), None)
        return cls(Seal.of(read.payload, source), tuple(item.key_id[:100] for item in read.signatures), signer)


def _signed_by(envelope: Envelope, key: PublicKey) -> bool:
    try:
        dsse_verify(envelope, key, PAYLOAD_TYPE)
    except SignatureError:
        return False
    return True


class _Column(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    kind: str
    digest: str


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    rows: int
    root: str
    columns: list[_Column]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    digest: str
    bytes: int
    note: str
    table: _Table | None


class _Parent(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    seal: str
    by: str


class _CodeSaid(msgspec.Struct, forbid_unknown_fields=True):
    commit: str | None
    dirty: list[str]


class _Predicate(msgspec.Struct, forbid_unknown_fields=True):
    sealedAt: str  # noqa: N815  (as in-toto predicates are spelled)
    tool: dict[str, str]
    name: str
    code: _CodeSaid
    parents: list[_Parent]
    files: list[_File]


def _file_json(file: SealedFile) -> dict[str, Any]:
    table = None
    if file.table is not None:
        columns = [{"name": one.name, "kind": one.kind, "digest": one.digest} for one in file.table.columns]
        table = {"rows": file.table.rows, "root": file.table.root, "columns": columns}
    return {"name": file.name, "digest": file.digest, "bytes": file.bytes, "note": file.note, "table": table}


def _data(said: _Predicate) -> SealedData:
    names = [file.name for file in said.files]
    if not names or len(set(names)) < len(names):
        raise ValueError("a seal has files, each once")
    return SealedData(_word(said.name), tuple(_file(file) for file in said.files))


def _file(said: _File) -> SealedFile:
    _inside(said.name)
    return SealedFile(
        said.name,
        _digest(said.digest),
        _count(said.bytes),
        None if said.table is None else _table(said.table),
        _word(said.note),
    )


def _table(said: _Table) -> SealedTable:
    columns = tuple(SealedColumn(one.name, _kind(one.kind), _digest(one.digest)) for one in said.columns)
    if len({column.name for column in columns}) < len(columns):
        raise ValueError("a column is there twice")
    return SealedTable(_count(said.rows), columns, _digest(said.root))


def _parents(said: _Predicate) -> tuple[Parent, ...]:
    if len(said.parents) > MAX_PARENTS:
        raise ValueError(f"more than {MAX_PARENTS} parents")
    return tuple(Parent(_word(one.name), _digest(one.seal), _word(one.by)) for one in said.parents)


def _code(said: _Predicate) -> Code:
    commit = said.code.commit
    if commit is not None and re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", commit) is None:
        raise ValueError("the code commit is none")
    return Code(commit, tuple(_word(name) for name in said.code.dirty))


def _inside(name: str) -> None:
    """A name must stay inside the data set: it is joined to a folder when the data is looked for."""
    path = PurePosixPath(name)
    if not name or "\0" in name or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the file name {name[:100]!r} leads out of the data set")


def _digest(text: str) -> str:
    if _DIGEST.fullmatch(text) is None:
        raise ValueError(f"{text[:80]!r} is no digest")
    return text


def _kind(text: str) -> str:
    if text not in _KINDS:
        raise ValueError(f"{text[:80]!r} is no kind of column")
    return text


def _count(number: int) -> int:
    if not 0 <= number <= MAX_ROWS:
        raise ValueError("a count is out of bounds")
    return number


def _word(text: str) -> str:
    if len(text) > MAX_WORDS:
        raise ValueError("a text is too long")
    return text
