"""An incident: one or more grave alerts on a model that matters, with the moments that reporting clocks count from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from holdfast.core.domain.ids import digest
from holdfast.core.domain.severity import Severity


class IncidentState(StrEnum):
    """OPEN until a person closes it with a reason; a closed incident stays in the record."""

    OPEN = "open"
    CLOSED = "closed"


class IncidentClass(StrEnum):
    """What a person found it to be; `major` is what most regimes want to hear of."""

    MAJOR = "major"
    SIGNIFICANT = "significant"
    MINOR = "minor"
    FALSE_ALARM = "false-alarm"


@dataclass(frozen=True, slots=True)
class Incident:
    """`occurred_at`: when the first campaign began. `aware_at`: when we first knew. `classified_at`: when a person
    decided what it is. Later alerts on the same model join while it is open.
    """

    id: str
    model: str
    title: str
    severity: Severity
    alerts: tuple[str, ...]
    occurred_at: datetime
    aware_at: datetime
    classified_at: datetime | None = None
    classified_as: IncidentClass | None = None
    classified_by: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    reason: str | None = None

    @property
    def state(self) -> IncidentState:
        return IncidentState.OPEN if self.closed_at is None else IncidentState.CLOSED


def incident_id(alert: str) -> str:
    """Derived from the alert that opens it."""
    return "inc_" + digest(["incident", alert]).removeprefix("sha256:")[:32]
