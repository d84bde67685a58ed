"""What sinks are told: an alert, that it is over, that a run waits for people, that one was taken back.

A sent message cannot be undone, so each has its compensation: whoever was told of something is told when it no longer
holds, under the same subject.
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.core.domain.alert import Alert
from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.ids import JSONValue
from holdfast.core.domain.intelligence import Tlp
from holdfast.core.domain.model import Model
from holdfast.core.domain.response import Notice, Run
from holdfast.core.policy import Snapshot
from holdfast.core.store import Transaction

RAISED = "raised"
WITHDRAWN = "withdrawn"
WAITING = "waiting"
UNDONE = "undone"
TEST = "test"
SHOWN = 20


def tell(tx: Transaction, notice: Notice, sinks: Iterable[str]) -> tuple[str, ...]:
    """Queue a notice for each sink once, with a ledger intent. Gives the sinks it is news for."""
    news = tuple(name for name in sorted(set(sinks)) if tx.notices.queue(notice, name))
    if news:
        said = {"notice": notice.id, "kind": notice.kind, "subject": notice.subject, "state": notice.state}
        tx.intend("notice.queued", {**said, "sinks": list(news)}, about=notice.id)
    return news


def alert_raised(alert: Alert, model: Model | None, runs: Iterable[Run], incident: str | None, tlp: Tlp) -> Notice:
    """What an alert says to the outside: who, what, where, how sure, and what was done. No rows, no subjects."""
    campaign = alert.campaign
    body: dict[str, JSONValue] = {
        **_about(alert, model),
        "message": f"{alert.title} (model {alert.model}, technique {campaign.technique}, severity {alert.severity})",
        "entity": campaign.entity,
        "clients": list(campaign.clients[:SHOWN]),
        "clients_count": len(campaign.clients),
        "columns": list(campaign.columns[:SHOWN]),
        "detectors": list(campaign.detectors[:SHOWN]),
        "events": list(campaign.events[:SHOWN]),
        "signals": campaign.signals,
        "strength": campaign.strength,
        "finding": alert.finding,
        "incident": incident,
        "orders": [_done(run, number) for run in runs for number in range(min(len(run.orders), SHOWN))],
    }
    return Notice("alert", alert.id, RAISED, alert.raised_at, tlp.value, body)


def alert_closed(alert: Alert, model: Model | None, tlp: Tlp, tx: Transaction) -> Notice:
    """The compensation of `alert_raised`."""
    body: dict[str, JSONValue] = {
        **_about(alert, model),
        "message": f"closed: {alert.title} (model {alert.model}); what it had caused has ended",
    }
    return Notice("alert", alert.id, WITHDRAWN, tx.now, tlp.value, body)


def run_waiting(run: Run, tlp: Tlp) -> Notice:
    """Calls people: something grave, or something that reaches far, waits for them."""
    asked = sorted({order.effect for order in run.orders if order.asked and not run.enforced(order)})
    body: dict[str, JSONValue] = {
        **_run(run),
        "title": f"playbook {run.playbook} waits for {run.missing} approvals",
        "message": f"{', '.join(asked)} on model {run.model} wait for {run.missing} approvals: "
        f"holdfast respond approve {run.id}",
        "severity": "high",
    }
    return Notice("run", run.id, WAITING, run.started_at, tlp.value, body)


def run_undone(run: Run, tlp: Tlp, tx: Transaction) -> Notice:
    """The compensation of whatever a run had told."""
    body: dict[str, JSONValue] = {
        **_run(run),
        "title": f"playbook {run.playbook} was taken back",
        "message": f"what playbook {run.playbook} had ordered on model {run.model} was taken back",
        "severity": "info",
    }
    return Notice("run", run.id, UNDONE, tx.now, tlp.value, body)


def _about(alert: Alert, model: Model | None) -> dict[str, JSONValue]:
    campaign = alert.campaign
    known = Snapshot.builtin().techniques.get(campaign.technique)
    return {
        "alert": alert.id,
        "title": alert.title,
        "model": alert.model,
        "version": alert.version,
        "tier": None if model is None else model.tier.value,
        "unit": None if model is None else model.unit,
        "region": None if model is None else model.region,
        "technique": campaign.technique,
        "technique_name": None if known is None else known.name,
        "severity": alert.severity.value,
        "started_at": to_iso(campaign.started_at),
        "last_at": to_iso(campaign.last_at),
    }


def _run(run: Run) -> dict[str, JSONValue]:
    alert = run.cause.id if run.cause.kind == "alert" else None
    return {"run": run.id, "playbook": run.playbook, "alert": alert, "model": run.model, "incident": run.incident}


def _done(run: Run, number: int) -> JSONValue:
    order = run.orders[number]
    return {
        "playbook": run.playbook,
        "action": order.effect,
        "target": order.target,
        "enforced": run.enforced(order),
        "until": to_iso(run.ends(order)),
    }
