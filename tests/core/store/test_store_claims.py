"""Claims in the store: made once, ended by time or cause, every change in the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from holdfast.core.domain import FrozenClock
from holdfast.core.domain.claim import Cause, Ceiling, Claim
from holdfast.core.store import Store

A, B = Cause("intel", "a"), Cause("intel", "b")
DAY = timedelta(days=1)


def deny(cause: Cause, clock: FrozenClock, target: str = "package:x", **more: object) -> Claim:
    return Claim(cause, "deny", target, Ceiling.BLOCK_NEW, clock(), **more)  # type: ignore[arg-type]


def test_a_claim_made_twice_is_one_and_one_leaf(store: Store, clock: FrozenClock) -> None:
    claim = deny(A, clock, body={"name": "x"})
    with store.transaction() as tx:
        assert tx.claims.make(claim)
        clock.advance(DAY)
        assert not tx.claims.make(replace(claim, since=clock()))
        assert tx.claims.find(claim.id) == claim
        assert [kind for kind, _ in tx.intents.about(claim.id)] == ["claim.made"]


def test_withdrawing_ends_what_is_in_force_and_nothing_else(store: Store, clock: FrozenClock) -> None:
    with store.transaction() as tx:
        for claim in (deny(A, clock), deny(A, clock, "package:y"), deny(B, clock)):
            tx.claims.make(claim)
    clock.advance(DAY)
    with store.transaction() as tx:
        assert [claim.target for claim in tx.claims.withdraw(A, target="package:y")] == ["package:y"]
        assert [claim.target for claim in tx.claims.withdraw(A)] == ["package:x"]
        assert tx.claims.withdraw(A) == []
        assert [effect.causes for effect in tx.claims.effects()] == [("intel:b",)]
        assert len(tx.claims.active(clock() - DAY)) == 3


def test_a_cause_that_comes_back_stands_anew(store: Store, clock: FrozenClock) -> None:
    with store.transaction() as tx:
        tx.claims.make(deny(A, clock))
        clock.advance(DAY)
        tx.claims.withdraw(A)
        clock.advance(DAY)
        assert tx.claims.make(deny(A, clock))
        assert len(tx.claims.active()) == 1
        kinds = [kind for kind, _ in tx.intents.about(deny(A, clock).id)]
    assert kinds == ["claim.made", "claim.withdrawn", "claim.made"]


def test_what_ends_by_itself_is_found_once(store: Store, clock: FrozenClock) -> None:
    start = clock()
    with store.transaction() as tx:
        tx.claims.make(deny(A, clock, until=start + DAY))
        tx.claims.make(deny(B, clock))
        assert tx.claims.ended_by(start, start - DAY) == []
        clock.advance(2 * DAY)
        assert [claim.cause for claim in tx.claims.ended_by(clock(), start)] == [A]
        assert tx.claims.ended_by(clock(), start + DAY) == []
        assert [claim.cause for claim in tx.claims.active()] == [B]


def test_claims_are_found_by_effect_and_target(store: Store, clock: FrozenClock) -> None:
    with store.transaction() as tx:
        tx.claims.make(deny(A, clock))
        tx.claims.make(replace(deny(A, clock), effect="watch"))
        tx.claims.make(deny(B, clock, "package:y"))
        assert len(tx.claims.active(effect="deny")) == 2
        assert len(tx.claims.active(effect="deny", target="package:x")) == 1
        assert len(tx.claims.of_causes([A, B])) == 3
        assert len(tx.claims.all()) == 3
