"""Failed tries: counted, dated, backed off, and never taken for results."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.domain import Attempt, FrozenClock
from holdfast.core.store import Backoff, Store
from holdfast.core.store.session import CHUNK


def test_tries_are_counted_and_wait_longer_each_time(store: Store, clock: FrozenClock) -> None:
    waits = []
    for number in range(1, 5):
        with store.transaction() as tx:
            backoff = Backoff(first_s=10, most_s=25, tries=4)
            kept = tx.attempts.fail("k", "c", "m", reason="memory", started_at=clock(), backoff=backoff)
            assert kept.number == number
            assert tx.attempts.last("k") == kept
            waits.append(None if kept.retry_at is None else (kept.retry_at - clock()).total_seconds())
        clock.advance(timedelta(minutes=1))
    assert waits == [10, 20, 25, None]


def test_attempts_are_no_observations(store: Store, clock: FrozenClock) -> None:
    with store.transaction() as tx:
        tx.attempts.fail("k", "c", "m", reason="time", started_at=clock())
        assert tx.observations.find(["k"]) == {}


def test_the_last_of_many_keys(store: Store, clock: FrozenClock) -> None:
    keys = [f"k{number}" for number in range(CHUNK + 5)]
    with store.transaction() as tx:
        for key in (keys[0], keys[-1], keys[0]):
            tx.attempts.fail(key, "c", "m", reason="crash", started_at=clock())
        found = tx.attempts.last_of(keys)
        assert {key: attempt.number for key, attempt in found.items()} == {keys[0]: 2, keys[-1]: 1}
        assert tx.attempts.last("none") is None


def test_a_reason_may_hold_any_bytes(store: Store, clock: FrozenClock) -> None:
    with store.transaction() as tx:
        tx.attempts.add(Attempt("k", "c", "m", "died: \0 \ud800", clock(), None, 1))
        last = tx.attempts.last("k")
    assert last is not None
    assert last.reason == "died: \ufffd \ufffd"


@given(st.integers(1, 50), st.floats(1, 100), st.floats(100, 1000), st.integers(1, 60))
def test_waits_never_shrink_nor_pass_the_most(number: int, first_s: float, most_s: float, tries: int) -> None:
    clock = FrozenClock(_start())
    backoff = Backoff(first_s, most_s, tries)
    retry, later = backoff.after(number, clock()), backoff.after(number + 1, clock())
    assert (retry is None) == (number >= tries)
    if retry is not None:
        assert timedelta(seconds=first_s) <= retry - clock() + timedelta(microseconds=1)
        assert retry - clock() <= timedelta(seconds=most_s)
        assert later is None or later >= retry


def _start() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 1, 5, tzinfo=UTC)
