"""The backlog's journal and what it amounts to, on both engines; sprints, acceptances and tickets beside it."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.domain import FrozenClock, Model, ModelVersion, Task, Tier, to_iso
from holdfast.core.domain.backlog import (
    MOVES,
    Acceptance,
    BacklogItem,
    ItemState,
    Sprint,
    Step,
    Ticket,
    TrackerLink,
    Urgency,
    leads_to,
)
from holdfast.core.errors import StoreError
from holdfast.core.store import Store, Transaction

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def ranked(urgency: Urgency = Urgency.SCHEDULED, days: int = 30) -> dict[str, Any]:
    due = to_iso(NOW + timedelta(days=days))
    return {"urgency": urgency.value, "reasons": ["because"], "score": 1.5, "points": 3, "due_at": due}


def body(step: Step, name: str, number: int) -> dict[str, Any]:
    match step:
        case Step.OPENED:
            return {"fingerprint": name, "model": "m", "title": "t", "elsewhere": number % 2 == 0, **ranked()}
        case Step.RANKED | Step.HERE | Step.REOPENED:
            return ranked(list(Urgency)[number % 4], number)
        case Step.PLANNED:
            return {"sprint": f"s{number}"}
        case Step.STARTED:
            return {"assignee": f"p{number}"}
        case Step.PROVEN:
            return {"proof": f"k{number}"}
    return {}


def registered(tx: Transaction) -> None:
    model = Model("m", "u", "eu", "o", Tier.HIGH, "p", Task("binary"))
    tx.models.register(model, ModelVersion("m", "v1", "onnx"), {})


def step(tx: Transaction, item: str, what: Step, number: int = 1, at: datetime | None = None) -> BacklogItem:
    return tx.backlog.append("m", item, what, actor="person:a", why="w", body=body(what, item, number), effective_at=at)


STEPS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(list(Step)), st.integers(0, 9), st.integers(-3, 3)),
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_the_items_are_what_the_journal_amounts_to(steps: list[tuple[str, Step, int, int]]) -> None:
    clock = FrozenClock(NOW)
    with tempfile.TemporaryDirectory() as folder, Store.open(None, Path(folder), clock) as store:
        taken: list[tuple[datetime, list[BacklogItem]]] = []

        def live(tx: Transaction) -> None:
            registered(tx)
            for item, what, number, hours in steps:
                clock.advance(timedelta(minutes=1))
                known = tx.backlog.find(item)
                state = None if known is None else known.state
                possible = what is Step.OPENED if state is None else leads_to(state, what) is not None
                if possible:
                    step(tx, item, what, number, clock() + timedelta(hours=hours))
                    taken.append((clock(), tx.backlog.all()))
                else:
                    with pytest.raises(ValueError, match="not"):
                        step(tx, item, what, number)

        store.run(live)
        before = store.run(lambda tx: tx.backlog.all())
        assert store.run(lambda tx: tx.backlog.rebuild()) == len(before)
        assert store.run(lambda tx: tx.backlog.all()) == before
        assert store.run(lambda tx: tx.backlog.as_of(clock())) == before
        for known_at, then in taken:
            assert store.run(lambda tx, k=known_at: tx.backlog.as_of(clock(), known_at=k)) == then


def test_every_state_can_be_left_and_reached() -> None:
    reached = {new for moves in MOVES.values() for old, new in moves.items() if new is not old} | {ItemState.OPEN}
    left = {old for moves in MOVES.values() for old, new in moves.items() if new is not old}
    assert reached == left == set(ItemState)


def test_a_journal_line_is_kept_on_both_engines(store: Store) -> None:
    def work(tx: Transaction) -> list[Any]:
        registered(tx)
        step(tx, "a", Step.OPENED)
        step(tx, "a", Step.CLAIMED)
        return tx.backlog.history("a")

    first, second = store.run(work)
    assert (first.step, second.step, second.sequence > first.sequence) == (Step.OPENED, Step.CLAIMED, True)
    found = store.run(lambda tx: tx.backlog.find("a"))
    assert found is not None
    assert (found.state, found.claimed_at) == (ItemState.CLAIMED, store.clock())
    assert store.run(lambda tx: tx.backlog.last_sequence("a")) == second.sequence
    assert store.run(lambda tx: tx.backlog.matching("a")) == ["a"]
    assert store.run(lambda tx: tx.backlog.matching("%")) == []
    assert store.run(lambda tx: tx.rebuild()) == 1
    assert store.run(lambda tx: tx.backlog.find("a")) == found


def test_an_item_needs_a_registered_model(store: Store) -> None:
    with pytest.raises(StoreError, match="no model 'm'"):
        store.run(lambda tx: step(tx, "a", Step.OPENED))


def test_an_effective_moment_is_neither_later_than_now_nor_before_the_last(store: Store, clock: FrozenClock) -> None:
    store.run(registered)
    ahead, ago = clock() + timedelta(days=1), clock() - timedelta(days=1)
    assert store.run(lambda tx: step(tx, "a", Step.OPENED, at=ahead)).opened_at == clock()
    clock.advance(timedelta(hours=1))
    assert store.run(lambda tx: step(tx, "a", Step.CLAIMED, at=ago)).claimed_at == clock() - timedelta(hours=1)


def test_sprints_acceptances_and_tickets_come_back_as_they_were(store: Store, clock: FrozenClock) -> None:
    def work(tx: Transaction) -> None:
        tx.sprints.add(Sprint("spr_1", "one", date(2026, 1, 5), date(2026, 1, 9), 7))
        tx.acceptances.put(Acceptance("acc_1", "i", "f", "m", "ana", None, "r", "c", clock(), clock()))
        tx.tickets.connect(TrackerLink("gh", "rest", "http://x", "o/r", "TOKEN"))
        tx.tickets.put(Ticket("gh", "i", "7", '"e1"', False, "http://x/7"))

    store.run(work)
    sprint = store.run(lambda tx: tx.sprints.find("one"))
    assert sprint is not None
    assert (sprint.id, sprint.ends, sprint.created_at) == ("spr_1", date(2026, 1, 9), clock())
    assert store.run(lambda tx: tx.sprints.close("spr_1")) is True
    assert store.run(lambda tx: tx.sprints.close("spr_1")) is False
    assert store.run(lambda tx: tx.acceptances.expiring(clock())) == [], "not approved, so nothing ends"
    kept = store.run(lambda tx: tx.acceptances.open_of("i"))
    assert kept is not None
    assert (kept.owner, kept.approved) == ("ana", False)
    assert store.run(lambda tx: tx.tickets.find("gh", "i")) == Ticket("gh", "i", "7", '"e1"', False, "http://x/7")
    assert store.run(lambda tx: tx.tickets.numbered("gh", "8")) is None
    store.run(lambda tx: tx.tickets.set_cursor("gh", "c1"))
    store.run(lambda tx: tx.tickets.connect(TrackerLink("gh", "rest", "http://y", "o/r", None)))
    assert store.run(lambda tx: (tx.tickets.cursor("gh"), tx.tickets.links()[0].url)) == ("c1", "http://y")
    assert store.run(lambda tx: tx.tickets.disconnect("gh")) is True
