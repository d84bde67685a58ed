"""JSON for machines, schema_version 1. Keys keep their order; control characters and non-ASCII are escaped."""

from __future__ import annotations

import json
import math
from typing import Final

from holdfast.core.domain import Fact, Finding, JSONValue, Measurement, Reason, to_iso
from holdfast.core.report.documents import (
    AcceptedFinding,
    AuditReport,
    CheckResult,
    FileRow,
    GateReport,
    ModelReport,
    NamesUsed,
    Report,
)

SCHEMA_VERSION: Final = 1


def to_json(report: Report) -> str:
    """The report as JSON text, two spaces deep."""
    return json.dumps(as_document(report), indent=2, allow_nan=False) + "\n"


def as_document(report: Report) -> dict[str, JSONValue]:
    """The report as plain values."""
    if isinstance(report, AuditReport):
        return {"schema_version": SCHEMA_VERSION, "as_of": to_iso(report.as_of), "models": _models(report)}
    if isinstance(report, GateReport):
        return {
            "schema_version": SCHEMA_VERSION,
            "as_of": to_iso(report.as_of),
            "verdict": report.verdict.value,
            "reasons": [_reason(item) for item in report.reasons],
            "valid_until": None if report.valid_until is None else to_iso(report.valid_until),
            **({"accepted": [_accepted(item) for item in report.accepted]} if report.accepted else {}),
            "models": _models(report),
        }
    names = {} if report.names is None else {"names": _names(report.names)}
    return {"schema_version": SCHEMA_VERSION, **names, "files": [_file(row) for row in report.files]}


def _names(used: NamesUsed) -> JSONValue:
    return {"version": used.version, "dated": used.dated.isoformat(), "added": list(used.added)}


def _models(report: AuditReport | GateReport) -> list[JSONValue]:
    return [_model(item, judged=isinstance(report, GateReport)) for item in report.models]


def _model(item: ModelReport, *, judged: bool) -> JSONValue:
    value: dict[str, JSONValue] = {"model": item.model, "version": item.version}
    if judged:
        until = item.judgement.valid_until
        value["verdict"] = item.judgement.verdict.value
        value["reasons"] = [_reason(reason) for reason in item.reasons]
        value["valid_until"] = None if until is None else to_iso(until)
    value["results"] = [_result(result) for result in item.results]
    value["findings"] = [_finding(finding) for finding in item.findings]
    return value


def _accepted(item: AcceptedFinding) -> JSONValue:
    return {
        "model": item.model,
        "rule": item.rule,
        "fingerprint": item.fingerprint,
        "owner": item.owner,
        "approver": item.approver,
        "until": to_iso(item.until),
    }


def _reason(item: Reason) -> JSONValue:
    return {"rule": item.rule, "why": item.why, "fix": item.fix, "next_command": item.next_command}


def _finding(item: Finding) -> JSONValue:
    return {
        "fingerprint": item.fingerprint,
        "rule": item.rule,
        "severity": item.severity.value,
        "technique": item.technique,
    }


def _result(item: CheckResult) -> JSONValue:
    return {
        "check": item.check,
        "check_version": item.check_version,
        "observation_key": item.observation_key,
        "status": item.status.value,
        "reason": item.reason,
        "cached": item.cached,
        "elapsed_s": _number(round(item.elapsed_s, 6)),
        "facts": [_fact(fact) for fact in item.facts],
        "measurements": [_measurement(one) for one in item.measurements],
    }


def _measurement(one: Measurement) -> JSONValue:
    return {
        "name": one.name,
        "value": _number(one.value),
        "unit": one.unit,
        "at": {name: _number(value) for name, value in one.at.items()},
        "n": one.n,
        "seed": one.seed,
    }


def _fact(item: Fact) -> JSONValue:
    """`detail` only where there is one, so that rows stay short."""
    value: dict[str, JSONValue] = {
        "kind": item.kind,
        "value": _number(item.value) if isinstance(item.value, float) else item.value,
        "offset": item.offset,
        "member": item.member,
    }
    return value if item.detail is None else {**value, "detail": item.detail}


def _number(value: float) -> float | None:
    """JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else None


def _file(row: FileRow) -> JSONValue:
    return {
        "path": row.path,
        "sha256": row.sha256,
        "format": row.format,
        "verdict": row.verdict,
        "inspect_ms": _number(round(row.inspect_ms, 3)),
        "hash_ms": _number(round(row.hash_ms, 3)),
        "bytes": row.bytes,
        "coverage": {name: row.coverage.get(name, 0) for name in ("parsed", "skipped_by_shape", "unread")},
        "facts": [_fact(fact) for fact in row.facts],
    }
