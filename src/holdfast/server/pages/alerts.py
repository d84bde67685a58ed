"""Alerts as they come, the campaigns behind them, and what people say of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.core.store.alerts import AlertRow
from holdfast.respond.queries import RunView, run_view
from holdfast.server.auth.rights import Right
from holdfast.server.faults import not_found, wrong_parameter
from holdfast.server.page import Done, action, page
from holdfast.server.visit import Deed, Visit
from holdfast.watch.alerts import acknowledge, close
from holdfast.watch.queries import (
    AlertLine,
    AlertView,
    CampaignLine,
    DetectionView,
    TrafficView,
    alert_line,
    alert_view,
    alerts_view,
    campaigns_view,
    detectors_view,
    traffic_view,
)

MAX_ROWS = 50
STATES = ("open", "acknowledged", "closed")


@dataclass(frozen=True, slots=True)
class Alerts:
    """The newest alerts, and the place of the newest, after which the live stream goes on."""

    state: str | None
    newest: int
    counts: dict[str, int]
    alerts: tuple[AlertLine, ...]
    states: tuple[str, ...] = STATES


@page("/watch/alerts", "alerts.html", "alerts", query={"state": "Only alerts in this state."})
def alerts(visit: Visit) -> Alerts:
    """The newest alerts, live."""
    state = visit.word("state")
    if state is not None and state not in STATES:
        raise wrong_parameter("state", f"{state[:40]!r} is no state of an alert", f"take one of {', '.join(STATES)}")
    every = [line for line in alerts_view(visit.tx, limit=500) if line.model in visit.models]
    counts = {word: sum(line.state == word for line in every) for word in STATES}
    shown = [line for line in every if state in (None, line.state)][:MAX_ROWS]
    return Alerts(state, max((line.sequence for line in every), default=0), counts, tuple(shown))


@dataclass(frozen=True, slots=True)
class LiveRow:
    """An alert as the live list is told of it."""

    id: str
    sequence: int
    model: str
    severity: str
    state: str
    technique: str
    title: str
    raised_at: datetime
    signals: int


def live_row(row: AlertRow) -> LiveRow:
    """What one event of the stream says."""
    line = alert_line(row)
    return LiveRow(
        line.id,
        line.sequence,
        line.model,
        line.severity,
        line.state,
        line.technique,
        line.title,
        line.raised_at,
        line.signals,
    )


@dataclass(frozen=True, slots=True)
class AlertPage:
    """One alert with its evidence, and what the response to it did."""

    alert: AlertView
    runs: tuple[RunView, ...]


@page("/watch/alerts/{id}", "alert.html", "alerts")
def alert(visit: Visit) -> AlertPage:
    """One alert: evidence, the finding that predicted it, the response, what people said."""
    name = visit.params["id"]
    found = alert_view(visit.tx, name)
    if found is None or found.line.model not in visit.models:
        raise not_found(f"alert '{name[:80]}'")
    runs = (run_view(visit.tx, run.id) for run in visit.tx.runs.recent(200) if str(run.cause) == f"alert:{name}")
    return AlertPage(found, tuple(run for run in runs if run is not None))


@dataclass(frozen=True, slots=True)
class Campaigns:
    """Campaigns, and the traffic they were seen in."""

    campaigns: tuple[CampaignLine, ...]
    traffic: tuple[TrafficView, ...]
    detection: tuple[DetectionView, ...]


@page("/watch/campaigns", "campaigns.html", "alerts")
def campaigns(visit: Visit) -> Campaigns:
    """Campaigns, traffic, and how far detection has read."""
    return Campaigns(
        tuple(item for item in campaigns_view(visit.tx) if item.campaign.model in visit.models),
        tuple(item for item in traffic_view(visit.tx, visit.now) if item.model in visit.models),
        tuple(item for item in detectors_view(visit.tx) if item.model in visit.models),
    )


REASON = {"reason": "What was found, in a sentence."}


@action(
    "/watch/alerts/{id}/acknowledge",
    Right.HANDLE_ALERTS,
    said="The alert is acknowledged.",
    fields={"reason": "What you make of it; may be empty."},
)
def acknowledge_alert(deed: Deed) -> Done:
    """Say that somebody has seen an alert."""
    _demand(deed)
    acknowledge(deed.tx, deed.params["id"], deed.who.name, deed.text("reason", least=0))
    return Done(f"/watch/alerts/{deed.params['id']}")


@action("/watch/alerts/{id}/close", Right.HANDLE_ALERTS, said="The alert is closed; its effects end.", fields=REASON)
def close_alert(deed: Deed) -> Done:
    """Close an alert with a reason."""
    _demand(deed)
    close(deed.tx, deed.params["id"], deed.who.name, deed.text("reason"))
    return Done(f"/watch/alerts/{deed.params['id']}")


def _demand(deed: Deed) -> None:
    found = deed.tx.alerts.find(deed.params["id"])
    if found is None:
        raise not_found(f"alert '{deed.params['id'][:80]}'")
    deed.demand_model(found.model)
