"""What people decide: to order something themselves, to approve a run, to take one back, to classify an incident.

A person's own directive is a run like any other, with the person as its cause. So it ends by itself, grave ones wait
for a second person, and no withdrawal of an alert touches it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from holdfast.core.domain.claim import ALLOW, PERSON, Cause, Ceiling, Claim
from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.directive import Action
from holdfast.core.domain.ids import digest
from holdfast.core.domain.incident import Incident, IncidentClass, IncidentState
from holdfast.core.domain.response import ORDER_BY_HAND, Approval, Order, Run, RunState, by_hand
from holdfast.core.domain.severity import Tier
from holdfast.core.errors import AccessError, UsageError
from holdfast.core.store import Transaction
from holdfast.respond.decision import approvals
from holdfast.respond.run import consent, note, settle, take_back
from holdfast.respond.schema import LONGEST, NEEDED, check_body

PERSON_FORM: Final = re.compile(r"[^\s/:@][^\s/]{0,199}")
MAX_REASON: Final = 2_000
MAX_CLIENT: Final = 1_000
WORDS: Final = (*(action.value for action in Action), ALLOW)
"""What a person may order: every action, and `allow`, which keeps automatic directives off."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants ordered. `client` None: for all clients of the model."""

    action: str
    model: str
    client: str | None
    until: datetime
    by: str
    enforce: bool = False
    body: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""

    @property
    def target(self) -> str:
        """Where it acts."""
        return target_of(self.model, self.client)


def target_of(model: str, client: str | None) -> str:
    """The target of a directive on a model, or on one client of it."""
    return f"model:{model}" if client is None else f"client:{model}/{client}"


def person(name: str) -> str:
    """A person's name in the one spelling that is compared. Raises UsageError (HF-RSP-012) where it is none."""
    spelled = name.strip().casefold()
    if PERSON_FORM.fullmatch(spelled) is None or not spelled.isprintable():
        raise UsageError(
            f"{name[:80]!r} names no person",
            cause="a person is written without spaces and slashes, such as ana@bank.example",
            fix="say who decides: --by ana@bank.example",
            code="HF-RSP-012",
        )
    return spelled


def order(tx: Transaction, wish: Wish) -> Run:
    """Order something. A grave order that is to be enforced waits for as many people as a playbook's would.

    Raises UsageError HF-RSP-012 (who), -015 (what).
    """
    tx.runs.hold()
    by, tier = person(wish.by), _check(tx, wish)
    cause = by_hand(by, wish.action)
    for old in _standing(tx, cause, wish.target):
        tx.runs.undo(old.id, by, "replaced by a newer order of the same person")
    run = Run(
        id="run_" + digest(["by-hand", str(cause), wish.target, to_iso(tx.now)]).removeprefix("sha256:")[:32],
        playbook=ORDER_BY_HAND,
        playbook_digest="",
        cause=cause,
        model=wish.model,
        orders=(_order(wish, tier),),
        started_at=tx.now,
        approvals=(Approval(by, tx.now),),
        reason=None,
    )
    if tx.runs.add(run):
        note(tx, "directive.ordered", run)
    settle(tx, cause)
    return run


def _check(tx: Transaction, wish: Wish) -> Tier:
    """The model's tier. Raises UsageError (HF-RSP-015) where the wish cannot be."""
    model = tx.models.find(wish.model)
    if model is None:
        raise _wrong(
            f"there is no model '{wish.model[:80]}'", "it was never registered", "list them: holdfast estate list"
        )
    if wish.client is not None and not 0 < len(wish.client) <= MAX_CLIENT:
        raise _wrong("the client has no usable name", f"1 to {MAX_CLIENT:,} characters are", "name it as events do")
    if wish.until <= tx.now or wish.until > tx.now + LONGEST:
        span = f"it would end at {to_iso(wish.until)}; now is {to_iso(tx.now)}"
        raise _wrong("the order's end is not usable", span, f"choose a moment within the next {LONGEST.days} days")
    if wish.action != ALLOW:
        try:
            check_body(Action(wish.action), {name: float(value) for name, value in wish.body.items()})
        except ValueError as fault:
            raise _wrong(
                "the order's numbers are not usable", str(fault), "give them: --per-minute 30, --digits 1"
            ) from None
    return model.tier


def _wrong(message: str, cause: str, fix: str) -> UsageError:
    return UsageError(message, cause=cause, fix=fix, code="HF-RSP-015")


def _order(wish: Wish, tier: Tier) -> Order:
    allow = wish.action == ALLOW
    action = None if allow else Action(wish.action)
    return Order(
        effect=wish.action,
        target=wish.target,
        ceiling=Ceiling.OBSERVE if action is None else NEEDED[action],
        lasts_s=0.0,
        until=wish.until,
        asked=wish.enforce or allow,
        needs=approvals(action, tier) if action is not None and wish.enforce else 0,
        body=dict(wish.body),
        notes=(wish.reason[:MAX_REASON],) if wish.reason.strip() else (),
    )


