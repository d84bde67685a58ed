"""SARIF 2.1.0 (OASIS), within what GitHub code scanning accepts: one run, 25,000 results, 20 tags per rule.

A model has no line, so a finding is placed at the manifest that declares it, with the artifact beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from holdfast import __version__
from holdfast.core.domain import Finding, JSONValue, Reason, Severity, Technique, Verdict, digest, to_iso
from holdfast.core.report.documents import AuditReport, FileRow, GateReport, ModelReport, Report, ScanReport
from holdfast.core.report.escape import uri, visible
from holdfast.core.report.words import accepted_by_finding

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_RESULTS: Final = 25_000
MAX_TEXT: Final = 1_000
_SCORES: Final = {
    Severity.CRITICAL: 9.0,
    Severity.HIGH: 7.0,
    Severity.MEDIUM: 4.0,
    Severity.LOW: 2.0,
    Severity.INFO: 0.0,
}
_LEVELS: Final = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning"}
ADDITIONS_NOTE: Final = "names"
"""The rule of reasons that name what a site added to the list of names."""
_SCAN_RULES: Final = {
    "blocked": (Severity.CRITICAL, "The file can run code or hides something when it is loaded."),
    "unknown": (Severity.MEDIUM, "The file could not be read to its end, so nothing is known about the rest."),
    "review": (Severity.LOW, "The file holds something unusual that a person should look at."),
    "clean": (Severity.INFO, "The file is clean by names that the site added to the list, and by nothing else."),
}


@dataclass(frozen=True, slots=True)
class _Result:
    """A SARIF result before its rule has a place in the list."""

    rule: str
    severity: Severity
    message: str
    fingerprint: str
    place: str
    beside: str | None = None
    line: int = 1
    help: str = ""
    technique: str | None = None
    kind: str = "fail"
    """fail, open (not decided) or informational, in the standard's words."""
    properties: tuple[tuple[str, JSONValue], ...] = ()
    accepted: str | None = None
    """Who lets it pass, and until when."""


def to_sarif(report: Report) -> str:
    """The report as SARIF text."""
    return json.dumps(as_log(report), indent=2, allow_nan=False) + "\n"


