"""What is decided becomes fact: runs, claims, incidents and messages, in the caller's transaction.

The claims of a cause are never edited: they are brought to what its standing runs amount to (`settle`). So approving,
undoing and closing are one thing, and whatever other causes and people want on the same target stays untouched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from holdfast.core.domain.alert import CAMPAIGN_CHECK, Alert
from holdfast.core.domain.claim import ALLOW, Cause, Claim
from holdfast.core.domain.directive import Action
from holdfast.core.domain.ids import digest
from holdfast.core.domain.incident import Incident
from holdfast.core.domain.intelligence import Tlp
from holdfast.core.domain.model import Model
from holdfast.core.domain.response import Approval, Run, RunState
from holdfast.core.domain.severity import Severity, Tier
from holdfast.core.domain.topics import CLAIMS_CHANGED
from holdfast.core.store import Transaction
from holdfast.respond.config import Response
from holdfast.respond.decision import Planned, Situation, decide
from holdfast.respond.notices import alert_closed, alert_raised, run_undone, run_waiting, tell
from holdfast.respond.queries import standing

ORDERS = frozenset({*(action.value for action in Action), ALLOW})
"""The effects that a run may have."""


def respond(tx: Transaction, alert: Alert, response: Response, clients: int | None = None) -> tuple[Run, ...]:
    """Answer an alert: playbooks run, an incident opens where it is grave, sinks are told. Harmless to repeat.

    `clients`: how many the model has; None where that is not known, and then no client is slowed without a person.
    """
    tx.runs.hold()
    model = tx.models.find(alert.model)
    situation = situation_of(tx, alert, model, response, clients)
    planned = decide(response.playbooks, situation)
    incident = _incident(tx, alert, situation.tier, planned)
    runs = tuple(_begin(tx, item, None if incident is None else incident.id) for item in planned)
    settle(tx, Cause("alert", alert.id))
    _tell_all(tx, alert, model, planned, runs, response)
    return runs


def situation_of(
    tx: Transaction, alert: Alert, model: Model | None, response: Response, clients: int | None
) -> Situation:
    """What an alert meets, out of the store. A model nobody registered counts as the gravest tier."""
    return Situation(
        alert=alert,
        predicted=predicted(tx, alert),
        tier=Tier.CRITICAL if model is None else model.tier,
        at=tx.now,
        version=tx.models.deployed(alert.model) or alert.version,
        mode=response.mode,
        directives=standing(tx, tx.now),
        clients=clients,
        models=tx.models.count(),
        sinks=response.sinks,
    )


def predicted(tx: Transaction, alert: Alert) -> bool:
    """Whether a finding that an audit gave named this weakness before; what the alert itself gave does not count."""
    known = (item.finding for item in tx.findings.of(alert.model) if item.finding.fingerprint == alert.finding)
    return any(finding.check != CAMPAIGN_CHECK for finding in known)


def end_alert(tx: Transaction, alert: Alert) -> tuple[Run, ...]:
    """An alert was closed: its runs are taken back, its claims end, and whoever was told of it is told so."""
    tx.runs.hold()
    cause = Cause("alert", alert.id)
    ended = tuple(run for run in tx.runs.of_cause(cause) if run.undone_at is None)
    for run in ended:
        _take_back(tx, run, "", "the alert was closed")
    settle(tx, cause)
    notice = alert_closed(alert, tx.models.find(alert.model), Tlp.AMBER, tx)
    tell(tx, notice, tx.notices.told(alert.id, "raised"))
    return ended


def standing_claims(runs: Iterable[Run], now: datetime) -> tuple[Claim, ...]:
    """What the runs of one cause amount to: for each effect and target the furthest-going order that still holds."""
    best: dict[str, Claim] = {}
    for run in runs:
        if run.undone_at is not None:
            continue
        for order in run.orders:
            claim = run.claim(order)
            if claim.active(now) and (claim.id not in best or _reach(claim) > _reach(best[claim.id])):
                best[claim.id] = claim
    return tuple(best[key] for key in sorted(best))


def _reach(claim: Claim) -> tuple[int, float, str]:
    until = 0.0 if claim.until is None else claim.until.timestamp()
    return claim.ceiling.rank, until, digest(dict(claim.body))


def settle(tx: Transaction, cause: Cause) -> bool:
    """Bring the claims of a cause to what its runs amount to now. True where that changed anything."""
    runs = tx.runs.of_cause(cause)
    wanted = {claim.id: claim for claim in standing_claims(runs, tx.now)}
    held = [claim for claim in tx.claims.of_cause(cause) if claim.active(tx.now) and claim.effect in ORDERS]
    changed = [_end(tx, claim) for claim in held if claim.id not in wanted]
    changed += [claim for claim in wanted.values() if tx.claims.make(claim)]
    if changed:
        _publish(tx, cause, wanted.values(), sorted({run.model for run in runs}))
    return bool(changed)


def _publish(tx: Transaction, cause: Cause, claims: Iterable[Claim], models: list[str]) -> None:
    """Whoever was told of this very state before must hear of its return, hence the moment in the cause."""
    state = ", ".join(sorted(f"{claim.id} {claim.ceiling} {claim.until}" for claim in claims))
    tx.outbox.publish(CLAIMS_CHANGED, digest([str(cause), state, str(tx.now)]), {"models": models})


def _end(tx: Transaction, claim: Claim) -> Claim:
    tx.claims.withdraw(claim.cause, target=claim.target, effect=claim.effect)
    return claim


def _begin(tx: Transaction, planned: Planned, incident: str | None) -> Run:
    run = replace(planned.run, incident=incident)
    if not tx.runs.add(run):
        return tx.runs.find(run.id) or run
    note(tx, "playbook.run", run)
    return run


def note(tx: Transaction, kind: str, run: Run) -> None:
    """A ledger intent about a run: what was ordered, how far, and how many people stand behind it; no names."""
    orders = [[order.effect, order.ceiling.value, run.enforced(order)] for order in run.orders]
    body = {"run": run.id, "playbook": run.playbook, "playbook_digest": run.playbook_digest, "model": run.model}
    tx.intend(kind, {**body, "approvals": len(run.approvals), "missing": run.missing, "orders": orders}, about=run.id)


def _incident(tx: Transaction, alert: Alert, tier: Tier, planned: tuple[Planned, ...]) -> Incident | None:
    grave = alert.severity >= Severity.HIGH and tier >= Tier.HIGH
    if grave or any(item.opens_incident for item in planned):
        return tx.incidents.report(alert)
    return tx.incidents.of_alert(alert.id)


def _tell_all(
    tx: Transaction,
    alert: Alert,
    model: Model | None,
    planned: tuple[Planned, ...],
    runs: tuple[Run, ...],
    to: Response,
) -> None:
    tlp = max((item.tlp for item in planned), default=Tlp.AMBER, key=lambda item: item.rank)
    incident = tx.incidents.of_alert(alert.id)
    notice = alert_raised(alert, model, runs, None if incident is None else incident.id, tlp)
    tell(tx, notice, {*to.hear_everything, *(name for run in runs for name in run.sinks)})
    for run in runs:
        if run.state(tx.now) is RunState.PENDING:
            tell(tx, run_waiting(run, tlp), {*to.hear_everything, *run.sinks})


def _take_back(tx: Transaction, run: Run, by: str, reason: str) -> None:
    if tx.runs.undo(run.id, by, reason):
        note(tx, "playbook.undone", replace(run, undone_at=tx.now))


def take_back(tx: Transaction, run: Run, by: str, reason: str) -> None:
    """Undo one run: exactly its claims end, and whoever it had told something is told so."""
    _take_back(tx, run, by, reason)
    settle(tx, run.cause)
    told = {*run.sinks, *tx.notices.told(run.id, "waiting")}
    tell(tx, run_undone(run, Tlp.AMBER, tx), told)


def consent(tx: Transaction, run: Run, person: str) -> bool:
    """One person stands behind a run; what has enough of them is enforced. False where that person did before."""
    if not tx.runs.approve(run.id, Approval(person, tx.now)):
        return False
    note(tx, "playbook.approved", tx.runs.find(run.id) or run)
    settle(tx, run.cause)
    return True
