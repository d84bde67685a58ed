"""Typed views of the response: orders in force, runs of playbooks, sinks, incidents.

CLI JSON, API and console show these and nothing else. `to_json` of each gives plain values, moments as RFC 3339 text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.core.domain.claim import ALLOW, derive
from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.directive import Action, Directive, directives
from holdfast.core.domain.ids import JSONValue
from holdfast.core.domain.incident import Incident
from holdfast.core.domain.response import Order, Run, RunState
from holdfast.core.store.notices import SinkHealth

if TYPE_CHECKING:
    from holdfast.core.store.transaction import Transaction

SCHEMA_VERSION = 1


class _View:
    """What every view can do."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"schema_version": SCHEMA_VERSION, **msgspec.to_builtins(self)}


@dataclass(frozen=True, slots=True)
class DirectiveView:
    """One order in force, as what stands in front of a model obeys it. `client` None: for all clients."""

    action: str
    model: str
    client: str | None
    enforce: bool
    ceiling: str
    causes: tuple[str, ...]
    until: str | None
    body: dict[str, JSONValue]


@dataclass(frozen=True, slots=True)
class DirectivesView(_View):
    """The orders in force at a moment, of one model or of all, by action and target."""

    as_of: str
    model: str | None
    directives: tuple[DirectiveView, ...]

    @property
    def enforced(self) -> int:
        """How many of them are enforced; the others are only noted."""
        return sum(item.enforce for item in self.directives)


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order of a run, and whether it is enforced, waits for `needs` approvals, or is only noted."""

    action: str
    target: str
    ceiling: str
    state: str
    needs: int
    until: str
    body: dict[str, JSONValue]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """Who consented, and when."""

    person: str
    at: str


@dataclass(frozen=True, slots=True)
class RunView:
    """A playbook that fired. `missing`: approvals still wanted. `leaves`: kind and ledger leaf (None: not placed)."""

    id: str
    playbook: str
    cause: str
    alert: str | None
    model: str
    state: str
    started_at: str
    orders: tuple[OrderView, ...]
    approvals: tuple[ApprovalView, ...]
    missing: int
    sinks: tuple[str, ...]
    incident: str | None
    undone_at: str | None
    undone_by: str | None
    reason: str | None
    leaves: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class RunsView(_View):
    """The newest runs, newest first."""

    as_of: str
    runs: tuple[RunView, ...]


@dataclass(frozen=True, slots=True)
class SinkView:
    """How one sink fares. `state`: idle (nothing yet), ok, late (something waits), failing (it did not take the last).

    `oldest_s`: age of what waits longest, in seconds.
    """

    name: str
    state: str
    queued: int
    oldest_at: str | None
    oldest_s: float | None
    delivered: int
    withheld: int
    failures: int
    delivered_at: str | None
    failed_at: str | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class SinksView(_View):
    """Every sink that is configured or was ever told something, by name."""

    as_of: str
    sinks: tuple[SinkView, ...]


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident with the moments that reporting clocks count from."""

    id: str
    model: str
    title: str
    severity: str
    state: str
    alerts: tuple[str, ...]
    occurred_at: str
    aware_at: str
    classified_at: str | None
    classified_as: str | None
    classified_by: str | None
    closed_at: str | None
    closed_by: str | None
    reason: str | None
    leaves: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class IncidentsView(_View):
    """The incidents, open ones first, then the newest first."""

    as_of: str
    incidents: tuple[IncidentView, ...]


def directives_view(tx: Transaction, now: datetime, model: str | None = None) -> DirectivesView:
    """The orders in force at `now`; this is what capture fetches for its model."""
    found = standing(tx, now, model)
    return DirectivesView(to_iso(now), model, tuple(_directive(item) for item in found))


def standing(tx: Transaction, now: datetime, model: str | None = None) -> tuple[Directive, ...]:
    """The orders in force, derived from the claims that are orders: an estate has many more that are not."""
    claims = (claim for effect in (*Action, ALLOW) for claim in tx.claims.active(now, effect=str(effect)))
    return directives(derive(claims, now), model)


