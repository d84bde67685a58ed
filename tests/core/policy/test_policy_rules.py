"""Each kind of rule on its own: what fires, what does not, what cannot be told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from holdfast.core.domain import Fact, Measurement, Severity, Tier, Verdict, VersionRange
from holdfast.core.policy import Baseline

CLEAN = "rules:\n  - {id: clean, on: fact, kind: scan.verdict, deny: [blocked], unknown: [odd], technique: AML.T0010}\n"


def share(name: str, value: float, at: Mapping[str, float] | None = None, unit: str = "share") -> Measurement:
    return Measurement(name, value, unit, at or {})


def recall(bounds: str) -> str:
    return (
        f"rules:\n  - {{id: recall, on: measure, name: a.recall, {bounds}}}\ncases:\n"
        "  - {rule: recall, tier: critical, given: {a.recall: -1}, expect: failed}\n"
        "  - {rule: recall, tier: critical, given: {a.recall: 0.5}, expect: passed}\n"
    )


@pytest.mark.parametrize(
    ("lists", "value", "verdict"),
    [
        ("deny: [a]", "a", Verdict.FAILED),
        ("deny: [a]", "b", Verdict.PASSED),
        ("deny: [a]", "unknown", Verdict.UNKNOWN),
        ("deny: [a]", "review", Verdict.UNKNOWN),
        ("deny: [a, review]", "review", Verdict.FAILED),
        ("allow: [review, a]", "review", Verdict.PASSED),
        ("allow: [a]", "b", Verdict.FAILED),
        ("allow: [a], deny: [b]", "c", Verdict.UNKNOWN),
        ("unknown: [a]", "a", Verdict.UNKNOWN),
        ("unknown: [a]", "b", Verdict.PASSED),
        ("allow: [1]", 1, Verdict.PASSED),
        ("allow: [1]", True, Verdict.FAILED),
        ("deny: [true]", 1, Verdict.PASSED),
        ("allow: [0.5]", 0.5, Verdict.PASSED),
    ],
)
def test_a_value_is_denied_allowed_or_left_open(build: Any, lists: str, value: Any, verdict: Verdict) -> None:
    body = f"rules:\n  - {{id: r, on: fact, kind: a.b, {lists}}}\n"
    assert build.judge(body, build.record("check", Fact("a.b", value))).verdict is verdict


def test_the_worst_of_several_values_counts_and_one_finding_names_the_place(build: Any) -> None:
    facts = [Fact("a.b", "bad", member="m.pkl", offset=at) for at in range(3)] + [
        Fact("a.b", "fine"),
        Fact("a.b", "odd"),
    ]
    body = "rules:\n  - {id: r, on: fact, kind: a.b, deny: [bad], unknown: [odd], technique: AML.T0010}\n"
    judged = build.judge(body, build.record("check", *facts))
    assert judged.verdict is Verdict.FAILED
    assert [(found.check, found.location, found.technique) for found in judged.findings] == [
        ("check", "m.pkl#a.b", "AML.T0010")
    ]
    assert {reason.verdict for reason in judged.reasons} == {Verdict.FAILED, Verdict.UNKNOWN}


def test_a_fact_that_nobody_stated_is_unknown(build: Any) -> None:
    assert build.judge(CLEAN, build.record("other")).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("record", "verdict"), [("measured", Verdict.PASSED), ("unknown", Verdict.UNKNOWN), ("none", Verdict.UNKNOWN)]
)
def test_absence_is_only_believed_when_the_check_could_see(build: Any, record: str, verdict: Verdict) -> None:
    body = "rules:\n  - {id: r, on: fact, kind: a.b, deny: [x], absent: passed, check: the.check}\n"
    seen = build.record("the.check" if record != "none" else "other", unknown="blind" if record == "unknown" else None)
    assert build.judge(body, seen).verdict is verdict


def test_a_fact_that_must_be_there(build: Any) -> None:
    body = "rules:\n  - {id: r, on: fact, kind: a.signed, absent: failed}\n"
    missing = build.judge(body, build.record("check"))
    assert (missing.verdict, len(missing.findings)) == (Verdict.FAILED, 1)
    assert build.judge(body, build.record("check", Fact("a.signed", True))).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("tier", "value", "verdict"),
    [
        (Tier.LOW, 0.0, None),
        (Tier.MEDIUM, 0.04, Verdict.FAILED),
        (Tier.MEDIUM, 0.05, Verdict.PASSED),
        (Tier.HIGH, 0.19, Verdict.FAILED),
        (Tier.HIGH, 0.2, Verdict.PASSED),
        (Tier.CRITICAL, 0.19, Verdict.FAILED),
    ],
)
def test_a_bound_holds_from_its_tier_upward(build: Any, tier: Tier, value: float, verdict: Verdict | None) -> None:
    body = recall("min: {medium: 0.05, high: 0.2}")
    judged = build.judge(body, build.record("check", share("a.recall", value)), tier=tier)
    # Below the lowest bound nothing was decided, which is unknown and not passed.
    assert judged.verdict is (verdict or Verdict.UNKNOWN)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_unknown(build: Any, value: float) -> None:
    assert build.judge(recall("min: 0.1"), build.record("c", share("a.recall", value))).verdict is Verdict.UNKNOWN


def test_another_unit_is_unknown(build: Any) -> None:
    body = recall("min: 0.1, unit: share")
    assert build.judge(body, build.record("c", share("a.recall", 30.0, unit="percent"))).verdict is Verdict.UNKNOWN
    assert build.judge(body, build.record("c", share("a.recall", 0.3))).verdict is Verdict.PASSED


def test_a_rule_at_a_point_reads_that_point_only(build: Any) -> None:
    body = recall("min: 0.1, at: {linf: 0.005}")
    near, far = share("a.recall", 0.5, {"linf": 0.005, "l0": 3}), share("a.recall", 0.0, {"linf": 0.01})
    assert build.judge(body, build.record("c", near, far)).verdict is Verdict.PASSED
    assert build.judge(body, build.record("c", far)).verdict is Verdict.UNKNOWN
    assert build.judge(recall("min: 0.1"), build.record("c", near, far)).verdict is Verdict.FAILED


def test_a_rule_for_some_models_leaves_the_others_alone(build: Any) -> None:
    body = recall("min: 0.1, models: [tree]") + "required: {any: [c]}\n"
    assert build.judge(body, build.record("c"), kinds=["tree"]).verdict is Verdict.UNKNOWN
    assert build.judge(body, build.record("c"), kinds=["opaque"]).verdict is Verdict.PASSED


MATCH = "rules:\n  - {id: known, on: match, severity: '>= high', tiers: [high]}\nrequired: {any: [deps.advisories]}\n"


def lock(build: Any, *purls: str, loose: tuple[str, ...] = ()) -> Any:
    facts = [Fact("package", purl) for purl in purls] + [Fact("package.unpinned", line) for line in loose]
    return build.record("deps.advisories", *facts)


@pytest.mark.parametrize(
    ("purl", "verdict"),
    [
        ("pkg:pypi/torch@2.5.0", Verdict.FAILED),
        ("pkg:pypi/Torch@2.5.0+cpu", Verdict.FAILED),
        ("pkg:pypi/torch@2.6.0", Verdict.PASSED),
        ("pkg:pypi/torch@banana", Verdict.UNKNOWN),
        ("pkg:pypi/torch", Verdict.UNKNOWN),
        ("pkg:pypi/numpy@banana", Verdict.PASSED),
        ("pkg:generic/torch@2.6.0", Verdict.UNKNOWN),
        ("torch==2.6.0", Verdict.UNKNOWN),
    ],
)
def test_a_pinned_package_is_joined_with_advisories(build: Any, purl: str, verdict: Verdict) -> None:
    intel = build.intel(build.advisory("torch"), build.advisory("numpy", Severity.MEDIUM, name="PYSEC-2"))
    assert build.judge(MATCH, lock(build, purl), intel=intel).verdict is verdict


def test_new_intelligence_changes_the_verdict_without_a_new_observation(build: Any) -> None:
    seen = lock(build, "pkg:pypi/torch@2.5.0")
    assert build.judge(MATCH, seen).verdict is Verdict.PASSED
    judged = build.judge(MATCH, seen, intel=build.intel(build.advisory("torch")))
    assert judged.verdict is Verdict.FAILED
    assert [(found.severity, found.location) for found in judged.findings] == [
        (Severity.CRITICAL, "pkg:pypi/torch#PYSEC-1")
    ]


def test_the_fingerprint_of_a_match_outlives_the_version(build: Any) -> None:
    intel = build.intel(build.advisory("torch"))
    prints = {
        build.judge(MATCH, lock(build, f"pkg:pypi/torch@{version}"), intel=intel).findings[0].fingerprint
        for version in ("2.4", "2.5")
    }
    assert len(prints) == 1


@pytest.mark.parametrize(
    ("line", "verdict"), [("torch>=2", Verdict.UNKNOWN), ("numpy>=2", Verdict.PASSED), ("-e .", Verdict.UNKNOWN)]
)
def test_a_line_that_pins_nothing_is_open_where_an_advisory_is(build: Any, line: str, verdict: Verdict) -> None:
    seen = lock(build, "pkg:pypi/scipy@1.0", loose=(line,))
    assert build.judge(MATCH, seen, intel=build.intel(build.advisory("torch"))).verdict is verdict


ABOUT = "rules:\n  - {{id: known, on: match, about: {}, severity: '>= info'}}\nrequired: {{any: [deps.advisories]}}\n"
EVERY, SOME = VersionRange(), VersionRange(fixed="2.0")


@pytest.mark.parametrize(
    ("about", "name", "verdict"),
    [
        ("any", "MAL-1", Verdict.FAILED),
        ("any", "PYSEC-1", Verdict.FAILED),
        ("malware", "MAL-1", Verdict.FAILED),
        ("malware", "PYSEC-1", Verdict.PASSED),
        ("weakness", "MAL-1", Verdict.PASSED),
        ("weakness", "PYSEC-1", Verdict.FAILED),
    ],
)
def test_a_rule_may_be_about_malware_or_weaknesses_alone(build: Any, about: str, name: str, verdict: Verdict) -> None:
    intel = build.intel(build.advisory("evil", Severity.LOW, SOME, name=name))
    assert build.judge(ABOUT.format(about), lock(build, "pkg:pypi/evil@1.0"), intel=intel).verdict is verdict
    unclear = Verdict.UNKNOWN if verdict is Verdict.FAILED else verdict
    assert build.judge(ABOUT.format(about), lock(build, loose=("evil>=1",)), intel=intel).verdict is unclear


@pytest.mark.parametrize(("name", "verdict"), [("MAL-1", Verdict.FAILED), ("PYSEC-1", Verdict.UNKNOWN)])
def test_of_what_is_malware_in_every_release_no_version_has_to_be_known(
    build: Any, name: str, verdict: Verdict
) -> None:
    intel = build.intel(build.advisory("evil", Severity.CRITICAL, EVERY, name=name))
    for seen in (lock(build, loose=("Evil>=1",)), lock(build, "pkg:pypi/evil@banana")):
        assert build.judge(ABOUT.format("any"), seen, intel=intel).verdict is verdict
    judged = build.judge(ABOUT.format("any"), lock(build, loose=("Evil>=1",)), intel=intel)
    assert [found.message for found in judged.findings] == (
        ["evil of any version: MAL-1, runs code"] if verdict is Verdict.FAILED else []
    )


def test_malware_and_a_weakness_are_told_apart_in_the_reason_and_what_to_do(build: Any) -> None:
    weak, evil = build.advisory("torch"), build.advisory("evil", Severity.CRITICAL, EVERY, name="MAL-1")
    seen = lock(build, "pkg:pypi/torch@2.5.0", "pkg:pypi/evil@1.0")
    (reason,) = build.judge(ABOUT.format("any"), seen, intel=build.intel(weak, evil)).reasons
    assert reason.why == "malware: evil 1.0 by MAL-1; hit by known advisories: torch 2.5.0 by PYSEC-1"
    assert reason.fix.startswith("remove evil, and replace every secret")
    assert "not affected of: torch" in reason.fix


def test_an_empty_or_unread_lock_file_is_unknown(build: Any) -> None:
    assert build.judge(MATCH, lock(build)).verdict is Verdict.UNKNOWN
    assert build.judge(MATCH, build.record("deps.advisories", unknown="not a lock file")).verdict is Verdict.UNKNOWN


ABSENT = "rules:\n  - {id: known, on: match, severity: critical, absent: passed}\nrequired: {any: [c]}\n"


def test_a_model_without_a_lock_file_may_pass_and_one_whose_file_was_not_read_may_not(build: Any) -> None:
    assert build.judge(ABSENT, build.record("c")).verdict is Verdict.PASSED
    broken = build.attempt("deps.advisories")
    assert build.judge(ABSENT, build.record("c"), attempts=[broken]).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        (">= high", {"high", "critical"}),
        ("> medium", {"high", "critical"}),
        ("== low", {"low"}),
        ("info", {"info"}),
        (">=critical", {"critical"}),
    ],
)
def test_severity_expressions(build: Any, test: str, holds: set[str]) -> None:
    rule = build.policy(f"rules:\n  - {{id: r, on: match, severity: '{test}'}}\n").rules[0]
    assert {word.value for word in Severity if rule.severity.holds(word)} == holds


RATCHET = "required: {any: [c]}\nratchet:\n  - {name: quality.auc, worse_by: 0.01}\n"


def before(*numbers: Measurement) -> Baseline:
    return Baseline("deployed sha256:1", "sha256:1", numbers)


@pytest.mark.parametrize(
    ("new", "verdict"), [(0.8, Verdict.PASSED), (0.79, Verdict.PASSED), (0.789, Verdict.FAILED), (0.9, Verdict.PASSED)]
)
def test_a_version_may_not_be_worse_beyond_the_tolerance(build: Any, new: float, verdict: Verdict) -> None:
    judged = build.judge(
        RATCHET, build.record("c", share("quality.auc", new)), baseline=before(share("quality.auc", 0.8))
    )
    assert judged.verdict is verdict


@pytest.mark.parametrize(("old", "tolerance"), [(0.25, 0.02), (0.3, 0.1), (1.1, 0.1), (0.7, 0.01)])
def test_a_loss_of_exactly_the_tolerance_is_allowed_in_decimal(build: Any, old: float, tolerance: float) -> None:
    body = f"required: {{any: [c]}}\nratchet:\n  - {{name: quality.auc, worse_by: {tolerance}}}\n"
    seen = build.record("c", share("quality.auc", round(old - tolerance, 10)))
    assert build.judge(body, seen, baseline=before(share("quality.auc", old))).verdict is Verdict.PASSED


def test_the_direction_is_declared_derived_or_known(build: Any) -> None:
    known = "required: {any: [c]}\nratchet: [{name: data.contract.broken_share, worse_by: 0}]\n"
    declared = "required: {any: [c]}\nratchet: [{name: own.loss, worse_by: 0, worse: higher}]\n"
    derived = (
        "ratchet: [{name: own.loss, worse_by: 0}]\nrules: [{id: r, on: measure, name: own.loss, max: 9}]\ncases:\n"
        "  - {rule: r, given: {own.loss: 10}, expect: failed}\n  - {rule: r, given: {own.loss: 1}, expect: passed}\n"
    )
    for name, body in (("data.contract.broken_share", known), ("own.loss", declared), ("own.loss", derived)):
        for new, verdict in ((0.2, Verdict.FAILED), (0.05, Verdict.PASSED)):
            judged = build.judge(body, build.record("c", share(name, new)), baseline=before(share(name, 0.1)))
            assert judged.verdict is verdict


def test_each_point_of_the_baseline_is_compared_with_its_own(build: Any) -> None:
    body = "required: {any: [c]}\nratchet: [{name: evasion.robust_recall, worse_by: 0.02}]\n"
    old = before(
        share("evasion.robust_recall", 0.5, {"linf": 0.001}), share("evasion.robust_recall", 0.2, {"linf": 0.01})
    )
    same = [share("evasion.robust_recall", 0.5, {"linf": 0.001}), share("evasion.robust_recall", 0.2, {"linf": 0.01})]
    swapped = [
        share("evasion.robust_recall", 0.2, {"linf": 0.001}),
        share("evasion.robust_recall", 0.5, {"linf": 0.01}),
    ]
    assert build.judge(body, build.record("c", *same), baseline=old).verdict is Verdict.PASSED
    assert build.judge(body, build.record("c", *swapped), baseline=old).verdict is Verdict.FAILED
    assert build.judge(body, build.record("c", same[0]), baseline=old).verdict is Verdict.UNKNOWN
    more = [*same, share("evasion.robust_recall", 0.0, {"linf": 0.01, "l0": 9})]
    assert build.judge(body, build.record("c", *more), baseline=old).verdict is Verdict.PASSED


@pytest.mark.parametrize("new", [share("quality.auc", 0.9, unit="percent"), share("quality.auc", math.nan)])
def test_what_cannot_be_compared_is_unknown(build: Any, new: Measurement) -> None:
    judged = build.judge(RATCHET, build.record("c", new), baseline=before(share("quality.auc", 0.8)))
    assert judged.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("baseline", [None, before(), before(share("other.name", 1.0))])
def test_no_baseline_is_said_and_does_not_block(build: Any, baseline: Baseline | None) -> None:
    judged = build.judge(RATCHET, build.record("c", share("quality.auc", 0.1)), baseline=baseline, tier=Tier.CRITICAL)
    assert (judged.verdict, judged.blocks) == (Verdict.PASSED, False)
    assert [("no baseline" in reason.why, reason.blocking) for reason in judged.reasons] == [(True, False)]


def test_the_whole_range_is_affected_when_no_bound_is_given(build: Any) -> None:
    intel = build.intel(build.advisory("torch", Severity.HIGH, VersionRange()))
    assert build.judge(MATCH, lock(build, "pkg:pypi/torch@99"), intel=intel).verdict is Verdict.FAILED
