"""What arrives from monitoring by itself is judged as a fact that cannot be missing and does not grow old."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from holdfast.core.domain import Fact, Verdict
from holdfast.core.domain.alert import CAMPAIGN_CHECK

if TYPE_CHECKING:
    from conftest import Build

RULES = """\
freshness: {low: {results: 7d}}
rules:
  - {id: live, on: fact, kind: watch.campaign, deny: [unpredicted], absent: passed, check: watch.campaign,
     technique: AML.T0015}
"""


def campaign(value: str, technique: str | None = None) -> Fact:
    return Fact(CAMPAIGN_CHECK, value, member=technique, detail="alr_1")


def test_a_model_that_nobody_watches_passes(build: Build) -> None:
    judged = build.judge(RULES, build.record("scan.artifact"))
    assert judged.verdict is Verdict.PASSED


@pytest.mark.parametrize(("value", "verdict"), [("unpredicted", Verdict.FAILED), ("predicted", Verdict.PASSED)])
def test_only_a_campaign_that_nothing_predicted_fails(build: Build, value: str, verdict: Verdict) -> None:
    seen = build.record(CAMPAIGN_CHECK, campaign(value))
    assert build.judge(RULES, build.record("scan.artifact"), seen).verdict is verdict


def test_an_ended_campaign_passes(build: Build) -> None:
    judged = build.judge(RULES, build.record("scan.artifact"), build.record(CAMPAIGN_CHECK))
    assert judged.verdict is Verdict.PASSED


def test_a_campaign_names_its_own_technique(build: Build) -> None:
    facts = campaign("unpredicted", "AML.T0024.002"), campaign("unpredicted")
    judged = build.judge(RULES, build.record(CAMPAIGN_CHECK, *facts))
    assert {item.technique for item in judged.findings} == {"AML.T0024.002", "AML.T0015"}
    assert len({item.fingerprint for item in judged.findings}) == 2


def test_no_other_checks_member_is_taken_for_a_technique(build: Build) -> None:
    rules = "rules: [{id: r, on: fact, kind: scan.verdict, deny: [blocked], technique: AML.T0010}]"
    fact = Fact("scan.verdict", "blocked", member="AML.T9999")
    [found] = build.judge(rules, build.record("scan.artifact", fact)).findings
    assert found.technique == "AML.T0010"


def test_what_arrives_by_itself_does_not_grow_old(build: Build) -> None:
    old = build.record(CAMPAIGN_CHECK, age=timedelta(days=40))
    judged = build.judge(RULES, build.record("scan.artifact"), old)
    assert judged.verdict is Verdict.PASSED
    assert judged.valid_until == build.now - timedelta(hours=1) + timedelta(days=7)
    stale = build.record("scan.artifact", age=timedelta(days=40))
    assert build.judge(RULES, stale, build.record(CAMPAIGN_CHECK)).verdict is Verdict.UNKNOWN


def test_other_checks_still_have_to_be_taken(build: Build) -> None:
    rules = RULES.replace("check: watch.campaign", "check: some.check").replace(
        "kind: watch.campaign", "kind: some.fact"
    )
    assert build.judge(rules, build.record("scan.artifact")).verdict is Verdict.UNKNOWN
