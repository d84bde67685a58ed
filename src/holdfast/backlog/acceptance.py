"""Accepting a risk for a while: one person owns it, another approves it, a compensating check keeps it bearable.

The verdict stays what it is; the gate lets pass what is accepted and says so. An acceptance is a claim, so it ends by
itself, and everything that stood on it is derived again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from holdfast.backlog.evidence import that_count
from holdfast.backlog.lifecycle import MAX_WORDS, not_possible, person, record, same_person
from holdfast.backlog.table import ACCEPT_DAYS
from holdfast.core.domain import Cause, Ceiling, Claim, Status, new_id, to_iso
from holdfast.core.domain.backlog import ACCEPT, UNDONE, Acceptance, BacklogItem, ItemState, Step
from holdfast.core.domain.claim import PERSON
from holdfast.core.domain.topics import ACCEPTANCE_ENDED
from holdfast.core.errors import AccessError, UsageError
from holdfast.core.store import Transaction
from holdfast.core.store.findings import FindingState
from holdfast.core.store.types import storable


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: who owns the risk and who is to approve it (None: anybody else), until when, and why."""

    owner: str
    approver: str | None
    until: datetime
    check: str
    reason: str


def request(tx: Transaction, item: BacklogItem, wish: Wish) -> Acceptance:
    """Ask for an acceptance; nothing is accepted yet.

    Raises UsageError (HF-BLG-002 not possible now, -006 too long or over, -007 the check is not green, -008 asked for
    already) and AccessError (HF-BLG-005 owner and approver are one person).
    """
    by = person(wish.owner)
    if wish.approver is not None:
        person(wish.approver)
        _refuse_one_person(wish.owner, wish.approver)
    if item.state not in UNDONE or item.elsewhere:
        raise not_possible(item, Step.ACCEPTED)
    if tx.acceptances.open_of(item.id) is not None:
        raise _asked_already(item)
    _refuse_length(tx, item, wish.until)
    _refuse_red(tx, item, wish.check)
    acceptance = Acceptance(
        id=new_id("acc", lambda: tx.now),
        item=item.id,
        fingerprint=item.fingerprint,
        model=item.model,
        owner=wish.owner,
        approver=wish.approver,
        reason=storable(wish.reason)[:MAX_WORDS],
        check=wish.check,
        requested_at=tx.now,
        expires_at=wish.until,
    )
    tx.acceptances.put(acceptance)
    tx.intend("acceptance.requested", {**_said(acceptance), "by": by}, about=item.id)
    record(tx, item, Step.NOTED, actor=by, why=f"asks to accept the risk until {to_iso(wish.until)}")
    return acceptance


def approve(tx: Transaction, item: BacklogItem, who: str) -> Acceptance:
    """The second person says yes: the item is accepted, and a claim on its finding is in force until the end.

    Raises UsageError (HF-BLG-002, -006, -007, -009 nothing is asked for) and AccessError (HF-BLG-005 not the person).
    """
    by, asked = person(who), tx.acceptances.open_of(item.id)
    if asked is None or asked.approved_at is not None:
        raise _nothing_asked(item)
    _refuse_one_person(asked.owner, who)
    if asked.approver is not None and not same_person(asked.approver, who):
        raise AccessError(
            f"{who} may not approve this acceptance",
            cause=f"{asked.approver} was named to approve it",
            fix=f"let {asked.approver} approve it, or withdraw it and ask anew",
            code="HF-BLG-005",
        )
    _refuse_length(tx, item, asked.expires_at)
    _refuse_red(tx, item, asked.check)
    held = tx.acceptances.put(replace(asked, approver=who, approved_at=tx.now))
    record(tx, item, Step.ACCEPTED, actor=by, why=f"accepted until {to_iso(held.expires_at)}: {held.reason}")
    tx.claims.make(claim_of(held, tx.now))
    tx.intend("acceptance.approved", {**_said(held), "by": by}, about=item.id)
    return held


def withdraw(tx: Transaction, item: BacklogItem, who: str, why: str) -> Acceptance:
    """Somebody takes an acceptance back, or the wish for one. Raises UsageError (HF-BLG-009) where there is none."""
    by, known = person(who), tx.acceptances.open_of(item.id)
    if known is None:
        raise _nothing_asked(item)
    return end(tx, known, storable(why)[:MAX_WORDS] or "withdrawn", actor=by, tell=known.approved)


