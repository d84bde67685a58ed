"""What is accepted passes the gate, under names and with an end; nothing else does."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.domain import (
    Cause,
    Ceiling,
    Claim,
    Finding,
    FrozenClock,
    Judgement,
    Reason,
    Severity,
    Verdict,
)
from holdfast.core.report import AcceptedFinding, AuditReport, ModelReport
from holdfast.core.report.render import render
from holdfast.core.store import Store
from holdfast.gate import decide
from holdfast.gate.acceptances import accepted
from holdfast.gate.queries import report

FAILED, UNKNOWN = Verdict.FAILED, Verdict.UNKNOWN


def finding(name: str) -> Finding:
    return Finding(f"fp-{name}", name, Severity.HIGH, "AML.T0015", "credit", "evasion.search", "m")


def failed(desk: Any, *names: str, reasons: tuple[Reason, ...] | None = None) -> Judgement:
    said = tuple(Reason(name, FAILED, "w", "f") for name in names) if reasons is None else reasons
    judged: Judgement = desk.judgement(FAILED, True, reasons=said, findings=tuple(map(finding, names)))
    return judged


def let(desk: Any, name: str, days: int = 1, model: str = "credit") -> AcceptedFinding:
    return AcceptedFinding(model, f"fp-{name}", name, "ana", "ben", desk.now + timedelta(days=days))


def test_all_failing_findings_accepted_lets_pass_and_the_verdict_stays(desk: Any) -> None:
    decision = decide([failed(desk, "a", "b")], [let(desk, "a"), let(desk, "b", 2)])
    assert (decision.verdict, decision.blocks, decision.exit_code) == (FAILED, False, 0)
    assert decision.valid_until == desk.now + timedelta(days=1)
    assert [item.rule for item in decision.accepted] == ["a", "b"]


def test_one_finding_too_few_blocks(desk: Any) -> None:
    decision = decide([failed(desk, "a", "b")], [let(desk, "a")])
    assert (decision.verdict, decision.blocks, decision.exit_code) == (FAILED, True, 1)


def test_a_failing_rule_without_a_finding_cannot_be_accepted(desk: Any) -> None:
    reasons = (Reason("a", FAILED, "w", "f"), Reason("silent", FAILED, "w", "f"))
    decision = decide([failed(desk, "a", reasons=reasons)], [let(desk, "a")])
    assert (decision.blocks, decision.exit_code) == (True, 1)


def test_what_is_unknown_is_accepted_by_nobody(desk: Any) -> None:
    reasons = (Reason("a", FAILED, "w", "f"), Reason("fresh-intel", UNKNOWN, "w", "f"))
    decision = decide([failed(desk, "a", reasons=reasons)], [let(desk, "a")])
    assert (decision.verdict, decision.blocks, decision.exit_code) == (FAILED, True, 3)


def test_another_models_acceptance_counts_nothing(desk: Any) -> None:
    assert decide([failed(desk, "a")], [let(desk, "a", model="other")]).exit_code == 1
    assert decide([failed(desk, "a"), desk.judgement(UNKNOWN, True)], [let(desk, "a")]).exit_code == 3


@given(st.sets(st.sampled_from("abcd"), min_size=1), st.sets(st.sampled_from("abcd")))
def test_exactly_the_covered_pass(desk: Any, failing: set[str], let_pass: set[str]) -> None:
    decision = decide([failed(desk, *sorted(failing))], [let(desk, name) for name in sorted(let_pass)])
    assert decision.blocks is not (failing <= let_pass)


def claim(desk: Any, cause: Cause, **body: str) -> Claim:
    until = None if body.pop("end", "") == "never" else desk.now + timedelta(days=1)
    return Claim(cause, "accept", "finding:fp-a", Ceiling.OBSERVE, desk.now, until, body=body)


@pytest.mark.parametrize(
    ("cause", "body", "counts"),
    [
        (Cause("person", "ben"), {"owner": "ana", "approver": "ben"}, True),
        (Cause("person", "ben"), {"owner": "BEN", "approver": "ben"}, False),
        (Cause("person", "eve"), {"owner": "ana", "approver": "ben"}, False),
        (Cause("intel", "ben"), {"owner": "ana", "approver": "ben"}, False),
        (Cause("person", "ben"), {"approver": "ben"}, False),
        (Cause("person", "ben"), {"owner": "ana", "approver": "ben", "end": "never"}, False),
    ],
)
def test_only_two_people_and_an_end_accept(
    desk: Any, tmp_path: Path, cause: Cause, body: dict[str, str], counts: bool
) -> None:
    with Store.open(None, tmp_path, FrozenClock(desk.now)) as store, store.transaction() as tx:
        tx.claims.make(claim(desk, cause, **body))
        found = accepted(tx, [failed(desk, "a")], desk.now)
        later = accepted(tx, [failed(desk, "a")], desk.now + timedelta(days=1))
    assert bool(found) is counts
    assert later == ()


def test_code_hosts_and_pipelines_see_what_is_let_pass(desk: Any) -> None:
    judged = failed(desk, "a", "b")
    said = report(decide([judged], [let(desk, "a")]), AuditReport(desk.now, (ModelReport(judged),)))
    results = {row["ruleId"]: row for row in json.loads(render(said, "sarif"))["runs"][0]["results"]}
    (suppression,) = results["a"]["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert "ben approved it" in suppression["justification"]
    assert "suppressions" not in results["b"]
    cases = {case.get("name"): case for case in ElementTree.fromstring(render(said, "junit")).iter("testcase")}
    assert [child.tag for child in cases["a"]] == ["skipped"]
    assert [child.tag for child in cases["b"]] == ["failure"]


def test_every_form_of_the_report_names_the_two_people(desk: Any) -> None:
    decision = decide([failed(desk, "a")], [let(desk, "a")])
    said = report(decision, AuditReport(desk.now, ()))
    for form in ("text", "json", "markdown"):
        text = render(said, form).replace("\\", "")
        assert "ana" in text
        assert "ben" in text
        assert "2026-01-06T09:00:00Z" in text
