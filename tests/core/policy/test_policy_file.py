"""policy.yaml: what is refused, with which words, and what its digest covers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.domain import Tier
from holdfast.core.errors import PolicyError
from holdfast.core.policy import Policy

HEAD = "version: 1\nid: test\n"
RULE = "rules:\n  - {id: clean, on: fact, kind: scan.verdict, deny: [blocked]}\n"


def refused(text: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text, "policy.yaml")
    return caught.value


def test_a_misspelt_key_is_answered_with_the_nearest_one() -> None:
    fault = refused(HEAD + "unknown_block: [high]\n" + RULE)
    assert fault.code == "HF-POL-001"
    assert "policy.yaml:3" in fault.message
    assert "unknown_blocks" in fault.fix


def test_a_misspelt_key_of_a_rule_is_answered_from_that_kind_of_rule() -> None:
    fault = refused(HEAD + "rules:\n  - id: r\n    on: fact\n    kind: a.b\n    denny: [x]\n")
    assert (fault.code, fault.fix) == ("HF-POL-001", "did you mean 'deny'?")
    assert "policy.yaml:7" in fault.message
    assert "min" not in fault.cause.split(", ")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("unknown_blocks: [hihg]\n" + RULE, "one of low, medium, high, critical"),
        ("rules:\n  - {id: r, kind: a.b, deny: [x]}\n", "`on: fact`"),
        ("rules:\n  - {id: r, on: fakt, kind: a.b, deny: [x]}\n", "`on: fact`"),
        ("rules:\n  - {id: r, on: fact, kind: a.b}\n", "list values"),
        ("rules:\n  - {id: r, on: fact, kind: a.b, deny: [x], allow: [x]}\n", "listed twice"),
        ("rules:\n  - {id: r, on: fact, kind: a.b, deny: [x], absent: passed}\n", "needs `check:`"),
        ("rules:\n  - {id: r, on: fact, kind: a.b, deny: [2026-01-01]}\n", "quotes around dates"),
        ("rules:\n  - {id: r, on: fact, kind: a.b, deny: [null]}\n", "text, a number"),
        ("rules:\n  - {id: r, on: match, severity: '>= grave'}\n", "an operator and a severity"),
        ("rules:\n  - {id: r, on: match, severity: 7}\n", "an operator and a severity"),
        ("rules:\n  - {id: r, on: measure, name: a.b}\n", "min, max or both"),
        ("rules:\n  - {id: r, on: measure, name: a.b, min: true}\n", "a number is needed"),
        ("rules:\n  - {id: r, on: measure, name: a.b, min: .nan}\n", "finite"),
        ("rules:\n  - {id: r, on: measure, name: a.b, max: .inf}\n", "finite"),
        ("rules:\n  - {id: r, on: measure, name: a.b, min: {}}\n", "at least one tier"),
        ("rules:\n  - {id: r, on: measure, name: a.b, min: {medium: 0.9}, max: {high: 0.5}}\n", "min is above max"),
        ("rules:\n  - {id: required, on: fact, kind: a.b, deny: [x]}\n", "reserved"),
        (RULE + "  - {id: clean, on: fact, kind: a.b, deny: [x]}\n", "two rules are named 'clean'"),
        ("rules: []\n", "decide nothing"),
        ("freshness: {high: {intel: 7}}\n" + RULE, "24h or 7d"),
        ("freshness: {high: {intel: 0d}}\n" + RULE, "24h or 7d"),
        ("isolation: {high: strong}\n" + RULE, "one of none, reduced, full"),
        ("ratchet: [{name: quality.auc, worse_by: -0.1}]\n" + RULE, "greater than or equal to 0"),
        ("rules:\n  - {id: r, on: fact, kind: a.b, deny: [x], technique: T1}\n", "pattern"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_right(body: str, words: str) -> None:
    fault = refused(HEAD + body)
    assert fault.code == "HF-POL-002"
    assert words in fault.cause
    assert "policy.yaml" in fault.message


@pytest.mark.parametrize(
    "text", ["version: 2\nid: test\n" + RULE, "id: test\n" + RULE, "version: 1\n" + RULE, "[]", ""]
)
def test_another_version_or_no_mapping_is_refused(text: str) -> None:
    assert refused(text).code == "HF-POL-002"


@pytest.mark.parametrize("text", ["version: [", "version: 1\nversion: 1\n", "a: &x 1\nb: *x\n", "a: !!python/none x\n"])
def test_what_is_not_plain_yaml_is_refused(text: str) -> None:
    assert refused(text).code == "HF-POL-004"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.load(tmp_path / "none.yaml")
    assert caught.value.code == "HF-POL-003"


def test_an_unknown_built_in_policy_is_answered_with_those_there_are() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.builtin("baselin")
    assert caught.value.code == "HF-POL-008"
    assert "did you mean 'baseline'?" in caught.value.fix


def test_a_ratchet_whose_direction_nobody_knows_is_refused() -> None:
    fault = refused(HEAD + RULE + "ratchet:\n  - {name: own.number, worse_by: 0.1}\n")
    assert fault.code == "HF-POL-007"
    assert "policy.yaml:6" in fault.message


def test_the_built_in_policy_is_sound_and_stable() -> None:
    policy = Policy.builtin("baseline")
    policy.check_cases()
    assert policy.id == "baseline"
    assert policy.unknown_blocks(Tier.HIGH)
    assert not policy.unknown_blocks(Tier.MEDIUM)
    assert policy.digest == Policy.builtin("baseline").digest


@pytest.mark.shared
def test_the_agreed_example_is_read(shared: Path) -> None:
    policy = Policy.load(shared / "examples" / "policy.yaml")
    assert [rule.id for rule in policy.rules] == ["artifact-clean", "no-advisory", "robust-recall"]
    assert policy.isolation(Tier.CRITICAL) == "full"
    assert policy.isolation(Tier.MEDIUM) is None
    assert policy.intel_age(Tier.CRITICAL) == timedelta(hours=24)
    assert policy.required({"tree"}) == ("data.contract", "evasion.search", "scan.artifact")
    assert policy.required({"endpoint"}) == ("endpoint.hygiene", "scan.artifact")


def test_what_holds_at_a_tier_holds_above_it_too() -> None:
    policy = Policy.parse(
        HEAD + RULE + "isolation: {medium: reduced}\nfreshness: {medium: {results: 30d}, critical: {intel: 24h}}\n", "p"
    )
    assert policy.isolation(Tier.LOW) is None
    assert policy.isolation(Tier.CRITICAL) == "reduced"
    assert policy.results_age(Tier.CRITICAL) == timedelta(days=30)
    assert policy.intel_age(Tier.HIGH) is None


MEANING = """\
version: 1
id: test
unknown_blocks: [high, critical]
required: {any: [scan.artifact, data.profile]}
rules:
  - {id: clean, on: fact, kind: scan.verdict, deny: [blocked, odd]}
  - {id: recall, on: measure, name: evasion.robust_recall, at: {linf: 0.005}, min: {high: 0.2}}
