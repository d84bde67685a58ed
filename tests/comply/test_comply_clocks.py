"""Reporting clocks and the DORA classification, by tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.comply.clocks import CLOCKS, DORA_MAJOR, MAJOR, Incident, add, timers
from holdfast.comply.major import Impact, classify, recurring

AWARE = datetime(2026, 1, 31, 9, tzinfo=UTC)


def at(hours: float) -> datetime:
    return AWARE + timedelta(hours=hours)


def due(
    incident: Incident, done: dict[str, float] | None = None, now: float = 10_000
) -> dict[str, tuple[str, datetime]]:
    made = {name: at(hours) for name, hours in (done or {}).items()}
    return {one.clock.id: (one.state, one.due_at) for one in timers(incident, at(now), made)}


def major(hours: float) -> Incident:
    return Incident(AWARE).classified(MAJOR, at(hours))


@pytest.mark.parametrize(
    ("classified", "due_after"),
    [(0, 4), (1, 5), (19, 23), (20, 24), (23, 24), (24, 24), (25, 29), (100, 104)],
)
def test_the_dora_initial_notice_is_due_four_hours_after_classification_and_a_day_after_awareness(
    classified: float, due_after: float
) -> None:
    assert due(major(classified))["dora-initial"][1] == at(due_after)


def test_what_is_not_major_starts_no_dora_clock() -> None:
    assert not [name for name in due(Incident(AWARE)) if name.startswith("dora")]
    assert not [name for name in due(Incident(AWARE).classified("minor", at(1))) if name.startswith("dora")]


def test_each_dora_report_starts_the_next() -> None:
    assert "dora-intermediate" not in due(major(1))
    second = due(major(1), {"dora-initial": 4})
    assert second["dora-initial"] == ("done", at(5))
    assert second["dora-intermediate"][1] == at(4 + 72)
    third = due(major(1), {"dora-initial": 4, "dora-intermediate": 50})
    assert third["dora-final"][1] == add(at(50), "1mo")


@pytest.mark.parametrize(
    ("now", "done", "state"),
    [(4, None, "running"), (5, None, "running"), (5.01, None, "overdue"), (9, 4.5, "done"), (9, 6, "done late")],
)
def test_a_clock_runs_is_done_late_or_overdue(now: float, done: float | None, state: str) -> None:
    made = None if done is None else {"dora-initial": done}
    assert due(major(1), made, now)["dora-initial"][0] == state


def test_a_report_of_the_future_is_not_made_yet() -> None:
    assert due(major(1), {"dora-initial": 8}, now=3)["dora-initial"][0] == "running"


@pytest.mark.parametrize(
    ("clock", "incident", "due_after"),
    [
        ("gdpr-33", Incident(AWARE), 72),
        ("nydfs-72h", major(10), 82),
        ("nydfs-ransom", Incident(AWARE, grave=frozenset({"extortion-payment"})), 24),
        ("ai-act-73", Incident(AWARE, grave=frozenset({"serious"})), 15 * 24),
        ("ai-act-73-widespread", Incident(AWARE, grave=frozenset({"widespread"})), 2 * 24),
        ("ai-act-73-death", Incident(AWARE, grave=frozenset({"death"})), 10 * 24),
    ],
)
def test_the_other_clocks(clock: str, incident: Incident, due_after: float) -> None:
    assert due(incident)[clock][1] == at(due_after)


def test_a_clock_of_a_special_case_runs_in_that_case_only() -> None:
    assert set(due(Incident(AWARE))) == {"gdpr-33"}


@pytest.mark.parametrize(
    ("start", "within", "end"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), "1mo", datetime(2026, 2, 28, tzinfo=UTC)),
        (datetime(2027, 12, 15, tzinfo=UTC), "1mo", datetime(2028, 1, 15, tzinfo=UTC)),
        (datetime(2028, 1, 30, tzinfo=UTC), "1mo", datetime(2028, 2, 29, tzinfo=UTC)),
        (datetime(2026, 3, 1, tzinfo=UTC), "72h", datetime(2026, 3, 4, tzinfo=UTC)),
        (datetime(2026, 7, 1, tzinfo=UTC), "6mo", datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_months_are_those_of_the_calendar(start: datetime, within: str, end: datetime) -> None:
    assert add(start, within) == end


def test_every_clock_says_where_it_comes_from() -> None:
    assert all(clock.source and clock.verified for clock in CLOCKS)
    assert len({clock.id for clock in CLOCKS}) == len(CLOCKS)


@pytest.mark.parametrize(
    ("impact", "expected"),
    [
        ({"critical_service": False, "malicious_access": True, "clients": 10**6}, False),
        ({"critical_service": True, "malicious_access": True}, True),
        ({"malicious_access": True}, None),
        ({"critical_service": True}, None),
        (
            {"critical_service": True, "malicious_access": False, "clients": 100_001, "downtime": timedelta(hours=3)},
            True,
        ),
        ({"critical_service": True, "clients_share": 0.11, "member_states": 2}, True),
        ({"critical_service": True, "clients_share": 0.10, "member_states": 1}, None),
        ({"critical_service": True, "counterparts_share": 0.31, "amount_share": 0.2}, None),
        ({"critical_service": True, "data_loss": True, "cost_eur": 100_001}, True),
        ({"critical_service": True, "data_loss": True, "reputation": True}, True),
        ({"critical_service": True, "duration": timedelta(hours=25), "cost_eur": 1e6}, True),
    ],
)
def test_major_by_the_criteria(impact: dict[str, object], expected: bool | None) -> None:
    assert classify(Impact(**impact)).major is expected  # type: ignore[arg-type]


NOTHING = Impact(
    critical_service=True,
    malicious_access=False,
    clients=100_000,
    clients_share=0.10,
    counterparts_share=0.30,
    transactions_share=0.10,
    amount_share=0.10,
    reputation=False,
    duration=timedelta(hours=24),
    downtime=timedelta(hours=2),
    member_states=1,
    data_loss=False,
    cost_eur=100_000,
)


def test_at_the_thresholds_nothing_is_met() -> None:
    found = classify(NOTHING)
    assert found.major is False
    assert all(one.met is False for one in found.criteria)


shares = st.none() | st.sampled_from([0.0, 0.1, 0.100001, 0.5])
impacts = st.builds(
    Impact,
    critical_service=st.sampled_from([None, True, False]),
    malicious_access=st.sampled_from([None, True, False]),
    clients=st.none() | st.sampled_from([0, 100_000, 100_001]),
    clients_share=shares,
    transactions_share=shares,
    reputation=st.sampled_from([None, True, False]),
    downtime=st.none() | st.sampled_from([timedelta(0), timedelta(hours=3)]),
    member_states=st.none() | st.integers(0, 3),
    data_loss=st.sampled_from([None, True, False]),
    cost_eur=st.none() | st.sampled_from([0.0, 1e6]),
)


@given(impacts, st.sampled_from(["data_loss", "reputation", "malicious_access", "critical_service"]), st.booleans())
def test_to_know_more_never_changes_a_decided_answer(impact: Impact, name: str, value: bool) -> None:
    from dataclasses import replace

    before = classify(impact)
    assert before.why
    if before.major is not None and getattr(impact, name) is None:
        assert classify(replace(impact, **{name: value})).major is before.major


@pytest.mark.parametrize(
    ("days", "adds_up"), [([0], False), ([0, 181], True), ([0, 185], False), ([0, 185, 190], True)]
)
def test_small_incidents_of_one_cause_add_up_within_half_a_year(days: list[int], adds_up: bool) -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in days]
    assert recurring(moments) is adds_up
    assert recurring(list(reversed(moments))) is adds_up
    assert DORA_MAJOR.recurring.times == 2
