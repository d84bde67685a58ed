"""Typed views of what was seen of models at work; the CLI's JSON, the API and the console show these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.core.domain.alert import Alert, AlertState, Campaign, Evidence
from holdfast.core.domain.clock import to_iso
from holdfast.core.report.plot import Plot, Series
from holdfast.core.store.alerts import AlertRow
from holdfast.core.store.traffic import SCORE_BINS, TrafficHour
from holdfast.core.store.transaction import Transaction

MAX_POINTS = 500


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert in a list."""

    id: str
    sequence: int
    model: str
    version: str | None
    technique: str
    severity: str
    state: str
    title: str
    raised_at: datetime
    last_at: datetime
    signals: int
    clients: tuple[str, ...]
    columns: tuple[str, ...]
    finding: str | None
    """Fingerprint of the finding that predicted it; None: none did, or it is not joined yet."""


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """What a person said."""

    state: str
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert with its evidence. `leaves` are the ledger entries about it: kind, and place (None: waiting)."""

    line: AlertLine
    campaign: Campaign
    evidence: tuple[Evidence, ...]
    answers: tuple[AnswerLine, ...]
    leaves: tuple[tuple[str, int | None], ...]
    timeline: Plot


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """One campaign; `alert` is the alert it became."""

    campaign: Campaign
    live: bool
    alert: str | None


@dataclass(frozen=True, slots=True)
class TrafficView:
    """One model's last hours: `rate` and `scores` are drawn from `hours`, which are also the table beside them."""

    model: str
    since: datetime
    events: int
    flagged: int
    unscored: int
    last_hour: datetime | None
    hours: tuple[TrafficHour, ...]
    rate: Plot | None
    scores: Plot | None


@dataclass(frozen=True, slots=True)
class DetectorLine:
    """One detector on one model: what it says of itself. `ready`: it has seen enough to speak."""

    model: str
    detector: str
    version: int
    ready: bool
    note: str


@dataclass(frozen=True, slots=True)
class DetectionView:
    """How far detection on a model has come."""

    model: str
    offset: int
    saved: int
    events: int
    updated_at: datetime
    detectors: tuple[DetectorLine, ...]


def alerts_view(
    tx: Transaction, *, model: str | None = None, state: str | None = None, limit: int = 500
) -> tuple[AlertLine, ...]:
    """The last alerts, newest first; `state` is open, acknowledged or closed."""
    wanted = None if state is None else AlertState(state)
    return tuple(alert_line(row) for row in tx.alerts.rows(model=model, state=wanted, limit=limit))


def alert_view(tx: Transaction, alert_id: str) -> AlertView | None:
    """One alert with all that is known of it; None where there is none."""
    row = tx.alerts.row(alert_id)
    if row is None:
        return None
    campaign = row.alert.campaign
    answers = tuple(AnswerLine(item.state.value, item.by, item.reason, item.at) for item in row.answers)
    leaves = tuple(tx.intents.about(alert_id))
    return AlertView(alert_line(row), campaign, campaign.evidence, answers, leaves, timeline(campaign))


def alert_line(row: AlertRow) -> AlertLine:
    """An alert as lists show it."""
    alert, campaign = row.alert, row.alert.campaign
    return AlertLine(
        id=alert.id,
        sequence=row.sequence,
        model=alert.model,
        version=alert.version,
        technique=campaign.technique,
        severity=alert.severity.value,
        state=alert.state.value,
        title=alert.title,
        raised_at=alert.raised_at,
        last_at=campaign.last_at,
        signals=campaign.signals,
        clients=campaign.clients,
        columns=campaign.columns,
        finding=alert.finding,
    )


def timeline(campaign: Campaign) -> Plot:
    """When the campaign's signals came, and how strong each was; 1 is the bound above which a detector speaks."""
    first = campaign.started_at
    points = [((item.at - first).total_seconds() / 60, item.strength) for item in campaign.evidence]
    return Plot(
        title="Signals of the campaign",
        description=f"{campaign.signals} signals since {to_iso(first)}; the strongest is {campaign.strength:.3g}.",
        x="minutes since the first",
        y="strength",
        kind="dots",
        series=(Series("signals", tuple(points[-MAX_POINTS:]) or ((0.0, campaign.strength),)),),
        limit=("bound", 1.0),
    )