def _standing(tx: Transaction, cause: Cause, target: str) -> list[Run]:
    """A person's runs on a target that were not taken back."""
    runs = (run for run in tx.runs.of_cause(cause) if run.undone_at is None)
    return [run for run in runs if any(item.target == target for item in run.orders)]


def lift(tx: Transaction, action: str, model: str, client: str | None, by: str, reason: str = "") -> list[Claim]:
    """End what people ordered on a target, whoever it was; what alerts cause there stays.

    Raises UsageError HF-RSP-012 (who), -016 (there is nothing to lift).
    """
    tx.runs.hold()
    who, target = person(by), target_of(model, client)
    claims = [item for item in tx.claims.active(effect=action, target=target) if item.cause.kind == PERSON]
    if not claims:
        raise UsageError(
            f"nobody has ordered {action} on {target[:120]}",
            cause="no directive of a person is in force there; what an alert caused ends with its run",
            fix="see what is in force: holdfast respond directives",
            code="HF-RSP-016",
        )
    for claim in claims:
        for run in _standing(tx, claim.cause, target):
            tx.runs.undo(run.id, who, reason[:MAX_REASON])
            note(tx, "directive.lifted", run)
        settle(tx, claim.cause)
        tx.claims.withdraw(claim.cause, target=target, effect=action)
    return claims


def approve(tx: Transaction, run_id: str, by: str) -> Run:
    """Stand behind a run. Raises UsageError HF-RSP-007, -008, -012; AccessError HF-RSP-009 for one person twice."""
    who, run = person(by), found(tx, run_id)
    state = run.state(tx.now)
    if state is not RunState.PENDING:
        raise UsageError(
            f"the run {run_id} does not wait for approval",
            cause=f"it is {state}",
            fix="see what waits: holdfast respond runs",
            code="HF-RSP-008",
        )
    if not consent(tx, run, who):
        raise AccessError(
            f"{who} stands behind this run already",
            cause=f"it still needs {run.missing} more, and they must be other people",
            fix=f"ask somebody else to run: holdfast respond approve {run_id}",
            code="HF-RSP-009",
        )
    return found(tx, run_id)


def undo(tx: Transaction, run_id: str, by: str, reason: str) -> Run:
    """Take a run back: exactly its effects end. Raises UsageError HF-RSP-007, -008, -012."""
    who, run = person(by), found(tx, run_id)
    if not reason.strip():
        raise UsageError(
            "a run is not taken back without a reason",
            cause="the record of what was undone is what auditors read",
            fix="say why: --reason 'a partner tested its new client'",
            code="HF-RSP-012",
        )
    if run.undone_at is not None:
        raise UsageError(
            f"the run {run_id} was taken back already",
            cause=f"at {to_iso(run.undone_at)}",
            fix="see it: holdfast respond runs",
            code="HF-RSP-008",
        )
    take_back(tx, run, who, reason[:MAX_REASON])
    return found(tx, run_id)


def found(tx: Transaction, run_id: str) -> Run:
    """The run with this id, held for this transaction. Raises UsageError (HF-RSP-007) where there is none."""
    tx.runs.hold()
    run = tx.runs.find(run_id)
    if run is None:
        raise UsageError(
            f"there is no run '{run_id[:80]}'",
            cause="no playbook made one with this id in this store",
            fix="list them: holdfast respond runs",
            code="HF-RSP-007",
        )
    return run


def classify(tx: Transaction, incident: str, as_: IncidentClass, by: str) -> Incident:
    """Say what an incident is; reporting clocks count from the first time. Raises UsageError HF-RSP-007, -012, -017."""
    return tx.incidents.classify(_incident(tx, incident), as_, person(by))


def close_incident(tx: Transaction, incident: str, by: str, reason: str) -> Incident:
    """Close an incident. Raises UsageError HF-RSP-007, -012, -017."""
    if not reason.strip():
        raise UsageError(
            "an incident is not closed without a reason",
            cause="the record of closed incidents is what auditors read",
            fix="say what was found: --reason 'clients restored, model hardened'",
            code="HF-RSP-012",
        )
    return tx.incidents.close(_incident(tx, incident), person(by), reason[:MAX_REASON])


def _incident(tx: Transaction, incident_id: str) -> Incident:
    known = tx.incidents.find(incident_id, hold=True)
    if known is None:
        raise UsageError(
            f"there is no incident '{incident_id[:80]}'",
            cause="no alert opened one with this id in this store",
            fix="list them: holdfast respond incidents",
            code="HF-RSP-007",
        )
    if known.state is IncidentState.CLOSED:
        raise UsageError(
            f"the incident {incident_id} is closed",
            cause="a closed incident stays in the record as it is",
            fix="read it: holdfast respond incidents",
            code="HF-RSP-017",
        )
    return known


def ending(now: datetime, text: str) -> datetime:
    """An end as people write it: a span such as 6h, or a moment. Raises ValueError."""
    from holdfast.core.domain.clock import from_iso
    from holdfast.core.policy.duration import parse_duration

    try:
        span: timedelta | None = parse_duration(text)
    except ValueError:
        span = None
    return from_iso(text) if span is None else now + span
