"""Every exit code of the gate."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.domain import Verdict
from holdfast.gate import decide

PASSED, UNKNOWN, FAILED = Verdict.PASSED, Verdict.UNKNOWN, Verdict.FAILED
OUTCOMES = [(PASSED, False), (UNKNOWN, False), (UNKNOWN, True), (FAILED, True)]


@pytest.mark.parametrize(
    ("outcomes", "verdict", "blocks", "code"),
    [
        ([(PASSED, False)], PASSED, False, 0),
        ([(UNKNOWN, False)], UNKNOWN, False, 0),
        ([(UNKNOWN, True)], UNKNOWN, True, 3),
        ([(FAILED, True)], FAILED, True, 1),
        ([(PASSED, False), (FAILED, True)], FAILED, True, 1),
        ([(UNKNOWN, True), (FAILED, True)], FAILED, True, 1),
        ([(PASSED, False), (UNKNOWN, True)], UNKNOWN, True, 3),
        ([(PASSED, False), (UNKNOWN, False)], UNKNOWN, False, 0),
        ([], UNKNOWN, True, 3),
    ],
)
def test_the_worst_verdict_decides(
    desk: Any, outcomes: list[tuple[Verdict, bool]], verdict: Verdict, blocks: bool, code: int
) -> None:
    decision = decide([desk.judgement(*outcome) for outcome in outcomes])
    assert (decision.verdict, decision.blocks, decision.exit_code) == (verdict, blocks, code)


def test_an_answer_holds_as_long_as_its_shortest_part(desk: Any) -> None:
    early, late = desk.now + timedelta(days=1), desk.now + timedelta(days=9)
    ends = [desk.judgement(valid_until=end) for end in (late, None, early)]
    assert decide(ends).valid_until == early
    assert decide([desk.judgement(valid_until=None)]).valid_until is None


@given(st.lists(st.sampled_from(OUTCOMES)), st.sampled_from(OUTCOMES))
def test_another_model_never_opens_a_closed_gate(
    desk: Any, outcomes: list[tuple[Verdict, bool]], one: tuple[Verdict, bool]
) -> None:
    before = decide([desk.judgement(*outcome) for outcome in outcomes])
    after = decide([desk.judgement(*outcome) for outcome in (*outcomes, one)])
    assert not before.blocks or after.blocks or not outcomes
    assert after.exit_code == {PASSED: 0, FAILED: 1}.get(after.verdict, 3 if after.blocks else 0)