def campaigns_view(tx: Transaction, *, model: str | None = None, limit: int = 100) -> tuple[CampaignLine, ...]:
    """The campaigns seen last, newest first, and what became of them."""
    live = {item.id for item in tx.campaigns.open(model)}
    found = [item for item in tx.campaigns.recent(limit) if model in (None, item.model)]
    return tuple(CampaignLine(item, item.id in live, alert_of(tx, item)) for item in found)


def alert_of(tx: Transaction, campaign: Campaign) -> str | None:
    """The id of the alert that a campaign became."""
    if not campaign.alerted:
        return None
    alert: Alert | None = tx.alerts.find("alr_" + campaign.id.removeprefix("cmp_"))
    return None if alert is None else alert.id


def traffic_view(
    tx: Transaction, now: datetime, *, hours: int = 48, model: str | None = None
) -> tuple[TrafficView, ...]:
    """Each model's traffic in the `hours` up to `now`, by model."""
    since = now - timedelta(hours=hours)
    found: dict[str, list[TrafficHour]] = {}
    for hour in tx.traffic.since(since, model):
        if hour.hour <= now:
            found.setdefault(hour.model, []).append(hour)
    return tuple(_traffic(name, since, of) for name, of in sorted(found.items()))


def _traffic(model: str, since: datetime, hours: Sequence[TrafficHour]) -> TrafficView:
    return TrafficView(
        model=model,
        since=since,
        events=sum(hour.events for hour in hours),
        flagged=sum(hour.flagged for hour in hours),
        unscored=sum(hour.unscored for hour in hours),
        last_hour=max(hour.hour for hour in hours),
        hours=tuple(hours),
        rate=_rate(model, since, hours),
        scores=_scores(model, hours),
    )


def _rate(model: str, since: datetime, hours: Sequence[TrafficHour]) -> Plot:
    start = min(since, hours[0].hour)
    points = [((hour.hour - start).total_seconds() / 3600, float(hour.events)) for hour in hours[-MAX_POINTS:]]
    return Plot(
        title=f"Events per hour: {model}",
        description=f"{sum(hour.events for hour in hours):,} events since {to_iso(start)}, by hour of event time.",
        x=f"hours since {to_iso(start)}",
        y="events per hour",
        kind="line" if len(points) > 1 else "dots",
        series=(Series("events", tuple(points)),),
    )


def _scores(model: str, hours: Iterable[TrafficHour]) -> Plot | None:
    totals = [sum(column) for column in zip(*(hour.scores for hour in hours), strict=True)]
    if not sum(totals):
        return None
    return Plot(
        title=f"Scores: {model}",
        description=f"How {sum(totals):,} scores lie between 0 and 1.",
        x="score",
        y="events",
        kind="bars",
        series=(Series("events", tuple((float(place), float(count)) for place, count in enumerate(totals))),),
        labels=tuple(f"{place / SCORE_BINS:.2f}" for place in range(SCORE_BINS)),
    )


def detectors_view(tx: Transaction) -> tuple[DetectionView, ...]:
    """How far detection has read each model's events, and what its detectors say of themselves."""
    return tuple(
        DetectionView(
            state.model,
            state.offset,
            state.saved,
            state.events,
            state.updated_at,
            tuple(_detector(state.model, item) for item in _listed(state.body.get("detectors"))),
        )
        for state in tx.detector_states.all()
    )


def _listed(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _detector(model: str, item: dict[str, object]) -> DetectorLine:
    version = item.get("version")
    return DetectorLine(
        model,
        str(item.get("detector", "")),
        version if isinstance(version, int) else 0,
        bool(item.get("ready")),
        str(item.get("note", "")),
    )