def runs_view(tx: Transaction, limit: int = 100) -> RunsView:
    """The newest `limit` runs."""
    now = tx.now
    return RunsView(to_iso(now), tuple(_run(tx, run, now) for run in tx.runs.recent(limit)))


def run_view(tx: Transaction, run_id: str) -> RunView | None:
    """One run."""
    run = tx.runs.find(run_id)
    return None if run is None else _run(tx, run, tx.now)


def sinks_view(tx: Transaction, now: datetime, configured: Iterable[str] = ()) -> SinksView:
    """The sinks with a record, and the configured ones."""
    names = sorted({*configured, *tx.notices.sinks()})
    return SinksView(to_iso(now), tuple(_sink(tx.notices.health(name), now) for name in names))


def incidents_view(tx: Transaction, now: datetime | None = None) -> IncidentsView:
    """Every incident."""
    found = sorted(tx.incidents.all(), key=lambda item: item.aware_at, reverse=True)
    found.sort(key=lambda item: item.state.value, reverse=True)
    return IncidentsView(to_iso(now or tx.now), tuple(_incident(tx, item) for item in found))


def _directive(item: Directive) -> DirectiveView:
    return DirectiveView(
        item.action.value,
        item.model,
        item.client,
        item.enforce,
        item.ceiling.value,
        item.causes,
        _iso(item.until),
        dict(item.body),
    )


def _run(tx: Transaction, run: Run, now: datetime) -> RunView:
    return RunView(
        id=run.id,
        playbook=run.playbook,
        cause=str(run.cause),
        alert=run.cause.id if run.cause.kind == "alert" else None,
        model=run.model,
        state=run.state(now).value,
        started_at=to_iso(run.started_at),
        orders=tuple(_order(run, order, now) for order in run.orders),
        approvals=tuple(ApprovalView(item.person, to_iso(item.at)) for item in run.approvals),
        missing=run.missing,
        sinks=run.sinks,
        incident=run.incident,
        undone_at=_iso(run.undone_at),
        undone_by=run.undone_by,
        reason=run.reason,
        leaves=tuple(tx.intents.about(run.id)),
    )


def _order(run: Run, order: Order, now: datetime) -> OrderView:
    return OrderView(
        action=order.effect,
        target=order.target,
        ceiling=order.ceiling.value,
        state=_order_state(run, order, now),
        needs=order.needs,
        until=to_iso(run.ends(order)),
        body=dict(order.body),
        notes=order.notes,
    )


def _order_state(run: Run, order: Order, now: datetime) -> str:
    if run.state(now) is RunState.UNDONE:
        return "undone"
    if run.ends(order) <= now:
        return "over"
    if run.enforced(order):
        return "enforced"
    return "waiting" if order.asked else "noted"


def _sink(health: SinkHealth, now: datetime) -> SinkView:
    oldest = health.oldest_at
    return SinkView(
        name=health.sink,
        state=_sink_state(health),
        queued=health.queued,
        oldest_at=_iso(oldest),
        oldest_s=None if oldest is None else (now - oldest).total_seconds(),
        delivered=health.delivered,
        withheld=health.withheld,
        failures=health.failures,
        delivered_at=_iso(health.delivered_at),
        failed_at=_iso(health.failed_at),
        last_error=health.last_error,
    )


def _sink_state(health: SinkHealth) -> str:
    if health.failures:
        return "failing"
    if health.queued:
        return "late"
    return "ok" if health.delivered or health.withheld else "idle"


def _incident(tx: Transaction, item: Incident) -> IncidentView:
    return IncidentView(
        id=item.id,
        model=item.model,
        title=item.title,
        severity=item.severity.value,
        state=item.state.value,
        alerts=item.alerts,
        occurred_at=to_iso(item.occurred_at),
        aware_at=to_iso(item.aware_at),
        classified_at=_iso(item.classified_at),
        classified_as=None if item.classified_as is None else item.classified_as.value,
        classified_by=item.classified_by,
        closed_at=_iso(item.closed_at),
        closed_by=item.closed_by,
        reason=item.reason,
        leaves=tuple(tx.intents.about(item.id)),
    )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else to_iso(moment)
