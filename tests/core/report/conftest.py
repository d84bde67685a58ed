"""A small audit with everything that a report can hold, and names that mean harm."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.core.domain import (
    Fact,
    Finding,
    Judgement,
    Measurement,
    Observation,
    Reason,
    Recorded,
    Severity,
    Technique,
    Verdict,
    fingerprint,
)
from holdfast.core.report import AuditReport, CheckResult, FileRow, GateReport, ModelReport, ScanReport

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOSTILE = "a\x1b[31m|<script>\u202e`@me`\n&'\"\x00\ud800*_[x](http://evil.example)"


def judgement(verdict: Verdict, reasons: tuple[Reason, ...], findings: tuple[Finding, ...], **more: Any) -> Judgement:
    values: dict[str, Any] = {
        "key": "sha256:j",
        "model": "credit-default",
        "version": "sha256:" + "a" * 64,
        "verdict": verdict,
        "blocks": verdict is not Verdict.PASSED,
        "reasons": reasons,
        "findings": findings,
        "policy": "baseline",
        "policy_digest": "sha256:" + "b" * 64,
        "intel": "sha256:i",
        "as_of": NOW,
        "valid_until": NOW.replace(day=7),
    }
    return Judgement(**{**values, **more})


def finding(**more: Any) -> Finding:
    values: dict[str, Any] = {
        "fingerprint": fingerprint("credit-default", "evasion.search", "AML.T0015", "x"),
        "rule": "robust-recall",
        "severity": Severity.HIGH,
        "technique": "AML.T0015",
        "model": "credit-default",
        "check": "evasion.search",
        "message": "recall is 0.05",
        "location": "x",
    }
    return Finding(**{**values, **more})


FAILED = Reason("robust-recall", Verdict.FAILED, "recall is 0.05", "harden it", "holdfast audit credit-default")
UNKNOWN = Reason("known", Verdict.UNKNOWN, "no lock file", "name one")
QUIET = Reason("isolation", Verdict.UNKNOWN, "ran without", "see doctor", blocking=False)
NOTE = Reason("ratchet", Verdict.PASSED, "no baseline", "save one", blocking=False)


def results() -> tuple[CheckResult, ...]:
    search = Observation.of(
        Measurement("evasion.robust_recall", 0.23, "share", {"linf": 0.005}, 200, 0),
        Measurement("evasion.median_linf", float("nan"), "train-range"),
    )
    seen = Recorded("sha256:k1", "evasion.search", 1, "credit-default", "sha256:a", search, NOW, 2.5)
    scanned = Observation.of(Fact("scan.verdict", "clean"), Fact("import", "os.system", 812, "data.pkl", "called"))
    scan = Recorded("sha256:k2", "scan.artifact", 2, "credit-default", "sha256:a", scanned, NOW, 0.5)
    blind = CheckResult("deps.advisories", 1, None, Observation.unknown("memory"), cached=False, elapsed_s=0.25)
    return CheckResult.of(seen, cached=True), CheckResult.of(scan, cached=False), blind


def model(
    verdict: Verdict = Verdict.FAILED,
    reasons: tuple[Reason, ...] = (FAILED, UNKNOWN, QUIET, NOTE),
    findings: tuple[Finding, ...] | None = None,
    **more: Any,
) -> ModelReport:
    judged = judgement(verdict, reasons, (finding(),) if findings is None else findings, **more)
    rules = ("required", "robust-recall", "known", "works")
    return ModelReport(judged, results(), rules, "models/model.ubj", "holdfast.yaml", 3)


def audit(*models: ModelReport) -> AuditReport:
    technique = Technique("AML.T0015", "Evade AI Model", "Change a case so that the model decides it wrongly.")
    return AuditReport(NOW, models or (model(),), {technique.id: technique}, 0.4, 123_456)


def gate(*models: ModelReport, verdict: Verdict = Verdict.FAILED, exit_code: int = 1) -> GateReport:
    return GateReport(audit(*models), verdict, exit_code != 0, exit_code, NOW.replace(day=7))


def row(verdict: str = "blocked", path: str = "models/a.pkl", *facts: Fact) -> FileRow:
    coverage = {"parsed": 912, "skipped_by_shape": 10, "unread": 0}
    some = facts or (Fact("import", "os.system", 812, "archive/data.pkl"),)
    return FileRow(path, "c" * 64, "torch-zip", verdict, 3.14159, 1402.0, 1_073_741_824, coverage, some)


class Samples:
    """Reports to render."""

    hostile = HOSTILE
    now = NOW
    failed, unknown, quiet, note = FAILED, UNKNOWN, QUIET, NOTE
    finding = staticmethod(finding)
    model = staticmethod(model)
    audit = staticmethod(audit)
    gate = staticmethod(gate)
    row = staticmethod(row)

    def scan(self, *rows: FileRow) -> ScanReport:
        return ScanReport(rows or (row(), row("clean", "b.ubj"), row("unknown", "c.bin"), row("review", "d.onnx")))

    def hostile_reports(self) -> tuple[AuditReport | GateReport | ScanReport, ...]:
        """Every kind of report, with a hostile word wherever others can put one."""
        word = self.hostile
        bad = Reason(word, Verdict.FAILED, word, word, word)
        open_one = Reason(word + "2", Verdict.UNKNOWN, word, word, word)
        found = finding(rule=word, model=word, check=word, message=word, location=word)
        observed = Observation.of(Fact(word, word, 1, word, word), Measurement(word, 0.5, word, {word: 1.0}))
        check = CheckResult(word, 1, word, observed, cached=False, elapsed_s=0.1)
        blind = CheckResult(word, 1, word, Observation.unknown(word), cached=False, elapsed_s=0.1)
        judged = judgement(Verdict.FAILED, (bad, open_one), (found,), model=word, version=word, policy=word)
        one = ModelReport(judged, (check, blind), (word,), word, word, 1)
        technique = Technique("AML.T0015", word, word)
        whole = AuditReport(NOW, (one,), {technique.id: technique})
        files = ScanReport((FileRow(word, word, word, "blocked", 1.0, 1.0, 1, {}, (Fact(word, word, 1, word, word),)),))
        return whole, GateReport(whole, Verdict.FAILED, True, 1, None), files


@pytest.fixture(scope="session")
def samples() -> Samples:
    """Reports to render."""
    return Samples()
