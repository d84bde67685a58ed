"""Ledger intents: what the ledger will say, written in the same transaction as the change it speaks of.

An entry is canonical JSON, made once: the bytes stored here are the bytes that are hashed, signed and exported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, func, insert, select, update

from holdfast.core.domain import canonical_json, new_id, to_iso
from holdfast.core.errors import StoreError
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables import ledger_hashes, ledger_intents, ledger_state

ENTRY_VERSION: Final = 1
MAX_ENTRY_BYTES: Final = 65_535
"""The tile format writes an entry's length in two bytes."""


@dataclass(frozen=True, slots=True)
class LedgerState:
    """How many leaves have their place (`size`), and what the newest checkpoint says."""

    size: int
    published_size: int
    published_root: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What one entry says: of which kind, about what, and at which leaf (None: not yet placed)."""

    id: str
    kind: str
    about: str | None
    body: dict[str, Any]
    recorded_at: datetime
    leaf: int | None


class Intents:
    """The ledger's side of the store: intents in order, the hashes of its tiles, its published size."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def add(self, kind: str, body: Mapping[str, Any], *, about: str | None = None) -> str:
        """Write an intent and give its id, which becomes the leaf's. Raises StoreError beyond 65,535 bytes.

        `about` is the id of what it speaks of (a judgement's key, a claim's id), by which its leaf is found again.
        """
        return self.add_all([(kind, body, about)])[0]

    def add_all(self, said: Sequence[tuple[str, Mapping[str, Any], str | None]]) -> list[str]:
        """`add` for many at once: kind, body and what it is about, in order."""
        now = self._session.now
        rows: list[dict[str, Any]] = []
        for kind, body, about in said:
            intent_id = new_id("int", self._session.clock)
            entry = _entry(intent_id, kind, body, to_iso(now))
            rows.append({"id": intent_id, "kind": kind, "entry": entry, "recorded_at": now, "about": about})
        for chunk in chunks(rows):
            self._sql.execute(insert(ledger_intents), list(chunk))
        return [row["id"] for row in rows]

    def pending(self, limit: int) -> list[tuple[int, bytes]]:
        """Sequence and entry of intents that have no leaf, in the order they were written."""
        query = (
            select(ledger_intents.c.sequence, ledger_intents.c.entry)
            .where(ledger_intents.c.leaf.is_(None))
            .order_by(ledger_intents.c.sequence)
            .limit(limit)
        )
        return [(sequence, bytes(entry)) for sequence, entry in self._sql.execute(query)]

    def count_pending(self) -> int:
        """How many intents have no leaf yet."""
        return self._sql.scalar(select(func.count()).where(ledger_intents.c.leaf.is_(None))) or 0

    def place(self, first_leaf: int, sequences: Sequence[int]) -> None:
        """Give intents their leaves, from `first_leaf` on."""
        statement = (
            update(ledger_intents)
            .where(ledger_intents.c.sequence == bindparam("intent"))
            .values(leaf=bindparam("place"))
        )
        rows = [{"intent": intent, "place": first_leaf + step} for step, intent in enumerate(sequences)]
        self._sql.execute(statement, rows)
        self._sql.execute(update(ledger_state).values(size=first_leaf + len(sequences)))

    def leaf_of(self, intent_id: str) -> int | None:
        """The leaf of an intent; None while it waits or where there is no such intent."""
        return self._sql.scalar(select(ledger_intents.c.leaf).where(ledger_intents.c.id == intent_id))

    def about(self, subject: str) -> list[tuple[str, int | None]]:
        """The kinds of entries about something, oldest first, each with its leaf (None: not yet placed)."""
        query = (
            select(ledger_intents.c.kind, ledger_intents.c.leaf)
            .where(ledger_intents.c.about == subject)
            .order_by(ledger_intents.c.sequence)
        )
        return [(kind, leaf) for kind, leaf in self._sql.execute(query)]

    def leaves(self, subjects: Iterable[str], until: datetime | None = None) -> dict[str, Entry]:
        """The first entry about each of these subjects that has one, written no later than `until`."""
        found: dict[str, Entry] = {}
        for chunk in chunks(subjects):
            query = select(ledger_intents).where(ledger_intents.c.about.in_(chunk))
            if until is not None:
                query = query.where(ledger_intents.c.recorded_at <= until)
            for row in self._sql.execute(query.order_by(ledger_intents.c.sequence)):
                found.setdefault(row.about, _read(row))
        return found

    def journal(self, kinds: Iterable[str], until: datetime) -> list[Entry]:
        """The entries of these kinds written no later than `until`, oldest first."""
        query = select(ledger_intents).where(
            ledger_intents.c.kind.in_(list(kinds)), ledger_intents.c.recorded_at <= until
        )
        return [_read(row) for row in self._sql.execute(query.order_by(ledger_intents.c.sequence))]

    def newest_about(self, subject: str, until: datetime) -> Entry | None:
        """The newest entry about something that was written no later than `until`."""
        query = select(ledger_intents).where(ledger_intents.c.about == subject, ledger_intents.c.recorded_at <= until)
        row = self._sql.execute(query.order_by(ledger_intents.c.sequence.desc()).limit(1)).one_or_none()
        return None if row is None else _read(row)

    def last(self, until: datetime) -> Entry | None:
        """The newest entry that has its leaf and was written no later than `until`."""
        query = select(ledger_intents).where(ledger_intents.c.leaf.is_not(None), ledger_intents.c.recorded_at <= until)
        row = self._sql.execute(query.order_by(ledger_intents.c.sequence.desc()).limit(1)).one_or_none()
        return None if row is None else _read(row)

    def entries(self, start: int, stop: int) -> list[bytes]:
        """The entries of leaves `start` to `stop` (exclusive)."""
        query = (
            select(ledger_intents.c.entry)
            .where(ledger_intents.c.leaf >= start, ledger_intents.c.leaf < stop)
            .order_by(ledger_intents.c.leaf)
        )
        return [bytes(entry) for entry in self._sql.scalars(query)]

    def add_hashes(self, rows: Iterable[tuple[int, int, bytes]]) -> None:
        """Keep tile hashes, each with its tile level and position in that level."""
        values = [{"level": level, "position": position, "hash": hashed} for level, position, hashed in rows]
        if values:
            self._sql.execute(insert(ledger_hashes), values)

    def hashes(self, level: int, start: int, stop: int) -> list[bytes]:
        """The hashes at `start` to `stop` (exclusive) of one tile level."""
        query = (
            select(ledger_hashes.c.hash)
            .where(ledger_hashes.c.level == level, ledger_hashes.c.position >= start, ledger_hashes.c.position < stop)
            .order_by(ledger_hashes.c.position)
        )
        return [bytes(hashed) for hashed in self._sql.scalars(query)]

    def state(self, *, hold: bool = False) -> LedgerState:
        """Where the ledger stands; `hold` makes other sequencers wait until this transaction ends."""
        query = select(ledger_state.c.size, ledger_state.c.published_size, ledger_state.c.published_root)
        return LedgerState(*self._sql.execute(query.with_for_update() if hold else query).one())

    def publish(self, size: int, root: str) -> None:
        """Record that a checkpoint of this size and root is on disk."""
        self._sql.execute(update(ledger_state).values(published_size=size, published_root=root))


def _read(row: Row[Any]) -> Entry:
    return Entry(row.id, row.kind, row.about, json.loads(row.entry)["body"], row.recorded_at, row.leaf)


def _entry(intent_id: str, kind: str, body: Mapping[str, Any], moment: str) -> bytes:
    """The bytes of a leaf. Raises StoreError where the body is no JSON or too large."""
    cause = None
    entry = b""
    try:
        said = canonical_json(
            {"version": ENTRY_VERSION, "id": intent_id, "kind": kind, "recorded_at": moment, "body": dict(body)}
        )
        # Others read entries with tools of their own: what is no text (half a surrogate pair) becomes U+FFFD.
        entry = said.decode("utf-8", "replace").encode()
    except (TypeError, ValueError, RecursionError) as fault:
        cause = str(fault)
    if len(entry) > MAX_ENTRY_BYTES:
        cause = f"{len(entry):,} bytes; the limit is {MAX_ENTRY_BYTES:,}"
    if cause is not None:
        raise StoreError(
            f"an intent of kind '{kind}' cannot become a ledger entry",
            cause=cause,
            fix="state digests and figures; keep what is large as a blob",
            code="HF-STO-011",
        )
    return entry
