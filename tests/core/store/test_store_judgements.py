"""The journal of judgements: append-only, in both times."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from holdfast.core.domain import FrozenClock, Verdict
from holdfast.core.errors import StoreError
from holdfast.core.store import Standing, Store

DAY = timedelta(days=1)


@pytest.fixture
def registered(store: Store, nouns: Any) -> Store:
    with store.transaction() as tx:
        for digest in ("v1", "v2"):
            tx.models.register(nouns.model(), nouns.version(digest=digest), {})
    return store


def test_a_judgement_comes_back_exactly_and_is_new_once(registered: Store, nouns: Any) -> None:
    judged = nouns.judgement("j", nouns.finding(), undecided=("other",))
    with registered.transaction() as tx:
        assert tx.judgements.latest("m") is None
        assert tx.judgements.add(judged)
        assert not tx.judgements.add(nouns.judgement("j"))
        assert tx.judgements.latest("m") == judged
        assert tx.judgements.history("m") == [judged]


def test_the_latest_is_of_the_newest_moment(registered: Store, nouns: Any, clock: FrozenClock) -> None:
    early = nouns.judgement("early")
    clock.advance(DAY)
    late = nouns.judgement("late", version="v2")
    with registered.transaction() as tx:
        tx.judgements.add(late)
        tx.judgements.add(early)
        assert tx.judgements.latest("m") == late
        assert tx.judgements.latest("m", "v1") == early
        assert tx.judgements.latest("m", "v3") is None


def test_what_held_then_and_what_was_known_then(registered: Store, nouns: Any, clock: FrozenClock) -> None:
    start = clock()
    with registered.transaction() as tx:
        first = nouns.judgement("first")
        tx.judgements.add(first)
        clock.advance(2 * DAY)
        second = nouns.judgement("second")
        tx.judgements.add(second)
        known_then = clock()
        clock.advance(DAY)
        between = nouns.judgement("between", as_of=start + DAY)
        tx.judgements.add(between)
    with registered.reading() as tx:
        assert tx.judgements.as_of("m", start - DAY) is None
        assert tx.judgements.as_of("m", start) == first
        assert tx.judgements.as_of("m", start + DAY) == between
        assert tx.judgements.as_of("m", start + DAY, known_at=known_then) == first
        assert tx.judgements.as_of("m", clock()) == second
        assert tx.judgements.as_of("m", clock(), "v2") is None


def test_a_version_stands_where_its_newest_judgement_puts_it(registered: Store, nouns: Any, clock: FrozenClock) -> None:
    now = clock()
    with registered.transaction() as tx:
        tx.judgements.add(nouns.judgement("new", nouns.finding()))
        tx.judgements.add(nouns.judgement("backdated", as_of=now - DAY))
        tx.judgements.add(nouns.judgement("other", version="v2"))
        assert tx.judgements.standing("m", "v1") == Standing(Verdict.FAILED, True, now, now + 30 * DAY)
        assert tx.judgements.standings("m").keys() == {"v1", "v2"}
        assert tx.judgements.standing("m", "v3") is None


def test_only_a_registered_model_can_be_judged(store: Store, nouns: Any) -> None:
    with pytest.raises(StoreError) as raised, store.transaction() as tx:
        tx.judgements.add(nouns.judgement("j"))
    assert raised.value.code == "HF-STO-009"


def test_baselines_are_kept_newest_last(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.baselines.latest("m") is None
        tx.baselines.add("m", "v1", {"a": 1})
        tx.baselines.add("m", "v2", {"a": [2.5, None]})
        tx.baselines.add("other", "v9", {})
        assert tx.baselines.latest("m") == {"a": [2.5, None]}
        assert tx.baselines.latest("m", "v1") == {"a": 1}
        assert tx.baselines.latest("m", "v9") is None
