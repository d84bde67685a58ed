"""The catalogue of event segments: which slice of which pack file holds which events of which model.

A row is written after its bytes are on disk, by whoever holds the log; so rows never name what is not there, and a
reader that has seen sequence n has seen everything before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select, update

from holdfast.core.domain import digest
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables.watch import event_log, event_seals, segments

_LOG = 1


@dataclass(frozen=True, slots=True)
class Slice:
    """Where a segment's bytes lie and what they are: `length` bytes on disk with that SHA-256, `raw` when unpacked."""

    model: str
    pack: str
    offset: int
    length: int
    raw: int
    rows: int
    sha256: str
    first_at: datetime
    last_at: datetime
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A slice with its place in the log. `removed_at`: its events are gone, or moved to a later sequence."""

    sequence: int
    slice: Slice
    recorded_at: datetime
    removed_at: datetime | None

    @property
    def model(self) -> str:
        return self.slice.model

    @property
    def rows(self) -> int:
        return self.slice.rows


@dataclass(frozen=True, slots=True)
class Seal:
    """What the ledger says of a run of segments: `root` is the digest of their SHA-256s in order."""

    first: int
    last: int
    events: int
    root: str
    intent: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class LogState:
    """The newest sequence, the newest one the ledger knows of, and since when it does."""

    newest: int
    sealed: int
    sealed_at: datetime


class EventSegments:
    """Append under the log's lock; read from any sequence on."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def hold(self) -> LogState:
        """Make other writers of the log wait until this transaction ends, and say where it stands."""
        first = {"id": _LOG, "newest": 0, "sealed": 0, "sealed_at": self._session.now}
        self._session.insert_new(event_log, first)
        query = select(event_log.c.newest, event_log.c.sealed, event_log.c.sealed_at).where(event_log.c.id == _LOG)
        return LogState(*self._sql.execute(query.with_for_update()).one())

    def state(self) -> LogState | None:
        """Where the log stands, without holding it; None before the first segment."""
        row = self._sql.execute(select(event_log.c.newest, event_log.c.sealed, event_log.c.sealed_at)).one_or_none()
        return None if row is None else LogState(*row)

    def newest(self) -> int:
        """The newest sequence; 0 where there is none."""
        return self._sql.scalar(select(event_log.c.newest)) or 0

    def append(self, state: LogState, slices: Sequence[Slice]) -> list[SegmentRow]:
        """Give slices the next sequences. `state` is what `hold` said in this transaction."""
        now = self._session.now
        made = [SegmentRow(state.newest + step, item, now, None) for step, item in enumerate(slices, start=1)]
        if made:
            self._sql.execute(segments.insert(), [_values(row) for row in made])
            self._sql.execute(update(event_log).values(newest=made[-1].sequence))
        return made

    def after(
        self, sequence: int, limit: int, *, model: str | None = None, quarantined: bool | None = False
    ) -> list[SegmentRow]:
        """Rows past a sequence whose events are there, oldest first."""
        query = select(segments).where(segments.c.sequence > sequence, segments.c.removed_at.is_(None))
        query = query if model is None else query.where(segments.c.model == model)
        query = query if quarantined is None else query.where(segments.c.quarantined.is_(quarantined))
        return self._rows(query.order_by(segments.c.sequence).limit(limit))

    def all_after(self, sequence: int, limit: int) -> list[SegmentRow]:
        """Rows past a sequence, those without events too: what seals speak of."""
        return self._rows(
            select(segments).where(segments.c.sequence > sequence).order_by(segments.c.sequence).limit(limit)
        )

    def before(self, sequence: int, limit: int, *, model: str | None = None) -> list[SegmentRow]:
        """Rows up to a sequence whose events are there, newest first."""
        query = select(segments).where(segments.c.sequence <= sequence, segments.c.removed_at.is_(None))
        query = query if model is None else query.where(segments.c.model == model)
        return self._rows(query.order_by(segments.c.sequence.desc()).limit(limit))

    def find(self, sequences: Iterable[int]) -> dict[int, SegmentRow]:
        """Rows by sequence."""
        found: dict[int, SegmentRow] = {}
        for chunk in chunks(sequences):
            rows = self._rows(select(segments).where(segments.c.sequence.in_(chunk)))
            found.update((row.sequence, row) for row in rows)
        return found

    def models(self, after: int = 0) -> list[str]:
        """The models that have events past a sequence and are not in quarantine."""
        query = select(segments.c.model).where(
            segments.c.sequence > after, segments.c.removed_at.is_(None), segments.c.quarantined.is_(False)
        )
        return sorted(self._sql.scalars(query.distinct()))

    def totals(self, since: datetime | None = None) -> dict[str, tuple[int, int, datetime]]:
        """By model: events, segments, and when the newest event happened."""
        query = select(segments.c.model, func.sum(segments.c.rows), func.count(), func.max(segments.c.last_at)).where(
            segments.c.removed_at.is_(None)
        )
        query = query if since is None else query.where(segments.c.recorded_at >= since)
        found = self._sql.execute(query.group_by(segments.c.model).order_by(segments.c.model))
        return {model: (int(rows), count, last) for model, rows, count, last in found}

    def packs(self) -> set[str]:
        """The names of the pack files that rows with events name."""
        return set(self._sql.scalars(select(segments.c.pack).where(segments.c.removed_at.is_(None)).distinct()))

    def expired(self, before: datetime, limit: int) -> list[SegmentRow]:
        """Rows recorded before a moment whose events are still there, oldest first."""
        query = select(segments).where(segments.c.recorded_at < before, segments.c.removed_at.is_(None))
        return self._rows(query.order_by(segments.c.sequence).limit(limit))

    def count_before(self, before: datetime) -> tuple[int, int]:
        """How many segments and events `expired` would give."""
        query = select(func.count(), func.coalesce(func.sum(segments.c.rows), 0)).where(
            segments.c.recorded_at < before, segments.c.removed_at.is_(None)
        )
        count, rows = self._sql.execute(query).one()
        return int(count), int(rows)

    def release(self, state: LogState, rows: Sequence[SegmentRow]) -> list[SegmentRow]:
        """Let segments out of quarantine: they get new sequences, so that readers who have passed them see them."""
        self.remove(rows)
        return self.append(state, [replace(row.slice, quarantined=False) for row in rows])

    def remove(self, rows: Iterable[SegmentRow]) -> None:
        """Mark rows as without events; the rows stay, because seals speak of them."""
        for chunk in chunks(row.sequence for row in rows):
            self._sql.execute(
                update(segments).where(segments.c.sequence.in_(chunk)).values(removed_at=self._session.now)
            )

    def move(self, row: SegmentRow, pack: str, offset: int) -> None:
        """The same bytes lie elsewhere now."""
        self._sql.execute(update(segments).where(segments.c.sequence == row.sequence).values(pack=pack, offset=offset))

    def seal(self, state: LogState, last: int, events: int, root: str, intent: str) -> Seal:
        """Record that the ledger speaks of everything up to `last`."""
        made = Seal(state.sealed + 1, last, events, root, intent, self._session.now)
        self._sql.execute(
            event_seals.insert().values(
                first=made.first, last=last, events=events, root=root, intent=intent, recorded_at=made.recorded_at
            )
        )
        self._sql.execute(update(event_log).values(sealed=last, sealed_at=made.recorded_at))
        return made

    def seals(self, after: int = 0, limit: int = 1000) -> list[Seal]:
        """Seals whose last sequence lies past `after`, in order."""
        query = (
            select(
                event_seals.c.first,
                event_seals.c.last,
                event_seals.c.events,
                event_seals.c.root,
                event_seals.c.intent,
                event_seals.c.recorded_at,
            )
            .where(event_seals.c.last > after)
            .order_by(event_seals.c.last)
            .limit(limit)
        )
        return [Seal(*row) for row in self._sql.execute(query)]

    def newest_sealed(self, model: str, until: datetime) -> tuple[SegmentRow, Seal] | None:
        """The newest segment of a model that the ledger spoke of by then, and the seal that does."""
        query = (
            select(segments, event_seals.c.last.label("seal"))
            .join(event_seals, event_seals.c.last >= segments.c.sequence)
            .where(
                segments.c.model == model,
                segments.c.quarantined.is_(False),
                event_seals.c.first <= segments.c.sequence,
                event_seals.c.recorded_at <= until,
            )
            .order_by(segments.c.sequence.desc())
            .limit(1)
        )
        row = self._sql.execute(query).one_or_none()
        return None if row is None else (_row(row), self.seals(row.seal - 1, 1)[0])

    def _rows(self, query: Select[Any]) -> list[SegmentRow]:
        return [_row(row) for row in self._sql.execute(query)]


def root_of(rows: Iterable[SegmentRow]) -> str:
    """The digest of the SHA-256s of segments, in the order of their sequences."""
    return digest([row.slice.sha256 for row in sorted(rows, key=lambda row: row.sequence)])


def _values(row: SegmentRow) -> dict[str, Any]:
    place = row.slice
    return {
        "sequence": row.sequence,
        "model": place.model,
        "quarantined": place.quarantined,
        "pack": place.pack,
        "offset": place.offset,
        "length": place.length,
        "raw": place.raw,
        "rows": place.rows,
        "sha256": place.sha256,
        "first_at": place.first_at,
        "last_at": place.last_at,
        "recorded_at": row.recorded_at,
        "removed_at": row.removed_at,
    }


def _row(row: Row[Any]) -> SegmentRow:
    place = Slice(
        row.model,
        row.pack,
        row.offset,
        row.length,
        row.raw,
        row.rows,
        row.sha256,
        row.first_at,
        row.last_at,
        row.quarantined,
    )
    return SegmentRow(row.sequence, place, row.recorded_at, row.removed_at)
