"""The judge as a whole: what a policy always demands, and the laws that every judgement obeys."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.domain import Fact, Measurement, Recorded, Tier, Verdict
from holdfast.core.policy import Baseline, Policy, judge, newest, rule_names

BODY = """\
unknown_blocks: [high, critical]
isolation: {high: reduced, critical: full}
freshness: {high: {intel: 7d, results: 30d}, critical: {intel: 24h, results: 7d}}
required: {any: [scan.artifact], tree: [evasion.search]}
rules:
  - {id: clean, on: fact, kind: scan.verdict, deny: [blocked], unknown: [review, unknown]}
  - {id: known, on: match, severity: '>= high', absent: passed}
  - {id: recall, on: measure, name: evasion.robust_recall, min: {medium: 0.05, high: 0.2}, models: [tree]}
ratchet:
  - {name: quality.auc, worse_by: 0.01}
cases:
  - {rule: recall, tier: high, given: {evasion.robust_recall: 0.1}, expect: failed}
  - {rule: recall, tier: high, given: {evasion.robust_recall: 0.3}, expect: passed}
"""
ORDER = list(Verdict)


def scan(build: Any, verdict: str = "clean", **more: Any) -> Recorded:
    record: Recorded = build.record("scan.artifact", Fact("scan.verdict", verdict), **more)
    return record


def evasion(build: Any, value: float = 0.5, **more: Any) -> Recorded:
    record: Recorded = build.record("evasion.search", Measurement("evasion.robust_recall", value, "share"), **more)
    return record


def test_nothing_observed_is_unknown_and_blocks_where_the_tier_says_so(build: Any) -> None:
    for tier, blocks in ((Tier.LOW, False), (Tier.MEDIUM, False), (Tier.HIGH, True), (Tier.CRITICAL, True)):
        judged = build.judge(BODY, tier=tier)
        assert (judged.verdict, judged.blocks) == (Verdict.UNKNOWN, blocks)
        assert all(reason.blocking is blocks for reason in judged.reasons if reason.verdict is Verdict.UNKNOWN)


def test_everything_in_order_passes(build: Any) -> None:
    judged = build.judge(BODY, scan(build), evasion(build), kinds=["tree"])
    assert (judged.verdict, judged.blocks) == (Verdict.PASSED, False)
    assert [reason.rule for reason in judged.reasons] == ["ratchet"]


def test_failed_blocks_at_every_tier(build: Any) -> None:
    for tier in Tier:
        judged = build.judge(BODY, scan(build, "blocked"), tier=tier)
        assert (judged.verdict, judged.blocks) == (Verdict.FAILED, True)


@pytest.mark.parametrize("kinds", [["tree"], ["tree", "endpoint"]])
def test_a_required_check_that_is_missing_is_unknown_with_the_next_thing_to_type(build: Any, kinds: list[str]) -> None:
    judged = build.judge(BODY, scan(build), kinds=kinds)
    reasons = {reason.rule: reason for reason in judged.reasons}
    assert judged.verdict is Verdict.UNKNOWN
    assert "evasion.search" in reasons["required"].why
    assert reasons["required"].next_command == "holdfast audit credit"


def test_a_failed_attempt_is_unknown_with_its_reason(build: Any) -> None:
    judged = build.judge(
        BODY, scan(build), kinds=["tree"], attempts=[build.attempt("evasion.search", "memory", number=3)]
    )
    assert judged.verdict is Verdict.UNKNOWN
    assert any("failed on attempt 3: memory" in reason.why for reason in judged.reasons)


def test_an_attempt_is_forgotten_once_its_key_has_an_observation(build: Any) -> None:
    judged = build.judge(BODY, scan(build), evasion(build), kinds=["tree"], attempts=[build.attempt("evasion.search")])
    assert judged.verdict is Verdict.PASSED
    under_another_key = build.attempt("evasion.search", key="changed contract")
    judged = build.judge(BODY, scan(build), evasion(build), kinds=["tree"], attempts=[under_another_key])
    assert judged.verdict is Verdict.UNKNOWN


def test_an_observation_that_could_not_see_is_unknown(build: Any) -> None:
    blind = build.record("evasion.search", unknown="preprocessing is opaque")
    judged = build.judge(BODY, scan(build), blind, kinds=["tree"])
    assert judged.verdict is Verdict.UNKNOWN
    assert any("preprocessing is opaque" in reason.why for reason in judged.reasons)


@pytest.mark.parametrize(
    ("tier", "age", "verdict"),
    [
        (Tier.MEDIUM, timedelta(days=400), Verdict.PASSED),
        (Tier.HIGH, timedelta(days=30), Verdict.UNKNOWN),
        (Tier.HIGH, timedelta(days=30, seconds=-1), Verdict.PASSED),
        (Tier.CRITICAL, timedelta(days=8), Verdict.UNKNOWN),
    ],
)
def test_stale_results_are_unknown_where_freshness_is_demanded(
    build: Any, tier: Tier, age: timedelta, verdict: Verdict
) -> None:
    intel = build.intel(dated=build.now - timedelta(hours=1))
    assert build.judge(BODY, scan(build, age=age), tier=tier, intel=intel).verdict is verdict


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (timedelta(days=7), Verdict.UNKNOWN),
        (timedelta(days=6, hours=23), Verdict.PASSED),
        (timedelta(0), Verdict.PASSED),
        (timedelta(days=-2), Verdict.UNKNOWN),
    ],
)
def test_stale_intelligence_and_such_from_the_future_are_unknown(build: Any, age: timedelta, verdict: Verdict) -> None:
    assert build.judge(BODY, scan(build), intel=build.intel(dated=build.now - age)).verdict is verdict
    assert (
        build.judge(BODY, scan(build), intel=build.intel(dated=build.now - age), tier=Tier.LOW).verdict
        is Verdict.PASSED
    )


def test_the_verdict_holds_exactly_until_freshness_ends(build: Any) -> None:
    records = [scan(build, age=timedelta(days=3)), evasion(build, age=timedelta(days=1))]
    intel = build.intel(dated=build.now - timedelta(days=2))
    judged = build.judge(BODY, *records, kinds=["tree"], intel=intel)
    assert judged.valid_until == intel.dated + timedelta(days=7)
    last = build.judge(BODY, *records, kinds=["tree"], intel=intel, as_of=judged.valid_until - timedelta(seconds=1))
    over = build.judge(BODY, *records, kinds=["tree"], intel=intel, as_of=judged.valid_until)
    assert (last.verdict, over.verdict) == (Verdict.PASSED, Verdict.UNKNOWN)


def test_results_end_a_verdict_when_they_are_first(build: Any) -> None:
    old = scan(build, age=timedelta(days=29))
    assert build.judge(BODY, old).valid_until == old.recorded_at + timedelta(days=30)
    assert build.judge(BODY, old, tier=Tier.LOW).valid_until is None


@pytest.mark.parametrize(
    ("tier", "level", "verdict"),
    [
        (Tier.MEDIUM, "none", Verdict.PASSED),
        (Tier.HIGH, "none", Verdict.UNKNOWN),
        (Tier.HIGH, "reduced", Verdict.PASSED),
        (Tier.HIGH, "full", Verdict.PASSED),
        (Tier.CRITICAL, "reduced", Verdict.UNKNOWN),
        (Tier.CRITICAL, "odd", Verdict.UNKNOWN),
    ],
)
def test_a_model_that_ran_with_too_little_isolation_is_unknown(
    build: Any, tier: Tier, level: str, verdict: Verdict
) -> None:
    ran = build.record("quality.performance", Fact("sandbox.isolation", level))
    intel = build.intel(dated=build.now)
    assert build.judge(BODY, scan(build), ran, tier=tier, intel=intel).verdict is verdict


def test_what_was_recorded_later_is_not_there_yet(build: Any) -> None:
    later = scan(build, age=timedelta(hours=-1))
    judged = build.judge(BODY, later)
    assert judged.verdict is Verdict.UNKNOWN
    assert [reason.why for reason in judged.reasons if reason.rule == "required"] == [
        "the required check scan.artifact was taken later"
    ]
    assert "judge it as of a later moment" in {reason.fix for reason in judged.reasons if reason.rule == "observed"}
    assert build.judge(BODY, scan(build, age=timedelta(minutes=-4))).verdict is Verdict.PASSED


def test_newest_keeps_the_last_of_each_check(build: Any) -> None:
    old, new = scan(build, "blocked", key="1", age=timedelta(days=2)), scan(build, key="2", age=timedelta(days=1))
    assert newest([new, evasion(build), old]) == (evasion(build), new)


def test_passes_can_be_counted(build: Any) -> None:
    policy, subject = build.policy(BODY), build.subject(scan(build), evasion(build), kinds=["tree"])
    judged = judge(subject, policy, as_of=build.now, intel=build.intel())
    assert rule_names(subject, policy, judged) == ("required", "clean", "known", "recall")
    compared = judge(subject, policy, as_of=build.now, intel=build.intel(), baseline=Baseline("file", "v0", ()))
    assert rule_names(subject, policy, compared)[-1] == "ratchet:quality.auc"


def test_a_fresh_model_of_medium_tier_passes_the_built_in_policy(build: Any) -> None:
    records = [
        scan(build),
        build.record("evasion.search", Measurement("evasion.robust_recall", 0.12, "share", {"linf": 0.005})),
        build.record("data.contract", Measurement("data.contract.broken_share", 0.0, "share")),
        build.record(
            "quality.performance", Measurement("quality.auc", 0.77, "share"), Fact("sandbox.isolation", "reduced")
        ),
    ]
    policy = Policy.builtin("baseline")
    for tier, verdict in ((Tier.LOW, Verdict.PASSED), (Tier.MEDIUM, Verdict.PASSED), (Tier.HIGH, Verdict.FAILED)):
        subject = build.subject(*records, tier=tier, kinds=["tree"])
        judged = judge(subject, policy, as_of=build.now, intel=build.intel())
        assert judged.verdict is verdict


# What follows are laws, over arbitrary evidence.

AGES = st.sampled_from([timedelta(hours=1), timedelta(days=10), timedelta(days=40)])
SCANS = st.sampled_from(["clean", "review", "blocked", "unknown"])
RECALLS = st.sampled_from([0.0, 0.1, 0.3])


@st.composite
def evidence(draw: st.DrawFn, build: Any) -> list[Recorded]:
    records = []
    for number in range(draw(st.integers(0, 4))):
        kind, age, key = draw(st.integers(0, 4)), draw(AGES), f"k{number}"
        if kind == 0:
            records.append(scan(build, draw(SCANS), age=age, key=key))
        elif kind == 1:
            records.append(evasion(build, draw(RECALLS), age=age, key=key))
        elif kind == 2:
            blind = draw(st.sampled_from(["scan.artifact", "evasion.search"]))
            records.append(build.record(blind, unknown="blind", age=age, key=key))
        elif kind == 3:
            version = draw(st.sampled_from(["2.5", "2.7", "odd"]))
            records.append(
                build.record("deps.advisories", Fact("package", f"pkg:pypi/torch@{version}"), age=age, key=key)
            )
        else:
            auc = Measurement("quality.auc", draw(st.sampled_from([0.7, 0.8])), "share")
            level = Fact("sandbox.isolation", draw(st.sampled_from(["none", "full"])))
            records.append(build.record("quality.performance", auc, level, age=age, key=key))
    return records


LAWS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TIERS = st.sampled_from(list(Tier))


def decided(build: Any, records: list[Recorded], tier: Tier, **more: Any) -> Any:
    old = Baseline("deployed", "v0", (Measurement("quality.auc", 0.8, "share"),))
    intel = build.intel(build.advisory("torch"))
    return build.judge(BODY, *records, tier=tier, kinds=["tree"], intel=intel, baseline=old, **more)


@LAWS
@given(data=st.data(), tier=TIERS)
def test_order_and_repetition_change_nothing(build: Any, data: st.DataObject, tier: Tier) -> None:
    records = data.draw(evidence(build))
    shuffled = records + records[:1]
    random.Random(data.draw(st.integers(0, 99))).shuffle(shuffled)
    assert decided(build, shuffled, tier) == decided(build, records, tier)


@LAWS
@given(data=st.data(), tier=TIERS)
def test_a_bad_observation_never_helps_and_is_never_lost(build: Any, data: st.DataObject, tier: Tier) -> None:
    records = data.draw(evidence(build))
    bad, least = data.draw(
        st.sampled_from(
            [
                (scan(build, "blocked", key="bad"), Verdict.FAILED),
                (build.record("deps.advisories", Fact("package", "pkg:pypi/torch@2.5"), key="bad"), Verdict.FAILED),
                (build.record("any.check", unknown="blind", key="bad"), Verdict.UNKNOWN),
                (scan(build, "review", key="bad"), Verdict.UNKNOWN),
            ]
        )
    )
    after = decided(build, [*records, bad], tier).verdict
    assert after is Verdict.worst([decided(build, records, tier).verdict, least, after])


@LAWS
@given(data=st.data(), tier=TIERS)
def test_taking_away_what_a_policy_reads_never_makes_it_pass(build: Any, data: st.DataObject, tier: Tier) -> None:
    wanted = {"scan.artifact", "evasion.search"}
    records = [item for item in data.draw(evidence(build)) if item.check in wanted]
    if not records or decided(build, records, tier).verdict is Verdict.PASSED:
        return
    whole = {check: [item for item in records if item.check == check] for check in wanted}
    gone = data.draw(st.sampled_from(sorted(wanted)))
    left = [item for check, items in whole.items() for item in items if check != gone]
    assert decided(build, left, tier).verdict is not Verdict.PASSED


@LAWS
@given(data=st.data(), tier=TIERS)
def test_the_same_arguments_give_the_same_judgement_and_its_key_covers_them(
    build: Any, data: st.DataObject, tier: Tier
) -> None:
    records = data.draw(evidence(build))
    first = decided(build, records, tier)
    assert decided(build, list(records), tier) == first
    assert decided(build, records, tier, as_of=build.now + timedelta(seconds=1)).key != first.key
    if records:
        assert decided(build, records[1:], tier).key != first.key or records[0] in records[1:]


def test_the_key_covers_everything_else_too(build: Any) -> None:
    subject, policy, old = build.subject(scan(build)), build.policy(BODY), Baseline("deployed", "v0", ())
    given = {"as_of": build.now, "intel": build.intel(), "baseline": old}
    other_policy = build.policy(BODY.replace("worse_by: 0.01", "worse_by: 0.02"))
    keys = [
        judge(subject, policy, **given).key,
        judge(build.subject(scan(build), tier=Tier.LOW), policy, **given).key,
        judge(build.subject(scan(build), kinds=["tree"]), policy, **given).key,
        judge(build.subject(scan(build), version="v2"), policy, **given).key,
        judge(build.subject(scan(build), attempts=[build.attempt("x")]), policy, **given).key,
        judge(subject, other_policy, **given).key,
        judge(subject, policy, **{**given, "intel": build.intel(build.advisory())}).key,
        judge(subject, policy, **{**given, "baseline": None}).key,
        judge(subject, policy, **{**given, "baseline": Baseline("file", "v0", ())}).key,
    ]
    assert len(set(keys)) == len(keys)


@LAWS
@given(data=st.data())
def test_a_higher_tier_is_never_laxer(build: Any, data: st.DataObject) -> None:
    records = data.draw(evidence(build))
    ranks = [ORDER.index(decided(build, records, tier).verdict) for tier in (Tier.MEDIUM, Tier.HIGH, Tier.CRITICAL)]
    assert ranks == sorted(ranks)


@LAWS
@given(data=st.data(), tier=TIERS)
def test_verdict_reasons_and_findings_agree(build: Any, data: st.DataObject, tier: Tier) -> None:
    judged = decided(build, data.draw(evidence(build)), tier)
    verdicts = {reason.verdict for reason in judged.reasons}
    assert Verdict.worst(verdicts or {Verdict.PASSED}) is judged.verdict
    assert bool(judged.findings) == (judged.verdict is Verdict.FAILED)
    assert len({found.fingerprint for found in judged.findings}) == len(judged.findings)
    assert judged.blocks == any(reason.blocking and reason.verdict is not Verdict.PASSED for reason in judged.reasons)


@given(st.lists(st.sampled_from(list(Verdict))), st.lists(st.sampled_from(list(Verdict))))
def test_worst_is_a_join_semilattice(one: list[Verdict], two: list[Verdict]) -> None:
    if one and two:
        whole = Verdict.worst([*one, *two])
        assert whole is Verdict.worst([Verdict.worst(one), Verdict.worst(two)])
        assert whole is Verdict.worst([*two, *one])
        assert Verdict.worst([whole, whole]) is whole
        assert all(ORDER.index(whole) >= ORDER.index(item) for item in (*one, *two))
    assert Verdict.worst([]) is Verdict.UNKNOWN
