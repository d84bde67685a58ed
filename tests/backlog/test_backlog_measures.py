"""Figures out of the journal: the right ones, and the same for a past date whenever they are asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.backlog.measures import measure, percentile
from holdfast.backlog.queries import backlog_view, item_view, measures_view
from holdfast.core.errors import UsageError

from .conftest import Estate, finding

A, B = finding("evasion.search"), finding("data.contract")


def lived(estate: Estate) -> None:
    """Found day 0; A proven day 4 and back day 6; B proven day 10; now is day 12."""
    estate.model()
    for check in ("evasion.search", "data.contract"):
        estate.see(check, success=0.5)
    estate.judge(A, B)
    estate.deploy("v1")
    for days, left in ((4, [B]), (2, [A, B]), (4, [A])):
        estate.later(days=days)
        estate.see("evasion.search", success=0.5)
        estate.judge(*left)
    estate.later(days=2)


def test_the_figures_of_a_short_life(estate: Estate) -> None:
    lived(estate)
    view = estate.do(lambda tx: measures_view(tx, estate.clock()))
    assert (view.found, view.proven) == (2, 2)
    assert (view.mean_days_to_proof, view.median_days_to_proof, view.p90_days_to_proof) == (7.0, 4.0, 10.0)
    assert (view.median_age_days, view.oldest_age_days) == (6.0, 6.0)
    assert view.recurrence_share == 0.5
    assert view.escape_share == 0.0
    assert sum(view.open_by_urgency.values()) == 1
    assert view.by_state["proven"] == 1
    assert view.points_per_day == pytest.approx((8 + 3) / 28)


def test_the_past_stays_as_it_was(estate: Estate) -> None:
    lived(estate)
    begin = estate.clock() - timedelta(days=12)
    told = {days: estate.do(lambda tx, d=days: measures_view(tx, begin + timedelta(days=d))) for days in range(13)}
    estate.later(days=5)
    estate.see("evasion.search", success=0.0)
    estate.judge()
    again = {days: estate.do(lambda tx, d=days: measures_view(tx, begin + timedelta(days=d))) for days in range(13)}
    assert again == told
    assert [told[days].proven for days in (0, 3, 4, 9, 10)] == [0, 0, 1, 1, 2]
    assert told[5].recurrence_share == 0.0


def test_breaches_are_seen_before_they_happen(one: Estate) -> None:
    lived(one)
    (item,) = [item for item in one.do(lambda tx: tx.backlog.all()) if item.undone]
    view = one.do(lambda tx: measures_view(tx, one.clock()))
    (breach,) = view.breaches
    assert not breach.overdue
    assert breach.projected_at == one.clock() + timedelta(days=8 / view.points_per_day)
    assert breach.projected_at > breach.due_at == item.due_at
    late = one.do(lambda tx: measures_view(tx, item.due_at))
    assert late.breaches[0].overdue


def test_nothing_measured_is_nothing_claimed(one: Estate) -> None:
    view = measure([], one.clock())
    figures = (view.mean_days_to_proof, view.median_age_days, view.recurrence_share, view.escape_share)
    assert figures == (None, None, None, None)
    assert view.points_per_day == 0
    assert view.breaches == ()


@given(st.lists(st.floats(0, 1000), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_that_covers_its_share(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    assert found in values
    assert found is not None
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) or found == min(values)


def test_the_backlog_of_a_past_moment(one: Estate) -> None:
    lived(one)
    begin = one.clock() - timedelta(days=12)
    assert one.do(lambda tx: backlog_view(tx, begin - timedelta(days=1))).items == ()
    assert len(one.do(lambda tx: backlog_view(tx, begin)).items) == 2
    assert [row.model for row in one.do(lambda tx: backlog_view(tx, begin + timedelta(days=4))).items] == ["m"]
    everything = one.do(lambda tx: backlog_view(tx, one.clock(), every=True))
    assert len(everything.items) == 2
    assert everything.to_json()["items"][0]["state"] == "open"


def test_one_item_says_everything(one: Estate) -> None:
    lived(one)
    item = one.item(B)
    view = one.do(lambda tx: item_view(tx, item.id[:16], one.clock()))
    assert [row.step for row in view.history] == one.steps(B)
    assert view.history[-1].state == "proven"
    assert view.proof is not None
    assert view.proof.judgement == item.proof
    assert view.proof.version == "v1"
    assert view.proof.observation is not None
    assert [row.present for row in view.occurrences] == [False]
    assert [kind for kind, _ in view.leaves] == [f"backlog.{step}" for step in one.steps(B)]
    assert view.to_json()["item"]["id"] == item.id
    with pytest.raises(UsageError) as caught:
        one.do(lambda tx: item_view(tx, "itm_", one.clock()))
    assert caught.value.code == "HF-BLG-001"
    assert "several" in caught.value.cause
    with pytest.raises(UsageError):
        one.do(lambda tx: item_view(tx, item.id, one.clock() - timedelta(days=13)))
