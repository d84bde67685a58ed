"""Worst wins, nothing shown is unknown, and a finding keeps its identity."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.domain import Verdict, fingerprint

VERDICTS = st.lists(st.sampled_from(Verdict), max_size=8)


@given(VERDICTS)
def test_worst_wins(verdicts: list[Verdict]) -> None:
    worst = Verdict.worst(verdicts)
    if Verdict.FAILED in verdicts:
        assert worst is Verdict.FAILED
    elif Verdict.UNKNOWN in verdicts or not verdicts:
        assert worst is Verdict.UNKNOWN
    else:
        assert worst is Verdict.PASSED


@given(VERDICTS.filter(bool), VERDICTS.filter(bool))
def test_verdicts_combine_in_any_grouping(first: list[Verdict], second: list[Verdict]) -> None:
    assert Verdict.worst([Verdict.worst(first), Verdict.worst(second)]) is Verdict.worst([*first, *second])


def test_a_fingerprint_depends_on_each_of_its_parts_and_on_nothing_else() -> None:
    parts = [("a", "b"), ("evasion.search", "scan.artifact"), ("AML.T0015", None), ("", "x")]
    prints = {fingerprint(*combination) for combination in itertools.product(*parts)}
    assert len(prints) == 16
    assert fingerprint("a", "b", None, "c") == fingerprint("a", "b", None, "c")


@pytest.mark.parametrize("parts", [("ab", "c", None, ""), ("a", "bc", None, ""), ("a", "b", "c", "")])
def test_parts_do_not_run_into_each_other(parts: tuple[str, str, str | None, str]) -> None:
    others = {("ab", "c", None, ""), ("a", "bc", None, ""), ("a", "b", "c", "")} - {parts}
    assert fingerprint(*parts) not in {fingerprint(*other) for other in others}
