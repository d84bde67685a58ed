"""Incidents: opened by grave alerts, classified and closed by people. Every change is a ledger intent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Select, select, update

from holdfast.core.domain import Severity, to_iso
from holdfast.core.domain.alert import Alert
from holdfast.core.domain.incident import Incident, IncidentClass, incident_id
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.intents import Intents
from holdfast.core.store.session import Session
from holdfast.core.store.tables.respond import incident_alerts, incidents


class Incidents:
    """The incidents of all models."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection
        self._intents = Intents(session)

    def report(self, alert: Alert) -> Incident:
        """The incident that an alert belongs to: the one it is part of, else the model's open one, else a new one."""
        known = self.of_alert(alert.id)
        if known is not None:
            return known
        standing = self.open(alert.model)
        incident = _joined(standing[0], alert) if standing else _opened(alert)
        self._put(incident)
        self._session.insert_new(incident_alerts, {"alert": alert.id, "incident": incident.id})
        self._tell("incident.joined" if standing else "incident.opened", incident, {"alert": alert.id})
        return incident

    def classify(self, incident: Incident, as_: IncidentClass, by: str) -> Incident:
        """Write down what a person found it to be; the first moment of classification stays."""
        changed = replace(
            incident,
            classified_as=as_,
            classified_by=by,
            classified_at=incident.classified_at or self._session.now,
        )
        self._put(changed)
        self._tell("incident.classified", changed, {"as": as_.value})
        return changed

    def close(self, incident: Incident, by: str, reason: str) -> Incident:
        """Close it, with the reason."""
        changed = replace(incident, closed_at=self._session.now, closed_by=by, reason=reason)
        self._put(changed)
        self._tell("incident.closed", changed, {})
        return changed

    def find(self, incident_id: str, *, hold: bool = False) -> Incident | None:
        """The incident with this id; `hold` makes others who change it wait until this transaction ends."""
        query = select(incidents.c.body).where(incidents.c.id == incident_id)
        found = self._select(query.with_for_update() if hold else query)
        return found[0] if found else None

    def of_alert(self, alert: str) -> Incident | None:
        """The incident that an alert is part of."""
        linked = select(incident_alerts.c.incident).where(incident_alerts.c.alert == alert)
        found = self._select(select(incidents.c.body).where(incidents.c.id.in_(linked)))
        return found[0] if found else None

    def open(self, model: str | None = None) -> list[Incident]:
        """The incidents that are not closed, oldest first."""
        query = select(incidents.c.body).where(incidents.c.closed_at.is_(None))
        query = query if model is None else query.where(incidents.c.model == model)
        return self._select(query.order_by(incidents.c.sequence))

    def all(self) -> list[Incident]:
        """Every incident, oldest first."""
        return self._select(select(incidents.c.body).order_by(incidents.c.sequence))

    def _select(self, query: Select[Any]) -> list[Incident]:
        return [decode(body, Incident) for body in self._sql.scalars(query)]

    def _put(self, incident: Incident) -> None:
        values = {
            "model": incident.model,
            "body": encode(incident),
            "occurred_at": incident.occurred_at,
            "aware_at": incident.aware_at,
            "closed_at": incident.closed_at,
        }
        if not self._session.insert_new(incidents, {"id": incident.id, **values}):
            self._sql.execute(update(incidents).where(incidents.c.id == incident.id).values(**values))

    def _tell(self, kind: str, incident: Incident, more: dict[str, str]) -> None:
        body = {"incident": incident.id, "model": incident.model, "aware_at": to_iso(incident.aware_at), **more}
        self._intents.add(kind, body, about=incident.id)


def _opened(alert: Alert) -> Incident:
    return Incident(
        id=incident_id(alert.id),
        model=alert.model,
        title=alert.title,
        severity=alert.severity,
        alerts=(alert.id,),
        occurred_at=alert.campaign.started_at,
        aware_at=alert.raised_at,
    )


def _joined(incident: Incident, alert: Alert) -> Incident:
    return replace(
        incident,
        alerts=(*incident.alerts, alert.id),
        severity=max(incident.severity, alert.severity, key=lambda item: Severity(item).rank),
        occurred_at=min(incident.occurred_at, alert.campaign.started_at),
        aware_at=min(incident.aware_at, alert.raised_at),
    )