ratchet: [{name: quality.auc, worse_by: 0.01}]
cases:
  - {rule: recall, given: {evasion.robust_recall: 0.1}, expect: failed}
  - {rule: recall, given: {evasion.robust_recall: 0.3}, expect: passed}
"""
SAME = """\
# Another layout, another order, more cases, a description
id: test
version: 1
description: words
required:
  any:
    - data.profile
    - scan.artifact
unknown_blocks: [critical, high]
ratchet:
  - worse_by: 0.010
    name: quality.auc
rules:
  - id: recall
    on: measure
    name: evasion.robust_recall
    min: {high: 2.0e-1}
    at: {linf: 0.0050}
  - {id: clean, on: fact, kind: scan.verdict, deny: [odd, blocked]}
cases:
  - {rule: recall, given: {evasion.robust_recall: 0.19}, expect: failed}
  - {rule: recall, given: {evasion.robust_recall: 0.2}, expect: passed}
"""


def test_the_digest_is_of_the_meaning() -> None:
    assert Policy.parse(MEANING, "a").digest == Policy.parse(SAME, "b").digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("high: 0.2}", "high: 0.21}"),
        ("high: 0.2}", "medium: 0.2}"),
        ("[high, critical]", "[critical]"),
        ("linf: 0.005", "linf: 0.006"),
        ("worse_by: 0.01", "worse_by: 0.02"),
        ("deny: [blocked, odd]", "deny: [blocked], unknown: [odd]"),
        ("scan.artifact, data.profile", "scan.artifact"),
        ("id: clean", "id: cleaner"),
    ],
)
def test_a_change_of_meaning_changes_the_digest(old: str, new: str) -> None:
    assert old in MEANING
    assert Policy.parse(MEANING.replace(old, new), "a").digest != Policy.parse(MEANING, "a").digest


def test_required_scanning_implies_that_its_verdict_is_judged(build: Any) -> None:
    assert "scan-verdict" in [rule.id for rule in build.policy("required: {any: [scan.artifact]}").rules]
    assert "scan-verdict" not in [rule.id for rule in build.policy("required: {any: [data.profile]}").rules]
