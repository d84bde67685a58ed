"""What people attest, and as what models were declared: appended, dated twice, in the ledger; old rows still read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from holdfast.core.domain import FrozenClock, Tier
from holdfast.core.domain.control import Attestation
from holdfast.core.store import Store


def said(clock: FrozenClock, number: int = 1, **changes: Any) -> Attestation:
    base = {"kind": "doc", "theme": "dpia", "by": "A", "statement": "s", "expires_at": None, "effective_at": clock()}
    return Attestation(id=f"att_{number}", recorded_at=clock(), **{**base, **changes})


def test_an_attestation_is_kept_as_recorded_now_and_told_to_the_ledger(store: Store, clock: FrozenClock) -> None:
    given = said(clock, clauses=("GDPR 35(1)",), digest="sha256:d", document="dpia.pdf", holds=False, model="m")
    clock.advance(timedelta(hours=1))
    with store.transaction() as tx:
        kept = tx.attestations.add(given)
    assert kept.recorded_at == clock()
    with store.reading() as tx:
        assert tx.attestations.find("att_1") == kept
        assert tx.attestations.find("att_2") is None
        assert tx.intents.about("att_1") == [("evidence.attested", None)]
        assert b'"by"' not in tx.intents.pending(10)[0][1]


def test_attestations_are_asked_for_by_both_times(store: Store, clock: FrozenClock) -> None:
    start = clock()
    with store.transaction() as tx:
        tx.attestations.add(said(clock, 1))
    clock.advance(timedelta(days=2))
    with store.transaction() as tx:
        tx.attestations.add(said(clock, 2, effective_at=start - timedelta(days=1)))
        tx.attestations.add(said(clock, 3, effective_at=clock() + timedelta(days=1)))
    with store.reading() as tx:
        assert [one.id for one in tx.attestations.until(clock())] == ["att_2", "att_1"]
        assert [one.id for one in tx.attestations.until(clock(), start)] == ["att_1"]
        assert [one.id for one in tx.attestations.until(start - timedelta(hours=1))] == ["att_2"]
        assert len(tx.attestations.until(clock() + timedelta(days=1))) == 3


def test_declarations_are_kept_where_they_change(store: Store, clock: FrozenClock, nouns: Any) -> None:
    start = clock()
    for tier in (Tier.LOW, Tier.LOW, Tier.HIGH):
        with store.transaction() as tx:
            tx.models.register(nouns.model(tier=tier), nouns.version(), {"tier": tier.value})
        clock.advance(timedelta(hours=1))
    with store.reading() as tx:
        assert tx.models.declared(start - timedelta(seconds=1)) == []
        (first,) = tx.models.declared(start + timedelta(hours=1))
        (last,) = tx.models.declared(clock())
        assert (first.model.tier, first.recorded_at) == (Tier.LOW, start)
        assert (last.model.tier, last.manifest) == (Tier.HIGH, {"tier": "high"})
        kinds = [entry.kind for entry in tx.intents.journal(["model.declared"], clock())]
        assert kinds == ["model.declared"] * 2


def test_a_model_of_before_declarations_were_kept_counts_from_its_last_registration(
    store: Store, clock: FrozenClock, nouns: Any
) -> None:
    with store.transaction() as tx:
        tx.models.register(nouns.model(), nouns.version(), {})
    with store._engine.begin() as connection:
        connection.execute(text("DELETE FROM declarations"))
        body = '{"name": "m", "unit": "u", "region": "eu", "owner": "o", "tier": "high", "purpose": "p",'
        connection.execute(
            text("UPDATE models SET body = :body"),
            {"body": body + ' "task": {"kind": "binary"}, "policy": "baseline"}'},
        )
    with store.reading() as tx:
        (found,) = tx.models.declared(clock())
        assert found.model.use == ()
        assert found.manifest == {}
        assert tx.models.declared(clock() - timedelta(seconds=1)) == []


def test_entries_are_found_by_kind_by_subject_and_by_moment(store: Store, clock: FrozenClock) -> None:
    start = clock()
    with store.transaction() as tx:
        tx.intend("a.one", {"n": 1}, about="x")
        tx.intend("b.two", {"n": 2}, about="x")
    clock.advance(timedelta(hours=1))
    with store.transaction() as tx:
        tx.intend("a.one", {"n": 3}, about="y")
    with store.reading() as tx:
        assert [one.body["n"] for one in tx.intents.journal(["a.one"], clock())] == [1, 3]
        assert [one.body["n"] for one in tx.intents.journal(["a.one", "b.two"], start)] == [1, 2]
        assert {name: one.body["n"] for name, one in tx.intents.leaves(["x", "y", "z"]).items()} == {"x": 1, "y": 3}
        assert set(tx.intents.leaves(["x", "y"], start)) == {"x"}
        newest = tx.intents.newest_about("x", clock())
        assert newest is not None
        assert newest.body["n"] == 2
        assert tx.intents.newest_about("y", start) is None
        assert tx.intents.last(clock()) is None