def end(
    tx: Transaction, acceptance: Acceptance, why: str, *, actor: str, at: datetime | None = None, tell: bool = True
) -> Acceptance:
    """An acceptance ends: its claim is withdrawn and, where `tell`, the loop opens the item again."""
    ended = tx.acceptances.end(acceptance, why, at or tx.now)
    if acceptance.approver is not None and acceptance.approved:
        tx.claims.withdraw(Cause(PERSON, acceptance.approver), target=target_of(acceptance))
    tx.intend("acceptance.ended", {**_said(ended), "by": actor, "why": why}, about=acceptance.item)
    if tell:
        tx.outbox.publish(ACCEPTANCE_ENDED, acceptance.id, {"item": acceptance.item, "why": why})
    return ended


def claim_of(acceptance: Acceptance, since: datetime) -> Claim:
    """The claim that an approved acceptance is. It effects nothing by itself but what the gate makes of it."""
    assert acceptance.approver is not None
    return Claim(
        cause=Cause(PERSON, acceptance.approver),
        effect=ACCEPT,
        target=target_of(acceptance),
        ceiling=Ceiling.OBSERVE,
        since=since,
        until=acceptance.expires_at,
        body={
            "acceptance": acceptance.id,
            "item": acceptance.item,
            "owner": acceptance.owner,
            "approver": acceptance.approver,
            "check": acceptance.check,
        },
    )


def target_of(acceptance: Acceptance) -> str:
    """What the claim is on."""
    return f"finding:{acceptance.fingerprint}"


def why_not_green(tx: Transaction, model: str, check: str) -> str | None:
    """Why a check is not green on what serves (else what was judged last); None where it is. Unknown is not green."""
    versions = that_count(tx, model)
    whys = (_why_not_seen(tx, model, check, version) for version in versions)
    why = next((why for why in whys if why is not None), None)
    if why is not None or not versions:
        return why or f"no version of {model} was judged"
    red = [one for one in tx.findings.of(model, FindingState.OPEN) if one.finding.check == check]
    return f"{check} finds {red[0].finding.rule}" if red else None


def _why_not_seen(tx: Transaction, model: str, check: str, version: str) -> str | None:
    """Why nothing is known of a version from this check."""
    records = [one for one in tx.observations.of(model, version) if one.check == check]
    newest = max(records, key=lambda one: (one.recorded_at, one.key), default=None)
    if newest is None:
        return f"{check} was never taken on {version[:19]}, which counts"
    return None if newest.observation.status is Status.MEASURED else f"{check} could not decide on {version[:19]}"


def _refuse_one_person(owner: str, approver: str) -> None:
    if same_person(owner, approver):
        raise AccessError(
            "nobody approves the acceptance of a risk of their own",
            cause=f"owner and approver are both {owner}",
            fix="let a second person approve it",
            code="HF-BLG-005",
        )


def _refuse_length(tx: Transaction, item: BacklogItem, until: datetime) -> None:
    model = tx.models.find(item.model)
    assert model is not None, "an item's model is registered"
    longest = tx.now + timedelta(days=ACCEPT_DAYS[model.tier])
    if not tx.now < until <= longest:
        raise UsageError(
            f"a risk of tier {model.tier} is accepted for {ACCEPT_DAYS[model.tier]} days at most",
            cause=f"it would be until {to_iso(until)}; now is {to_iso(tx.now)}",
            fix=f"give an end after now and no later than {to_iso(longest)}",
            code="HF-BLG-006",
        )


def _refuse_red(tx: Transaction, item: BacklogItem, check: str) -> None:
    found = [one.finding for one in tx.findings.of(item.model) if one.finding.fingerprint == item.fingerprint]
    own = any(finding.check == check for finding in found)
    why = "it is the check that fails" if own else why_not_green(tx, item.model, check)
    if why is not None:
        raise UsageError(
            f"the check '{check}' cannot compensate for the risk",
            cause=why,
            fix="name another check of the model whose newest result is good; it must stay so",
            code="HF-BLG-007",
        )


def _asked_already(item: BacklogItem) -> UsageError:
    return UsageError(
        f"an acceptance of {item.id} is asked for already",
        cause="one acceptance at a time stands for an item",
        fix="approve it, or withdraw it first: holdfast backlog withdraw ITEM --by NAME",
        code="HF-BLG-008",
    )


def _nothing_asked(item: BacklogItem) -> UsageError:
    held = item.state is ItemState.ACCEPTED
    return UsageError(
        f"nothing waits for approval on {item.id}",
        cause="its acceptance is approved already" if held else "nobody asked to accept its risk",
        fix="ask for it: holdfast backlog accept ITEM --owner NAME --until MOMENT --check CHECK --reason WORDS",
        code="HF-BLG-009",
    )


def _said(acceptance: Acceptance) -> dict[str, str | None]:
    return {
        "acceptance": acceptance.id,
        "item": acceptance.item,
        "owner": acceptance.owner,
        "approver": acceptance.approver,
        "check": acceptance.check,
        "expires_at": to_iso(acceptance.expires_at),
    }
