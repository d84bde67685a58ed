"""Sprints take what fits in the order of rank, say what they leave, burn down by proof, and end."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from holdfast.backlog.lifecycle import claim, person
from holdfast.backlog.queries import sprint_view, sprints_view
from holdfast.backlog.sprints import Plan, close, create, plan
from holdfast.core.domain import Finding, Severity
from holdfast.core.domain.backlog import ItemState, Sprint
from holdfast.core.errors import UsageError

from .conftest import Estate, finding

FIRST, LAST = date(2026, 1, 5), date(2026, 1, 9)
CHECKS = ("evasion.search", "data.contract", "deps.advisories")


def found() -> list[Finding]:
    """8, 3 and 2 points, most urgent first."""
    worst = finding("evasion.search", severity=Severity.CRITICAL)
    return [worst, finding("deps.advisories"), finding("data.contract", technique=None)]


def estate_of_three(estate: Estate) -> list[Finding]:
    estate.model()
    estate.see("evasion.search", success=0.9)
    estate.see("data.contract")
    estate.see("deps.advisories")
    estate.judge(*found())
    return found()


def made(estate: Estate, capacity: int = 10, name: str = "s1") -> Sprint:
    return estate.do(lambda tx: create(tx, name, FIRST, LAST, capacity, "ana"))


def planned(estate: Estate, *, keep: bool = True) -> Plan:
    return estate.do(lambda tx: plan(tx, "s1", "ana", keep=keep))


def test_a_plan_takes_what_fits_and_explains_what_does_not(estate: Estate) -> None:
    estate_of_three(estate)
    made(estate, 10)
    told = planned(estate, keep=False)
    assert [item.points for item in told.taken] == [8, 2]
    assert estate.item(found()[0]).state is ItemState.OPEN, "nothing was recorded"
    taken = planned(estate)
    assert (taken.used, [item.points for item in taken.taken]) == (10, [8, 2])
    assert [(left.item.points, left.why) for left in taken.left] == [(3, "it needs 3 points, 0 are left")]
    assert planned(estate).taken == (), "planning again takes nothing twice"
    assert estate.item(found()[0]).state is ItemState.PLANNED


def test_a_board_and_a_burn_down_follow_the_proof(estate: Estate) -> None:
    _, deps, data = estate_of_three(estate)
    made(estate, 20)
    planned(estate)
    estate.later(days=1)
    estate.move(lambda tx, item: claim(tx, item, person("ana"), "done"), deps)
    estate.later(days=1)
    estate.see("evasion.search", success=0.0)
    estate.judge(deps, data)
    estate.later(hours=1)
    view = estate.do(lambda tx: sprint_view(tx, "s1", estate.clock()))
    counts = {column.state: (len(column.items), column.points) for column in view.board if column.items}
    assert counts == {ItemState.PLANNED: (1, 3), ItemState.CLAIMED: (1, 2), ItemState.PROVEN: (1, 8)}
    left, unclaimed, pace = view.burn_down.series
    assert left.points == ((0, 13), (1, 13), (2, 5))
    assert unclaimed.points == ((0, 13), (1, 11), (2, 3))
    assert (pace.points[0], pace.points[-1]) == ((0, 13), (4, 0))
    assert len(view.burn_down.table()[1]) == 3 + 3 + 5
    assert (view.sprint.points, view.sprint.proven_points) == (13, 8)
    early = estate.do(lambda tx: sprint_view(tx, "s1", estate.clock() - timedelta(days=1)))
    assert early.sprint.proven_points == 0


def test_closing_sends_claims_back_and_keeps_the_picture(estate: Estate) -> None:
    worst, deps, data = estate_of_three(estate)
    made(estate, 20)
    planned(estate)
    estate.later(days=1)
    estate.move(lambda tx, item: claim(tx, item, person("ana"), "done"), deps)
    estate.see("evasion.search", success=0.0)
    estate.judge(deps, data)
    estate.later(days=1)
    ended = estate.do(lambda tx: close(tx, "s1", "ana"))
    assert [item.fingerprint for item in ended.proven] == [worst.fingerprint]
    assert [item.fingerprint for item in ended.returned] == [deps.fingerprint]
    assert (estate.item(deps).state, estate.item(deps).sprint) == (ItemState.ACTIVE, None)
    assert (estate.item(data).state, estate.item(data).sprint) == (ItemState.OPEN, None)
    assert estate.steps(deps)[-2:] == ["returned", "released"]
    view = estate.do(lambda tx: sprint_view(tx, "s1", estate.clock()))
    assert view.sprint.points == 13, "a closed sprint is shown as it was"
    assert view.burn_down.series[0].points[-1] == (2, 5)
    with pytest.raises(UsageError) as caught:
        planned(estate)
    assert caught.value.code == "HF-BLG-011"
    (row,) = estate.do(sprints_view).sprints
    assert (row.items, row.proven_points, row.closed_at) == (3, 8, estate.clock())


def test_what_is_not_on_what_serves_is_not_planned(one: Estate) -> None:
    one.model(versions="v1 v2")
    one.see("evasion.search", success=0.0)
    one.judge()
    one.deploy("v1")
    one.see("evasion.search", "v2", success=0.9)
    one.judge(finding(), version="v2")
    made(one)
    told = planned(one)
    assert told.taken == ()
    assert told.left[0].why == "it is only on versions that do not serve"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": ""}, "printable"),
        ({"name": "a\nb"}, "printable"),
        ({"name": "x" * 81}, "printable"),
        ({"name": "s1"}, "already"),
        ({"ends": date(2026, 1, 4)}, "0 days"),
        ({"ends": date(2027, 1, 4)}, "365 days"),
        ({"capacity": 0}, "capacity"),
        ({"capacity": 10_001}, "capacity"),
    ],
)
def test_impossible_sprints_are_refused(one: Estate, changes: dict[str, Any], says: str) -> None:
    made(one)
    said = {"name": "s2", "starts": FIRST, "ends": LAST, "capacity": 5, "who": "ana", **changes}
    with pytest.raises(UsageError) as caught:
        one.do(lambda tx: create(tx, **said))
    assert caught.value.code == "HF-BLG-010"
    assert says in caught.value.cause
    with pytest.raises(UsageError) as unknown:
        one.do(lambda tx: plan(tx, "nope", "ana"))
    assert unknown.value.code == "HF-BLG-004"
