"""A risk is taken by two people, for a while, with something green beside it; and it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from holdfast.backlog.acceptance import Wish, approve, request, why_not_green, withdraw
from holdfast.backlog.sync import reopen
from holdfast.backlog.table import ACCEPT_DAYS
from holdfast.core.domain import Cause, Tier
from holdfast.core.domain.backlog import ItemState
from holdfast.core.domain.topics import ACCEPTANCE_ENDED
from holdfast.core.errors import AccessError, HoldfastError, UsageError

from .conftest import Estate, finding


def wish(estate: Estate, days: float = 20, **changes: Any) -> Wish:
    until = estate.clock() + timedelta(days=days)
    said = {"owner": "ana", "approver": None, "until": until, "check": "data.contract", "reason": "retrained soon"}
    return Wish(**{**said, **changes})


def accepted(estate: Estate, **changes: Any) -> None:
    estate.move(lambda tx, item: request(tx, item, wish(estate, **changes)))
    estate.move(lambda tx, item: approve(tx, item, "ben"))


def ended(estate: Estate) -> list[dict[str, Any]]:
    return [m.body for m in estate.do(lambda tx: tx.outbox.claim_batch("t", topics=[ACCEPTANCE_ENDED]))]


def test_two_people_make_a_claim_on_the_finding(estate: Estate) -> None:
    item = estate.failing()
    estate.move(lambda tx, found: request(tx, found, wish(estate)))
    assert estate.item().state is ItemState.OPEN, "asking accepts nothing"
    assert estate.do(lambda tx: tx.claims.active(effect="accept")) == []
    held = estate.move(lambda tx, found: approve(tx, found, "ben"))
    (claim,) = estate.do(lambda tx: tx.claims.active(effect="accept"))
    assert (str(claim.cause), claim.target, claim.until) == (
        "person:ben",
        f"finding:{item.fingerprint}",
        held.expires_at,
    )
    assert (claim.body["owner"], claim.body["approver"], claim.body["check"]) == ("ana", "ben", "data.contract")
    assert estate.item().state is ItemState.ACCEPTED
    assert estate.steps() == ["opened", "noted", "accepted"]
    assert "acceptance.approved" in estate.leaves()


@pytest.mark.parametrize("who", ["ana", "ANA"])
def test_nobody_approves_a_risk_of_their_own(one: Estate, who: str) -> None:
    one.failing()
    one.move(lambda tx, item: request(tx, item, wish(one)))
    with pytest.raises(AccessError) as caught:
        one.move(lambda tx, item: approve(tx, item, who))
    assert (caught.value.code, caught.value.exit_code) == ("HF-BLG-005", 4)
    assert one.item().state is ItemState.OPEN


def test_who_was_named_approves(one: Estate) -> None:
    one.failing()
    one.move(lambda tx, item: request(tx, item, wish(one, approver="carl")))
    with pytest.raises(AccessError, match="ben may not"):
        one.move(lambda tx, item: approve(tx, item, "ben"))
    assert one.move(lambda tx, item: approve(tx, item, "Carl")).approver == "Carl"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"approver": "Ana"}, "HF-BLG-005"),
        ({"owner": "a b"}, "HF-BLG-003"),
        ({"days": 91}, "HF-BLG-006"),
        ({"days": 0}, "HF-BLG-006"),
        ({"days": -1}, "HF-BLG-006"),
        ({"check": "evasion.search"}, "HF-BLG-007"),
        ({"check": "no.such"}, "HF-BLG-007"),
    ],
)
def test_what_cannot_be_accepted_is_refused(one: Estate, changes: dict[str, Any], code: str) -> None:
    one.failing()
    with pytest.raises(HoldfastError) as caught:
        one.move(lambda tx, item: request(tx, item, wish(one, **changes)))
    assert caught.value.code == code
    assert one.steps() == ["opened"]


@pytest.mark.parametrize("tier", list(Tier))
def test_the_longest_acceptance_depends_on_the_tier(one: Estate, tier: Tier) -> None:
    one.failing(tier=tier)
    with pytest.raises(UsageError):
        one.move(lambda tx, item: request(tx, item, wish(one, days=ACCEPT_DAYS[tier] + 0.01)))
    one.move(lambda tx, item: request(tx, item, wish(one, days=ACCEPT_DAYS[tier])))
    with pytest.raises(UsageError) as caught:
        one.move(lambda tx, item: request(tx, item, wish(one)))
    assert caught.value.code == "HF-BLG-008"


def test_the_compensating_check_going_red_ends_it(estate: Estate) -> None:
    estate.failing()
    accepted(estate)
    estate.later(days=1)
    red = finding("data.contract")
    estate.see("data.contract")
    estate.judge(finding(), red)
    assert estate.do(lambda tx: tx.claims.active(effect="accept")) == []
    (message,) = ended(estate)
    assert "data.contract finds data.contract" in message["why"]
    assert estate.do(lambda tx: tx.acceptances.in_force()) == []
    assert estate.sync() == 0


def test_another_version_without_the_check_ends_it_too(one: Estate) -> None:
    one.failing(versions="v1 v2")
    one.deploy("v1")
    accepted(one)
    assert one.do(lambda tx: why_not_green(tx, "m", "data.contract")) is None
    one.see("evasion.search", "v2", success=0.9)
    one.judge(finding(), version="v2")
    assert one.do(lambda tx: len(tx.claims.active(effect="accept"))) == 1, "v2 does not serve"
    one.deploy("v2")
    assert one.do(lambda tx: tx.claims.active(effect="accept")) == []


def test_a_withdrawn_acceptance_is_over_at_once(one: Estate) -> None:
    one.failing()
    accepted(one)
    one.move(lambda tx, item: withdraw(tx, item, "eve", "seen live"))
    assert one.do(lambda tx: tx.claims.active(effect="accept")) == []
    assert len(ended(one)) == 1
    with pytest.raises(UsageError) as caught:
        one.move(lambda tx, item: withdraw(tx, item, "eve", "again"))
    assert caught.value.code == "HF-BLG-009"


def test_a_wish_taken_back_opens_nothing(one: Estate) -> None:
    one.failing()
    one.move(lambda tx, item: request(tx, item, wish(one)))
    one.move(lambda tx, item: withdraw(tx, item, "ana", "not needed"))
    assert ended(one) == []
    with pytest.raises(UsageError) as caught:
        one.move(lambda tx, item: approve(tx, item, "ben"))
    assert caught.value.code == "HF-BLG-009"


def test_proof_ends_an_acceptance_without_opening_the_item(one: Estate) -> None:
    one.failing()
    accepted(one)
    one.later(days=1)
    one.see("evasion.search", success=0.0)
    one.judge()
    assert one.item().state is ItemState.PROVEN
    assert one.do(lambda tx: tx.claims.active(effect="accept")) == []
    assert ended(one) == []


def test_reopening_restarts_the_clock(one: Estate) -> None:
    before = one.failing()
    accepted(one)
    one.later(days=10)
    one.move(lambda tx, item: reopen(tx, item, actor="acceptance:x", why="over", at=one.clock()))
    after = one.item()
    assert after.state is ItemState.OPEN
    assert after.opened_at == before.opened_at + timedelta(days=10)
    assert after.due_at - after.opened_at == before.due_at - before.opened_at
    assert after.reopened == 0, "the weakness was never gone, so it did not come back"


def test_the_same_risk_can_be_accepted_again(one: Estate) -> None:
    item = one.failing()
    accepted(one)
    one.move(lambda tx, held: withdraw(tx, held, "ben", "again"))
    one.move(lambda tx, held: reopen(tx, held, actor="acceptance:x", why="over", at=one.clock()))
    one.later(days=1)
    accepted(one)
    claims = one.do(lambda tx: tx.claims.of_cause(Cause("person", "ben")))
    assert [claim.active(one.clock()) for claim in claims] == [True]
    assert [one_.approved for one_ in one.do(lambda tx: tx.acceptances.of_item(item.id))] == [False, True]
