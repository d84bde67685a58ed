"""JUnit XML, as GitLab, Jenkins and Azure read it: a suite per model, a case per check and rule.

Failed is a failure, unknown that blocks is an error, unknown that does not is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

from holdfast.core.domain import Reason, Status, Verdict
from holdfast.core.report.documents import AuditReport, FileRow, GateReport, ModelReport, Report, ScanReport
from holdfast.core.report.escape import visible
from holdfast.core.report.words import accepted_by_finding


@dataclass(frozen=True, slots=True)
class _Case:
    group: str
    name: str
    seconds: float = 0.0
    outcome: str | None = None
    message: str = ""
    text: str = ""


def to_junit(report: Report) -> str:
    """The report as XML text."""
    if isinstance(report, ScanReport):
        suites = [("holdfast scan", [_file(row) for row in report.files])]
    else:
        suites = [(item.model, _cases(item, report)) for item in report.models]
    root = ElementTree.Element(
        "testsuites", {"name": "holdfast"} | _counts([case for _, cases in suites for case in cases])
    )
    for name, cases in suites:
        _suite(root, name, cases)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _cases(item: ModelReport, report: AuditReport | GateReport) -> list[_Case]:
    checks = [
        _Case(
            f"{item.model}.checks",
            result.check,
            result.elapsed_s,
            None if result.status is Status.MEASURED else "skipped" if isinstance(report, GateReport) else "error",
            result.reason or "",
        )
        for result in item.results
    ]
    return checks + (
        [_rule(item, rule, report) for rule in _rules(item)] if isinstance(report, GateReport) else _found(item)
    )


def _rules(item: ModelReport) -> Iterable[str]:
    """All that was decided on, and whatever else gave a reason."""
    return dict.fromkeys((*item.rules, *(reason.rule for reason in item.reasons)))


def _rule(item: ModelReport, rule: str, report: GateReport) -> _Case:
    reasons = [reason for reason in item.of_rule(rule) if reason.verdict is not Verdict.PASSED]
    group = f"{item.model}.rules"
    if not reasons:
        return _Case(group, rule, text="\n".join(_lines(item.of_rule(rule))))
    worst = Verdict.worst(reason.verdict for reason in reasons)
    decisive = [reason for reason in reasons if reason.verdict is worst]
    if worst is Verdict.FAILED:
        if (said := _let_pass(item, rule, report)) is not None:
            return _Case(group, rule, 0.0, "skipped", f"accepted: {said}", "\n".join(_lines(reasons)))
        outcome = "failure"
    else:
        outcome = "error" if any(reason.blocking for reason in decisive) else "skipped"
    return _Case(group, rule, 0.0, outcome, decisive[0].why, "\n".join(_lines(reasons)))


def _let_pass(item: ModelReport, rule: str, report: GateReport) -> str | None:
    """Who lets a failed rule pass; None where one of its findings, or the rule itself, is not accepted."""
    accepted = accepted_by_finding(report)
    found = [accepted.get((item.model, one.fingerprint)) for one in item.findings if one.rule == rule]
    return "; ".join(str(said) for said in found) if found and None not in found else None


def _lines(reasons: Iterable[Reason]) -> Iterable[str]:
    for reason in reasons:
        yield visible(f"{reason.verdict.value}: {reason.why}")
        yield visible(f"fix: {reason.fix}")
        if reason.next_command:
            yield visible(f"next: {reason.next_command}")


def _found(item: ModelReport) -> list[_Case]:
    group = f"{item.model}.findings"
    return [
        _Case(group, f"{found.rule} {found.location}", 0.0, "failure", found.message, found.fingerprint)
        for found in item.findings
    ]


def _file(row: FileRow) -> _Case:
    outcome = {"clean": None, "blocked": "failure", "review": "skipped"}.get(row.verdict, "error")
    told = row.facts if outcome is not None else row.added
    lines = "\n".join(visible(f"{fact.kind}: {fact.value}", 300) for fact in told[:50])
    message = "" if outcome is None else f"{row.verdict} ({row.format})"
    return _Case("holdfast.scan", row.path, (row.inspect_ms + row.hash_ms) / 1000, outcome, message, lines)


def _suite(root: ElementTree.Element, name: str, cases: list[_Case]) -> None:
    suite = ElementTree.SubElement(root, "testsuite", {"name": visible(name)} | _counts(cases))
    for case in cases:
        attributes = {"classname": visible(case.group), "name": visible(case.name), "time": f"{case.seconds:.3f}"}
        element = ElementTree.SubElement(suite, "testcase", attributes)
        if case.outcome is None:
            _beside(element, case.text)
            continue
        inner = ElementTree.SubElement(element, case.outcome, {"message": visible(case.message)})
        if case.outcome != "skipped":
            inner.set("type", "failed" if case.outcome == "failure" else "unknown")
        inner.text = "\n".join(visible(line) for line in case.text.splitlines())


def _beside(element: ElementTree.Element, text: str) -> None:
    """What is to be known of a case that passed."""
    if text:
        said = ElementTree.SubElement(element, "system-out")
        said.text = "\n".join(visible(line) for line in text.splitlines())


def _counts(cases: list[_Case]) -> dict[str, str]:
    outcomes = [case.outcome for case in cases]
    seconds = sum(case.seconds for case in cases)
    return {
        "tests": str(len(cases)),
        "failures": str(outcomes.count("failure")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
        "time": f"{seconds:.3f}",
    }
