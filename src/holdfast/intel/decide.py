"""What people decide about items: to take one back, or to let one through that waits; both are claims of theirs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from holdfast.core.domain.claim import ALLOW, PERSON, Cause, Ceiling, Claim
from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.ids import digest
from holdfast.core.domain.intelligence import item_target
from holdfast.core.domain.topics import INTEL, WITHDRAWN
from holdfast.core.store import Transaction
from holdfast.intel.faults import wrong_decision
from holdfast.intel.weigh import DISMISS

MAX_REASON: Final = 500


def dismiss(tx: Transaction, uid: str, person: str, reason: str, *, until: datetime | None = None) -> Claim:
    """Take an item back, whatever feeds say of it: until a moment, or until the person releases it."""
    tx.intel.hold()
    claim = _claim(tx, uid, DISMISS, person, reason, until)
    tx.claims.make(claim)
    _tell(tx, WITHDRAWN, uid, claim.id)
    return claim


def release(tx: Transaction, uid: str, person: str, reason: str, *, until: datetime | None = None) -> Claim | None:
    """Let an item count: ends what dismissed it, and lets it through where it is held. None: nothing held it."""
    tx.intel.hold()
    on_item = tx.claims.on_target(item_target(uid))
    now = tx.now
    dismissed = [claim for claim in on_item if claim.effect == DISMISS and claim.active(now)]
    tx.claims.end(dismissed)
    held = any(claim.cause.kind != PERSON and claim.active(now) for claim in on_item)
    claim = _claim(tx, uid, ALLOW, person, reason, until) if held else None
    if claim is not None:
        tx.claims.make(claim)
    if claim is None and not dismissed:
        return None
    _tell(tx, INTEL, uid, *(one.id for one in (*dismissed, *([claim] if claim else []))))
    return claim or dismissed[0]


def _claim(tx: Transaction, uid: str, effect: str, person: str, reason: str, until: datetime | None) -> Claim:
    if not reason.strip() or len(reason) > MAX_REASON:
        raise wrong_decision(f"a reason of 1 to {MAX_REASON} characters is needed; this one has {len(reason)}")
    if until is not None and until <= tx.now:
        raise wrong_decision(f"it would end at {to_iso(until)}, which has passed")
    cause = Cause(PERSON, person)
    return Claim(cause, effect, item_target(uid), Ceiling.QUARANTINE, tx.now, until, body={"reason": reason})


def _tell(tx: Transaction, topic: str, uid: str, *claims: str) -> None:
    tx.outbox.publish(topic, digest([uid, to_iso(tx.now), *_steps(tx, claims)]), {"items": [uid]})


def _steps(tx: Transaction, claims: Iterable[str]) -> list[str | int]:
    """How often each claim was made and ended so far, so that the same decision taken twice is two."""
    return [part for claim in claims for part in (claim, len(tx.intents.about(claim)))]
