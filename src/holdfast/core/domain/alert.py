"""What is seen of a model at work: signals of detectors, campaigns they add up to, alerts people get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from holdfast.core.domain.ids import JSONValue, digest
from holdfast.core.domain.severity import Severity

CAMPAIGN_CHECK = "watch.campaign"
"""The check id under which an alert is an observation on its model version, as any other check's result."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing a detector saw in one batch. `entity` is who or what it is about (`client:c1`, `cell:9f…`, `model`)."""

    detector: str
    model: str
    technique: str
    entity: str
    strength: float
    at: datetime
    events: tuple[str, ...] = ()
    """Ids of at most 20 events that show it."""
    clients: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    detail: Mapping[str, JSONValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One signal as a campaign remembers it."""

    detector: str
    entity: str
    strength: float
    at: datetime
    events: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Campaign:
    """Signals on one model that belong together: the same technique, about the same entity, without a long pause."""

    id: str
    model: str
    technique: str
    entity: str
    detectors: tuple[str, ...]
    clients: tuple[str, ...]
    columns: tuple[str, ...]
    events: tuple[str, ...]
    signals: int
    strength: float
    started_at: datetime
    last_at: datetime
    entities: tuple[str, ...] = ()
    """Everything its signals were about, the latest last; `entity` is the first."""
    evidence: tuple[Evidence, ...] = ()
    """What began it and what was seen last, at most some dozens."""
    alerted: bool = False


def campaign_id(model: str, technique: str, entity: str, started_at: str) -> str:
    """Derived from what begins it, so that a replay after a crash gives the same campaign."""
    return "cmp_" + digest([model, technique, entity, started_at]).removeprefix("sha256:")[:32]


class AlertState(StrEnum):
    """OPEN until a person says more; a closed alert stays in the record."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Alert:
    """A campaign that is grave enough to tell people. One alert per campaign; its id derives from the campaign's."""

    campaign: Campaign
    version: str | None
    severity: Severity
    title: str
    raised_at: datetime
    state: AlertState = AlertState.OPEN
    finding: str | None = None
    """Fingerprint of the finding that predicted it, once joined."""

    @property
    def id(self) -> str:
        return "alr_" + self.campaign.id.removeprefix("cmp_")

    @property
    def model(self) -> str:
        return self.campaign.model