def as_log(report: Report) -> dict[str, JSONValue]:
    """The report as a SARIF log, in plain values."""
    results = sorted(_results(report), key=lambda one: (-one.severity.rank, one.rule, one.fingerprint, one.place))
    kept = results[:MAX_RESULTS]
    techniques = {} if isinstance(report, ScanReport) else _audit(report).techniques
    names = list(dict.fromkeys(one.rule for one in kept))
    run: dict[str, JSONValue] = {
        "tool": {
            "driver": {
                "name": "Holdfast",
                "semanticVersion": __version__,
                "rules": [_rule(name, [one for one in kept if one.rule == name], techniques) for name in names],
            }
        },
        "automationDetails": {"id": f"holdfast/{_verb(report)}/"},
        "invocations": [_invocation(report, len(results) - len(kept))],
        "results": [_result(one, names.index(one.rule)) for one in kept],
        "columnKind": "unicodeCodePoints",
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _audit(report: AuditReport | GateReport) -> AuditReport:
    return report.audit if isinstance(report, GateReport) else report


def _verb(report: Report) -> str:
    if isinstance(report, ScanReport):
        return "scan"
    return "gate" if isinstance(report, GateReport) else "audit"


def _results(report: Report) -> Iterable[_Result]:
    if isinstance(report, ScanReport):
        yield from (_of_file(row) for row in report.files if row.noted)
        return
    accepted = accepted_by_finding(report) if isinstance(report, GateReport) else {}
    for item in report.models:
        fixes = {reason.rule: reason.fix for reason in item.reasons}
        for found in item.findings:
            result = _of_finding(item, found, fixes.get(found.rule, ""))
            yield replace(result, accepted=accepted.get((item.model, found.fingerprint)))
        if isinstance(report, GateReport):
            unknown = [reason for reason in item.reasons if reason.verdict is Verdict.UNKNOWN]
            yield from (_of_reason(item, reason) for reason in unknown)
            added = [reason for reason in item.reasons if reason.rule == ADDITIONS_NOTE]
            yield from (_of_addition(item, reason) for reason in added)


def _place(item: ModelReport) -> tuple[str, str | None]:
    """Where a finding is shown, and what lies beside it."""
    place = item.manifest or item.artifact or item.model
    return place, item.artifact if item.artifact != place else None


def _of_finding(item: ModelReport, found: Finding, fix: str) -> _Result:
    place, beside = _place(item)
    return _Result(
        found.rule,
        found.severity,
        f"{found.model}: {found.message}",
        found.fingerprint,
        place,
        beside,
        item.line,
        fix,
        found.technique,
        properties=(
            ("model", found.model),
            ("version", item.version),
            ("check", found.check),
            ("location", found.location),
        ),
    )


def _of_reason(item: ModelReport, reason: Reason) -> _Result:
    """What could not be decided: kind `open`, so that it is neither a pass nor a finding."""
    place, beside = _place(item)
    mark = digest([item.model, reason.rule, "unknown"])
    return _Result(
        reason.rule,
        Severity.MEDIUM if reason.blocking else Severity.INFO,
        f"{item.model}: not decided: {reason.why}",
        mark,
        place,
        beside,
        item.line,
        reason.fix,
        kind="open",
        properties=(("model", item.model), ("version", item.version)),
    )


def _of_addition(item: ModelReport, reason: Reason) -> _Result:
    """What a verdict owes to a name that the site added: nothing is wrong, and nothing is silent."""
    place, beside = _place(item)
    return _Result(
        reason.rule,
        Severity.INFO,
        f"{item.model}: {reason.why}",
        digest([item.model, reason.rule, reason.why]),
        place,
        beside,
        item.line,
        reason.fix,
        kind="informational",
        properties=(("model", item.model), ("version", item.version)),
    )


def _of_file(row: FileRow) -> _Result:
    severity, meaning = _SCAN_RULES.get(row.verdict, _SCAN_RULES["unknown"])
    facts = "; ".join(_fact(row, index) for index in range(min(len(row.facts), 8)))
    return _Result(
        f"scan.{'added' if row.verdict == 'clean' else row.verdict}",
        severity,
        f"{row.path} ({row.format}): {facts or meaning}",
        digest(["scan", row.path, row.verdict]),
        row.path,
        help=meaning,
        technique="AML.T0011.000" if row.verdict == "blocked" else None,
        kind="informational" if row.verdict == "clean" else "fail",
        properties=(("sha256", row.sha256), ("format", row.format)),
    )


def _fact(row: FileRow, index: int) -> str:
    fact = row.facts[index]
    place = f" at byte {fact.offset}" if fact.offset is not None else ""
    return visible(f"{fact.kind} {fact.value}", 160) + place


def _rule(name: str, results: list[_Result], techniques: object) -> dict[str, JSONValue]:
    worst = results[0].severity  # gravest first
    technique = next((one.technique for one in results if one.technique), None)
    known = techniques.get(technique or "") if isinstance(techniques, dict) else None
    summary = known.summary if isinstance(known, Technique) else f"The policy's rule {name}."
    advice = next((one.help for one in results if one.help), "") or "See the message of the result."
    rule: dict[str, JSONValue] = {
        "id": visible(name, 200),
        "name": visible(name, 200),
        "shortDescription": {"text": visible(f"{name}: {known.name}" if isinstance(known, Technique) else name, 200)},
        "fullDescription": {"text": visible(summary, MAX_TEXT)},
        "help": {"text": visible(advice, MAX_TEXT)},
        "defaultConfiguration": {"level": _LEVELS.get(worst, "note")},
        "properties": {
            "tags": ["security", "ai", *([technique] if technique else [])],
            "security-severity": f"{_SCORES[worst]:.1f}",
            "precision": "high",
        },
    }
    if technique:
        rule["helpUri"] = f"https://atlas.mitre.org/techniques/{technique}"
    return rule


def _result(one: _Result, index: int) -> dict[str, JSONValue]:
    value: dict[str, JSONValue] = {
        "ruleId": visible(one.rule, 200),
        "ruleIndex": index,
        "kind": one.kind,
        "level": _LEVELS.get(one.severity, "note") if one.kind == "fail" else "none",
        "message": {"text": visible(one.message, MAX_TEXT)},
        "locations": [_location(one.place, one.line)],
        "partialFingerprints": {
            "holdfast/v1": one.fingerprint,
            # GitHub tells results apart by this one alone, and would compute it from a line that all of them share.
            "primaryLocationLineHash": f"{one.fingerprint.removeprefix('sha256:')[:32]}:1",
        },
        "properties": {name: visible(item) if isinstance(item, str) else item for name, item in one.properties},
    }
    if one.accepted is not None:
        value["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": visible(one.accepted, MAX_TEXT)}
        ]
    if one.beside:
        value["relatedLocations"] = [_location(one.beside, None)]
    return value


def _location(path: str, line: int | None) -> dict[str, JSONValue]:
    physical: dict[str, JSONValue] = {"artifactLocation": {"uri": uri(path)}}
    if line is not None:
        physical["region"] = {"startLine": line}
    return {"physicalLocation": physical}


def _invocation(report: Report, left_out: int) -> dict[str, JSONValue]:
    value: dict[str, JSONValue] = {"executionSuccessful": True}
    if isinstance(report, GateReport):
        value["exitCode"] = report.exit_code
    if not isinstance(report, ScanReport):
        value["properties"] = {"asOf": to_iso(report.as_of)}
    if left_out:
        text = f"{left_out:,} results of lower severity are left out: SARIF readers accept {MAX_RESULTS:,}"
        value["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    return value
