"""Alerts: campaigns that people were told of, in the order they were, and what people said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, text, update

from holdfast.core.domain.alert import Alert, AlertState
from holdfast.core.domain.severity import Severity
from holdfast.core.store.campaigns import Campaigns
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session
from holdfast.core.store.tables.watch import alerts


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said of an alert: the state it took, who, why, when."""

    state: AlertState
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert with its place in the order of raising, and every answer it got."""

    sequence: int
    alert: Alert
    answers: tuple[Answer, ...]
    changed_at: datetime


class Alerts:
    """Added once, then only answered and joined to findings."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def add(self, alert: Alert) -> bool:
        """Record an alert; its campaign is kept beforehand. False, and nothing changes, when it is known."""
        self._one_at_a_time()
        row = {
            "id": alert.id,
            "campaign": alert.campaign.id,
            "model": alert.model,
            "technique": alert.campaign.technique,
            "version": alert.version,
            "severity": alert.severity.value,
            "title": alert.title,
            "state": alert.state.value,
            "finding": alert.finding,
            "answers": "[]",
            "raised_at": alert.raised_at,
            "changed_at": self._session.now,
        }
        return self._session.insert_new(alerts, row)

    def find(self, alert_id: str) -> Alert | None:
        """The alert with this id."""
        found = self.row(alert_id)
        return None if found is None else found.alert

    def row(self, alert_id: str) -> AlertRow | None:
        """The alert with this id, its place and its answers."""
        found = self._select(select(alerts).where(alerts.c.id == alert_id))
        return found[0] if found else None

    def open(self, model: str | None = None) -> list[Alert]:
        """The alerts that nobody closed, of one model or of all, in raise order."""
        query = select(alerts).where(alerts.c.state != AlertState.CLOSED.value)
        return self._alerts(query if model is None else query.where(alerts.c.model == model))

    def of(self, model: str) -> list[Alert]:
        """Every alert on a model, in raise order."""
        return self._alerts(select(alerts).where(alerts.c.model == model))

    def of_finding(self, fingerprint: str) -> list[Alert]:
        """The alerts that a finding predicted, in raise order."""
        return self._alerts(select(alerts).where(alerts.c.finding == fingerprint))

    def recent(self, limit: int = 100) -> list[Alert]:
        """The last alerts, newest first."""
        newest = select(alerts.c.sequence).order_by(alerts.c.sequence.desc()).limit(limit)
        return self._alerts(select(alerts).where(alerts.c.sequence.in_(newest)))[::-1]

    def after(self, sequence: int, limit: int = 100) -> list[AlertRow]:
        """The alerts raised after a place, in raise order. A later one never gets an earlier place."""
        return self._select(select(alerts).where(alerts.c.sequence > sequence), limit)

    def rows(self, *, model: str | None = None, state: AlertState | None = None, limit: int = 500) -> list[AlertRow]:
        """The last alerts of a model and a state (all, where None), newest first."""
        query = select(alerts.c.sequence)
        query = query if model is None else query.where(alerts.c.model == model)
        query = query if state is None else query.where(alerts.c.state == state.value)
        newest = query.order_by(alerts.c.sequence.desc()).limit(limit)
        return self._select(select(alerts).where(alerts.c.sequence.in_(newest)))[::-1]

    def set_finding(self, alert_id: str, fingerprint: str) -> bool:
        """Join an alert to the finding that predicted it. False where there is no such alert."""
        return self._set(alert_id, finding=fingerprint)

    def set_state(self, alert_id: str, state: AlertState, *, by: str = "", reason: str = "") -> bool:
        """Record a person's answer. False where there is no such alert."""
        row = self.row(alert_id)
        if row is None:
            return False
        answers = (*row.answers, Answer(state, by, reason, self._session.now))
        return self._set(alert_id, state=state.value, answers=encode(answers))

    def _set(self, alert_id: str, **values: Any) -> bool:
        statement = update(alerts).where(alerts.c.id == alert_id).values(**values, changed_at=self._session.now)
        return self._session.changed(statement) == 1

    def _one_at_a_time(self) -> None:
        """PostgreSQL hands out sequences before commits; a reader that goes by them must not miss a late one."""
        if self._sql.dialect.name == "postgresql":
            self._sql.execute(text("LOCK TABLE alerts IN SHARE ROW EXCLUSIVE MODE"))

    def _alerts(self, query: Any) -> list[Alert]:
        return [row.alert for row in self._select(query)]

    def _select(self, query: Any, limit: int | None = None) -> list[AlertRow]:
        rows = self._sql.execute(query.order_by(alerts.c.sequence).limit(limit)).all()
        campaigns = Campaigns(self._session).of_ids([row.campaign for row in rows])
        return [_row(row, campaigns) for row in rows]


def _row(row: Row[Any], campaigns: dict[str, Any]) -> AlertRow:
    alert = Alert(
        campaign=campaigns[row.campaign],
        version=row.version,
        severity=Severity(row.severity),
        title=row.title,
        raised_at=row.raised_at,
        state=AlertState(row.state),
        finding=row.finding,
    )
    return AlertRow(row.sequence, alert, decode(row.answers, tuple[Answer, ...]), row.changed_at)
