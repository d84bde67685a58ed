"""The findings whose risk somebody accepted, read from the claims in force: the gate knows nothing of the backlog."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from holdfast.core.domain.backlog import ACCEPT
from holdfast.core.domain.claim import PERSON, Claim
from holdfast.core.domain.verdict import Judgement
from holdfast.core.report import AcceptedFinding
from holdfast.core.store import Transaction


def accepted(tx: Transaction, judgements: Iterable[Judgement], at: datetime) -> tuple[AcceptedFinding, ...]:
    """What is accepted at a moment, among the findings of these judgements."""
    models = {found.fingerprint: (item.model, found.rule) for item in judgements for found in item.findings}
    claims = tx.claims.active(at, effect=ACCEPT)
    named = ((claim, claim.target.removeprefix("finding:")) for claim in claims if _counts(claim))
    return tuple(_accepted(claim, print_, *models[print_]) for claim, print_ in named if print_ in models)


def _counts(claim: Claim) -> bool:
    """Only people accept risks, two of them, and never without an end."""
    owner, approver = str(claim.body.get("owner", "")), str(claim.body.get("approver", ""))
    two = bool(owner) and bool(approver) and owner.casefold() != approver.casefold()
    return claim.cause.kind == PERSON and claim.cause.id == approver and two and claim.until is not None


def _accepted(claim: Claim, fingerprint: str, model: str, rule: str) -> AcceptedFinding:
    assert claim.until is not None
    return AcceptedFinding(model, fingerprint, rule, str(claim.body["owner"]), str(claim.body["approver"]), claim.until)
