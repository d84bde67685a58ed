"""JUnit XML: what CI systems count, and nothing they choke on."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from holdfast.core.domain import Verdict
from holdfast.core.report import render


def read(report: Any) -> ElementTree.Element:
    root = ElementTree.fromstring(render(report, "junit"))
    assert root.tag == "testsuites"
    for element in (root, *root):
        cases = list(element.iter("testcase"))
        assert int(element.get("tests", "-1")) == len(cases)
        for tag, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(element.get(attribute, "-1")) == sum(case.find(tag) is not None for case in cases)
    return root


def outcomes(root: ElementTree.Element) -> dict[str, str]:
    return {
        f"{case.get('classname')}/{case.get('name')}": next(
            (child.tag for child in case if child.tag != "system-out"), "passed"
        )
        for case in root.iter("testcase")
    }


def test_a_gate_has_a_case_per_check_and_per_rule(samples: Any) -> None:
    assert outcomes(read(samples.gate())) == {
        "credit-default.checks/evasion.search": "passed",
        "credit-default.checks/scan.artifact": "passed",
        "credit-default.checks/deps.advisories": "skipped",
        "credit-default.rules/required": "passed",
        "credit-default.rules/robust-recall": "failure",
        "credit-default.rules/known": "error",
        "credit-default.rules/works": "passed",
        "credit-default.rules/isolation": "skipped",
        "credit-default.rules/ratchet": "passed",
    }


def test_what_is_to_be_known_of_a_passed_rule_stands_beside_it(samples: Any) -> None:
    notes = {case.get("name"): case.findtext("system-out") for case in read(samples.gate()).iter("testcase")}
    assert "passed: " in (notes["ratchet"] or "")
    assert notes["works"] is None


def test_a_failure_says_why_and_what_to_do(samples: Any) -> None:
    failure = read(samples.gate()).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "recall is 0.05"
    assert (failure.text or "").splitlines() == [
        "failed: recall is 0.05",
        "fix: harden it",
        "next: holdfast audit credit-default",
    ]


def test_an_audit_has_findings_as_failures_and_blind_checks_as_errors(samples: Any) -> None:
    seen = outcomes(read(samples.audit()))
    assert seen["credit-default.checks/deps.advisories"] == "error"
    assert seen["credit-default.findings/robust-recall x"] == "failure"


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [("clean", "passed"), ("blocked", "failure"), ("unknown", "error"), ("review", "skipped"), ("odd", "error")],
)
def test_a_scan_has_a_case_per_file(samples: Any, verdict: str, outcome: str) -> None:
    assert outcomes(read(samples.scan(samples.row(verdict, "a.pkl")))) == {"holdfast.scan/a.pkl": outcome}


def test_hostile_words_stay_words(samples: Any) -> None:
    for report in samples.hostile_reports():
        text = render(report, "junit")
        assert all(character.isprintable() or character == "\n" for character in text)
        assert "<script>" not in text
        read(report)


def test_a_gate_without_models_is_an_empty_report(samples: Any) -> None:
    from holdfast.core.report import AuditReport, GateReport

    empty = GateReport(AuditReport(samples.now, ()), Verdict.UNKNOWN, True, 3, None)
    assert outcomes(read(empty)) == {}
