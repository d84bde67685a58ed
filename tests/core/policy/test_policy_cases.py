"""A policy's own examples: those that must be there, those that fail, those that make no sense."""

from __future__ import annotations

import pytest

from holdfast.core.errors import PolicyError
from holdfast.core.policy import Policy

HEAD = "version: 1\nid: test\n"
RECALL = "rules:\n  - {id: recall, on: measure, name: a.recall, min: {medium: 0.05, high: 0.2}}\n"
FIRES = "  - {rule: recall, tier: high, given: {a.recall: 0.1}, expect: failed}\n"
PASSES = "  - {rule: recall, tier: high, given: {a.recall: 0.3}, expect: passed}\n"


def refused(body: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(HEAD + body, "policy.yaml")
    return caught.value


def test_both_cases_make_a_rule_trusted() -> None:
    Policy.parse(HEAD + RECALL + "cases:\n" + FIRES + PASSES, "policy.yaml").check_cases()


@pytest.mark.parametrize(
    ("cases", "words"),
    [("", "does not fire"), ("cases:\n" + FIRES, "does not fire"), ("cases:\n" + PASSES, "fires")],
)
def test_a_missing_case_is_refused(cases: str, words: str) -> None:
    fault = refused(RECALL + cases)
    assert fault.code == "HF-POL-006"
    assert words in fault.message
    assert "policy.yaml:4" in fault.message
    assert "rule: recall" in fault.fix


def test_a_bound_on_the_wrong_side_is_caught_by_its_cases() -> None:
    fault = refused(RECALL.replace("min:", "max:") + "cases:\n" + FIRES + PASSES)
    assert fault.code == "HF-POL-005"
    assert "expects failed and gives passed" in fault.message
    assert "policy.yaml:6" in fault.message


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("{rule: recal, given: {a.recall: 1}, expect: passed}", "did you mean 'recall'?"),
        ("{rule: recall, given: {a.recal: 1}, expect: passed}", "did you mean 'a.recall'?"),
        ("{rule: recall, given: {a.recall: high}, expect: passed}", "write a number"),
        ("{rule: recall, given: {a.recall: true}, expect: passed}", "write a number"),
        ("{rule: recall, given: {a.recall: 1}, baseline: {a.recall: 1}, expect: passed}", "remove `baseline:`"),
    ],
)
def test_a_case_that_cannot_be_run_is_refused(case: str, words: str) -> None:
    fault = refused(RECALL + "cases:\n" + FIRES + PASSES + f"  - {case}\n")
    assert (fault.code, words in fault.fix) == ("HF-POL-005", True)
    assert "policy.yaml:8" in fault.message


def test_a_case_without_a_tier_is_tried_at_the_highest_one() -> None:
    cases = FIRES.replace("tier: high, ", "") + PASSES.replace("tier: high, ", "")
    Policy.parse(HEAD + RECALL + "cases:\n" + cases, "policy.yaml")


def test_a_case_below_the_lowest_bound_does_not_fire() -> None:
    low = "  - {rule: recall, tier: low, given: {a.recall: 0.0}, expect: passed}\n"
    Policy.parse(HEAD + RECALL + "cases:\n" + FIRES + low, "policy.yaml")


def test_facts_and_matches_are_tried_on_their_own_lists() -> None:
    Policy.parse(HEAD + "rules:\n  - {id: r, on: match, severity: '>= high'}\n", "p")
    Policy.parse(HEAD + "rules:\n  - {id: r, on: fact, kind: a.b, allow: [x]}\n", "p")
    Policy.parse(HEAD + "rules:\n  - {id: r, on: fact, kind: a.b, absent: failed}\n", "p")


@pytest.mark.parametrize(
    "rule",
    [
        "{id: r, on: match, severity: '> critical'}",
        "{id: r, on: fact, kind: a.b, allow: ['a value that is in no list']}",
    ],
)
def test_a_rule_that_can_only_say_one_thing_is_refused(rule: str) -> None:
    fault = refused(f"rules:\n  - {rule}\n")
    assert fault.code == "HF-POL-006"
    assert "always says the same" in fault.fix


@pytest.mark.parametrize(
    ("value", "code"), [("high", None), ("none", None), ("grave", "HF-POL-005"), ("3", "HF-POL-005")]
)
def test_a_match_case_gives_a_severity(value: str, code: str | None) -> None:
    expect = "failed" if value == "high" else "passed"
    body = "rules:\n  - {id: r, on: match, severity: '>= high'}\ncases:\n"
    text = f"{HEAD}{body}  - {{rule: r, given: {{match: {value}}}, expect: {expect}}}\n"
    if code is None:
        Policy.parse(text, "p")
    else:
        with pytest.raises(PolicyError) as caught:
            Policy.parse(text, "p")
        assert caught.value.code == code


RATCHET = "required: {any: [a.check]}\nratchet: [{name: quality.auc, worse_by: 0.01}]\ncases:\n"


def test_a_ratchet_case_compares_with_its_baseline() -> None:
    good = (
        "  - {rule: 'ratchet:quality.auc', given: {quality.auc: 0.7}, baseline: {quality.auc: 0.8}, expect: failed}\n"
    )
    Policy.parse(HEAD + RATCHET + good, "p")
    assert refused(RATCHET + good.replace("failed", "passed")).code == "HF-POL-005"


def test_a_ratchet_case_needs_its_baseline() -> None:
    fault = refused(RATCHET + "  - {rule: 'ratchet:quality.auc', given: {quality.auc: 0.7}, expect: failed}\n")
    assert "baseline" in fault.fix
