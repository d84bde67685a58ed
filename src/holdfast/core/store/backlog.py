"""Backlog items and their append-only, bitemporal journal: the items are what the journal amounts to, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select

from holdfast.core.domain.backlog import BacklogItem, Entry, Step, advance, fold
from holdfast.core.domain.ids import JSONValue
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session
from holdfast.core.store.tables.backlog import backlog_items, backlog_journal


class Backlog:
    """Reads items from the projection, or as of any past moment from the journal."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def append(
        self,
        model: str,
        item: str,
        step: Step,
        *,
        actor: str,
        why: str,
        body: Mapping[str, JSONValue] | None = None,
        effective_at: datetime | None = None,
    ) -> BacklogItem:
        """Write one journal line and give the item as it is then. Raises ValueError where the step is not possible.

        `effective_at` (default: now) is moved up to the item's last change, so that a past moment is always a prefix
        of the journal. Other writers of the model wait.
        """
        self._session.hold_model(model)
        before, now = self.find(item), self._session.now
        since = min(effective_at or now, now)
        if before is not None and before.changed_at is not None:
            since = max(since, before.changed_at)
        entry = Entry(item, step, actor, why, since, now, dict(body or {}))
        after = advance(before, entry)
        self._sql.execute(insert(backlog_journal).values(**_values(entry)))
        self._project(after)
        return after

    def find(self, item: str) -> BacklogItem | None:
        """The item with this id, as it is now."""
        body = self._sql.scalar(select(backlog_items.c.body).where(backlog_items.c.id == item))
        return None if body is None else decode(body, BacklogItem)

    def of(self, model: str) -> list[BacklogItem]:
        """The items of a model, by id."""
        return self._items(backlog_items.c.model == model)

    def all(self) -> list[BacklogItem]:
        """Every item, by id."""
        return self._items()

    def as_of(self, moment: datetime, *, known_at: datetime | None = None) -> list[BacklogItem]:
        """The items as they were at a moment, as far as was recorded until `known_at` (default: all we know)."""
        return sorted(fold(self.entries(moment, known_at=known_at)).values(), key=lambda item: item.id)

    def entries(self, until: datetime | None = None, *, known_at: datetime | None = None) -> list[Entry]:
        """The journal of every item, in the order of record, up to a moment."""
        query = select(backlog_journal).order_by(backlog_journal.c.sequence)
        if until is not None:
            query = query.where(backlog_journal.c.effective_at <= until)
        if known_at is not None:
            query = query.where(backlog_journal.c.recorded_at <= known_at)
        return [_entry(row) for row in self._sql.execute(query)]

    def history(self, item: str) -> list[Entry]:
        """The journal of one item."""
        query = select(backlog_journal).where(backlog_journal.c.item == item).order_by(backlog_journal.c.sequence)
        return [_entry(row) for row in self._sql.execute(query)]

    def last_sequence(self, item: str) -> int:
        """The sequence of an item's newest journal line; 0 where there is none."""
        return self._sql.scalar(select(func.max(backlog_journal.c.sequence)).where(backlog_journal.c.item == item)) or 0

    def matching(self, start: str, limit: int = 20) -> list[str]:
        """Ids that begin with `start`."""
        found = backlog_items.c.id.startswith(start, autoescape=True)
        return list(
            self._sql.scalars(select(backlog_items.c.id).where(found).order_by(backlog_items.c.id).limit(limit))
        )

    def rebuild(self) -> int:
        """Derive the items again from the journal; gives their number."""
        self._sql.execute(delete(backlog_items))
        items = fold(self.entries())
        for item in items.values():
            self._project(item)
        return len(items)

    def _project(self, item: BacklogItem) -> None:
        values = {"id": item.id, "model": item.model, "state": item.state.value, "body": encode(item)}
        self._session.put(backlog_items, values)

    def _items(self, *conditions: Any) -> list[BacklogItem]:
        query = select(backlog_items.c.body).where(*conditions).order_by(backlog_items.c.id)
        return [decode(body, BacklogItem) for body in self._sql.scalars(query)]


def by_item(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """A journal by item, each in the order of record."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.item, []).append(entry)
    return found


def _values(entry: Entry) -> dict[str, Any]:
    return {
        "item": entry.item,
        "step": entry.step.value,
        "actor": entry.actor,
        "why": entry.why,
        "body": encode(entry.body),
        "effective_at": entry.effective_at,
        "recorded_at": entry.recorded_at,
    }


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        row.item,
        Step(row.step),
        row.actor,
        row.why,
        row.effective_at,
        row.recorded_at,
        decode(row.body, dict[str, Any]),
        row.sequence,
    )
