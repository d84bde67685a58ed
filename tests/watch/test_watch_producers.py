"""Numbers that arrived and numbers that did not, against plain sets."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

import happenings
from holdfast.core.store.producers import ProducerRow
from holdfast.watch.producers import MAX_HOLES, advance, overdue, runs_of, tally, together

KEY = ("p", 1)
BATCHES = st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=20), min_size=1, max_size=12)


def numbers(row: ProducerRow) -> set[int]:
    missing = {n for hole in row.missing for n in range(hole.first, hole.last + 1)}
    return set(range(row.last + 1)) - missing


@given(BATCHES)
def test_any_order_of_batches_gives_the_set_of_what_arrived(batches: list[list[int]]) -> None:
    row = None
    for batch in batches:
        row = advance(row, KEY, runs_of(batch), happenings.NOON)
    assert row is not None
    arrived = {n for batch in batches for n in batch}
    assert numbers(row) == arrived
    assert row.events == len(arrived)
    assert all(one.last + 1 < other.first for one, other in zip(row.missing, row.missing[1:], strict=False))


@given(BATCHES)
def test_a_group_is_the_same_as_its_batches_one_by_one(batches: list[list[int]]) -> None:
    once = advance(None, KEY, together([{KEY: runs_of(batch)} for batch in batches])[KEY], happenings.NOON)
    assert numbers(once) == {n for batch in batches for n in batch}


@settings(deadline=None)
@given(st.integers(0, 50))
def test_holes_beyond_the_limit_are_told_as_one_that_spans_them(more: int) -> None:
    count = MAX_HOLES + more
    row = advance(None, KEY, runs_of([1 + 2 * n for n in range(count)]), happenings.NOON)
    assert len(row.missing) <= MAX_HOLES
    assert row.missing[0].first == 0
    assert {2 * n for n in range(count)} <= {n for hole in row.missing for n in range(hole.first, hole.last + 1)}


def test_a_hole_keeps_its_age_and_is_overdue_after_the_grace() -> None:
    row = advance(None, KEY, [(0, 4), (10, 12)], happenings.NOON)
    later = advance(row, KEY, [(5, 6), (20, 20)], happenings.NOON + timedelta(minutes=5))
    assert [(hole.first, hole.last) for hole in later.missing] == [(7, 9), (13, 19)]
    late = overdue(later, happenings.NOON + timedelta(minutes=5, seconds=30), 60)
    assert [(hole.first, hole.last) for hole in late] == [(7, 9)]


def test_a_batch_is_tallied_by_producer_and_epoch() -> None:
    table = happenings.events([3, 1, 2, 7], producer="q", epoch=[1, 1, 2, 1])
    assert tally(table) == {("q", 1): [(1, 1), (3, 3), (7, 7)], ("q", 2): [(2, 2)]}
