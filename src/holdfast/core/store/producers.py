"""Who sends events, how far each has come, and which of its numbers have not arrived.

A producer counts its events within an epoch (one run of its process). What was counted and did not arrive is a gap in
the monitoring: a fact that stays until the missing events come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, or_, select

from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables.watch import producers

Key = tuple[str, int]
"""A producer and one of its epochs."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Numbers `first` to `last` have not arrived since `since` (ISO, when it was noticed)."""

    first: int
    last: int
    since: str

    @property
    def events(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class ProducerRow:
    """One epoch of one producer: events kept, the highest number seen, what is missing below it."""

    producer: str
    epoch: int
    events: int
    last: int
    missing: tuple[Missing, ...]
    first_at: datetime
    last_at: datetime


class Producers:
    """Rows by (producer, epoch)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def find(self, keys: Iterable[Key]) -> dict[Key, ProducerRow]:
        """The rows of these producers and epochs that are known."""
        found: dict[Key, ProducerRow] = {}
        for chunk in chunks(keys):
            wanted = [and_(producers.c.producer == name, producers.c.epoch == epoch) for name, epoch in chunk]
            rows = map(_row, self._sql.execute(select(producers).where(or_(*wanted))))
            found.update(((row.producer, row.epoch), row) for row in rows)
        return found

    def put(self, row: ProducerRow) -> None:
        """Keep where a producer stands."""
        self._session.put(producers, _values(row))

    def all(self, *, after: Key | None = None, limit: int = 1000) -> list[ProducerRow]:
        """Every producer and epoch, by name and epoch, past a key."""
        query = select(producers).order_by(producers.c.producer, producers.c.epoch).limit(limit)
        if after is not None:
            name, epoch = after
            later = and_(producers.c.producer == name, producers.c.epoch > epoch)
            query = query.where(or_(producers.c.producer > name, later))
        return [_row(row) for row in self._sql.execute(query)]

    def lacking(self, limit: int = 1000) -> list[ProducerRow]:
        """Those of which something is missing, latest first."""
        query = select(producers).where(producers.c.missing != "[]").order_by(producers.c.last_at.desc()).limit(limit)
        return [_row(row) for row in self._sql.execute(query)]

    def count(self) -> int:
        """How many producers and epochs are known."""
        return self._sql.scalar(select(func.count()).select_from(producers)) or 0

    def forget(self, before: datetime) -> int:
        """Drop those that were last heard of before a moment. Gives how many."""
        return self._session.changed(delete(producers).where(producers.c.last_at < before))


def _values(row: ProducerRow) -> Mapping[str, Any]:
    return {
        "producer": row.producer,
        "epoch": row.epoch,
        "events": row.events,
        "last": row.last,
        "missing": encode([[item.first, item.last, item.since] for item in row.missing]),
        "first_at": row.first_at,
        "last_at": row.last_at,
    }


def _row(row: Row[Any]) -> ProducerRow:
    missing = tuple(Missing(*item) for item in decode(row.missing, list[tuple[int, int, str]]))
    return ProducerRow(row.producer, row.epoch, row.events, row.last, missing, row.first_at, row.last_at)
