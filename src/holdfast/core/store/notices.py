"""Notices to the outside: which sink was to be told what, what waits in its queue, and how each sink fares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from holdfast.core.domain.response import Notice
from holdfast.core.domain.topics import SINK
from holdfast.core.store.outbox import Outbox
from holdfast.core.store.session import Session
from holdfast.core.store.tables import outbox
from holdfast.core.store.tables.respond import notices, sink_health
from holdfast.core.store.types import storable

MAX_ERROR = 300


@dataclass(frozen=True, slots=True)
class SinkHealth:
    """How a sink fares: what waits for it, and what became of the rest. `failures` counts those since it last worked.

    `withheld`: what it may not be told, by the traffic-light label.
    """

    sink: str
    queued: int = 0
    oldest_at: datetime | None = None
    delivered: int = 0
    withheld: int = 0
    failures: int = 0
    delivered_at: datetime | None = None
    failed_at: datetime | None = None
    last_error: str | None = None


class Notices:
    """Queues notices in the outbox, one message per sink, and keeps the sinks' records."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection
        self._outbox = Outbox(session)

    def queue(self, notice: Notice, sink: str) -> bool:
        """Queue a notice for a sink; False where it was queued for it before."""
        if not self._outbox.publish(SINK + sink, notice.id, notice.to_json()):
            return False
        row = {
            "id": notice.id,
            "sink": sink,
            "kind": notice.kind,
            "subject": notice.subject,
            "state": notice.state,
            "queued_at": self._session.now,
        }
        return self._session.insert_new(notices, row)

    def told(self, subject: str, state: str) -> tuple[str, ...]:
        """The sinks that were to be told that `subject` came into `state`, by name."""
        query = select(notices.c.sink).where(notices.c.subject == subject, notices.c.state == state)
        return tuple(self._sql.scalars(query.order_by(notices.c.sink).distinct()))

    def delivered(self, sink: str, count: int, withheld: int = 0) -> None:
        """Note that a sink took `count` notices and was spared `withheld`; it works."""
        known = self._record(sink)
        self._put(
            sink,
            delivered=known.delivered + count,
            withheld=known.withheld + withheld,
            failures=0 if count else known.failures,
            delivered_at=self._session.now if count else known.delivered_at,
            failed_at=known.failed_at,
            last_error=known.last_error,
        )

    def failed(self, sink: str, error: str, *, refused: bool = False) -> None:
        """Note that a sink did not take a notice, and why. `refused`: it works, but did not want this one."""
        known = self._record(sink)
        self._put(
            sink,
            delivered=known.delivered,
            withheld=known.withheld,
            failures=known.failures + (not refused),
            delivered_at=known.delivered_at,
            failed_at=self._session.now,
            last_error=storable(error)[:MAX_ERROR],
        )

    def health(self, sink: str) -> SinkHealth:
        """How one sink fares."""
        waiting = select(func.count(), func.min(outbox.c.published_at)).where(
            outbox.c.topic == SINK + sink, outbox.c.acked_at.is_(None)
        )
        queued, oldest = self._sql.execute(waiting).one()
        known = self._record(sink)
        return SinkHealth(
            sink,
            int(queued),
            oldest,
            known.delivered,
            known.withheld,
            known.failures,
            known.delivered_at,
            known.failed_at,
            known.last_error,
        )

    def sinks(self) -> tuple[str, ...]:
        """Every sink that ever was to be told something or has a record, by name."""
        named = self._sql.scalars(select(notices.c.sink).distinct())
        recorded = self._sql.scalars(select(sink_health.c.sink))
        return tuple(sorted({*named, *recorded}))

    def _record(self, sink: str) -> SinkHealth:
        row = self._sql.execute(select(sink_health).where(sink_health.c.sink == sink)).one_or_none()
        return SinkHealth(sink) if row is None else _health(row)

    def _put(self, sink: str, **values: Any) -> None:
        self._session.put(sink_health, {"sink": sink, **values})


def _health(row: Row[Any]) -> SinkHealth:
    return SinkHealth(
        row.sink,
        delivered=row.delivered,
        withheld=row.withheld,
        failures=row.failures,
        delivered_at=row.delivered_at,
        failed_at=row.failed_at,
        last_error=row.last_error,
    )
