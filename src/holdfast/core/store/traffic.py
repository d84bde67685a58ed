"""What a model was asked, hour by hour: how much, and how the scores lay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session
from holdfast.core.store.tables.watch import traffic

SCORE_BINS = 20


@dataclass(frozen=True, slots=True)
class TrafficHour:
    """One model in one hour of event time. `scores` counts events by score in SCORE_BINS equal parts of 0..1."""

    model: str
    hour: datetime
    events: int
    flagged: int
    unscored: int
    scores: tuple[int, ...]
    clients: int
    """The most distinct clients of one batch in that hour: a lower bound."""

    def plus(self, other: TrafficHour) -> TrafficHour:
        """Both together."""
        return TrafficHour(
            self.model,
            self.hour,
            self.events + other.events,
            self.flagged + other.flagged,
            self.unscored + other.unscored,
            tuple(a + b for a, b in zip(self.scores, other.scores, strict=True)),
            max(self.clients, other.clients),
        )


class Traffic:
    """Adds up hours."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def add(self, hours: Iterable[TrafficHour]) -> None:
        """Add counts to what is known of these hours."""
        for hour in hours:
            known = self._select(traffic.c.model == hour.model, traffic.c.hour == hour.hour)
            total = known[0].plus(hour) if known else hour
            row = {"model": total.model, "hour": total.hour, "events": total.events, "body": encode(total)}
            self._session.put(traffic, row)

    def since(self, moment: datetime, model: str | None = None) -> list[TrafficHour]:
        """The hours from `moment` on, of one model or of all, in order of time."""
        chosen = [] if model is None else [traffic.c.model == model]
        return self._select(traffic.c.hour >= moment, *chosen)

    def newest(self, model: str | None = None) -> datetime | None:
        """The last hour that anything is known of."""
        query = select(traffic.c.hour).order_by(traffic.c.hour.desc()).limit(1)
        return self._sql.scalar(query if model is None else query.where(traffic.c.model == model))

    def _select(self, *conditions: Any) -> list[TrafficHour]:
        query = select(traffic).where(*conditions).order_by(traffic.c.hour, traffic.c.model)
        return [_hour(row) for row in self._sql.execute(query)]


def _hour(row: Row[Any]) -> TrafficHour:
    return decode(row.body, TrafficHour)
