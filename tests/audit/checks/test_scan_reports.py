"""scan.reports: other tools' findings are facts and counts; a gap makes the answer unknown, not clean."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import bank
from holdfast.audit.checks.scan.reports import observe
from holdfast.audit.interface import Budget, NoParams
from holdfast.audit.plan import plan
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Observation, Status
from holdfast.estate.manifest import Manifest

MANIFEST = """\
version: 1
models:
  - name: limits
    unit: cards
    region: eu
    owner: o
    tier: high
    purpose: p
    artifact: model.ubj
    reports: [one.sarif, two.sarif]
"""


def report(path: Path, *results: dict[str, Any], **run: Any) -> Path:
    runs = [{"tool": {"driver": {"name": path.stem}}, "results": list(results), **run}]
    path.write_text(json.dumps({"version": "2.1.0", "runs": runs}))
    return path


def look(*paths: Path) -> Observation:
    return observe(Target(replace(bank.write(paths[0].parent, n=10), reports=paths)), NoParams(), Budget())


def test_findings_of_two_tools(tmp_path: Path) -> None:
    place = [{"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 4}}}]
    one = report(tmp_path / "one.sarif", {"ruleId": "R1", "level": "note"}, {"ruleId": "R2", "level": "error"})
    two = report(
        tmp_path / "two.sarif",
        {"ruleId": "R3", "level": "error", "suppressions": [{"kind": "inSource"}]},
        {"ruleId": "R4", "level": "error", "locations": place, "message": {"text": "why"}},
    )
    seen = look(one, two)
    assert seen.status is Status.MEASURED
    assert [(fact.kind, fact.value) for fact in seen.facts] == [
        ("report.tool", "one"),
        ("report.tool", "two"),
        ("report.severity", "high"),
        ("report.severity", "low"),
        ("report.finding", "one: R2"),
        ("report.finding", "two: R4"),
        ("report.finding", "one: R1"),
        ("report.suppressed", "two: R3"),
    ]
    assert (seen.facts[5].member, seen.facts[5].detail) == ("a.py:4", "high: why")
    assert {item.name: item.value for item in seen.measurements} == {
        "reports.info": 0,
        "reports.low": 1,
        "reports.medium": 0,
        "reports.high": 2,
        "reports.critical": 0,
    }


def test_a_report_without_findings_says_so(tmp_path: Path) -> None:
    seen = look(report(tmp_path / "one.sarif"))
    assert seen.status is Status.MEASURED
    assert [fact.kind for fact in seen.facts] == ["report.tool"]
    assert all(item.value == 0 for item in seen.measurements)


def test_gaps_make_it_unknown_and_lose_no_finding(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sarif"
    broken.write_text("{")
    seen = look(report(tmp_path / "one.sarif", {"ruleId": "R1"}), broken)
    assert seen.status is Status.UNKNOWN
    assert seen.reason is not None
    assert seen.reason.startswith("broken.sarif: ")
    assert [fact.value for fact in seen.facts if fact.kind == "report.finding"] == ["one: R1"]
    stopped = report(tmp_path / "stopped.sarif", invocations=[{"executionSuccessful": False}])
    assert look(stopped).reason == "stopped did not finish"


def test_the_manifest_names_them_and_a_changed_report_is_looked_at_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        report(tmp_path / f"{name}.sarif")
    (tmp_path / "model.ubj").write_bytes(b"x")
    (tmp_path / "holdfast.yaml").write_text(MANIFEST)
    (subject,) = Manifest.load(tmp_path / "holdfast.yaml").subjects
    assert [path.name for path in subject.reports] == ["one.sarif", "two.sarif"]
    parts = replace(
        bank.write(tmp_path, n=10), train=None, test=None, contract=None, lock=None, reports=subject.reports
    )

    def key(second: str) -> str:
        hashes = {"artifact": "sha256:0", "report 1": "sha256:1", "report 2": second}
        works = plan(parts, hashes, lambda _: {}, seed=0)
        return next(work.key for work in works if work.check == "scan.reports")

    assert key("sha256:2") == key("sha256:2")
    assert key("sha256:2") != key("sha256:3")
    assert "scan.reports" not in {
        work.check for work in plan(replace(parts, reports=()), {"artifact": "x"}, lambda _: {}, seed=0)
    }
