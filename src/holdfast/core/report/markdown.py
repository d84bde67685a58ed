"""Markdown for a step summary or a comment: tables, with everything from outside escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from holdfast.core.domain import Measurement
from holdfast.core.report.documents import AuditReport, GateReport, ModelReport, Report, ScanReport
from holdfast.core.report.escape import markdown
from holdfast.core.report.words import accepted_lines, label, moment, number, short, spent

_MARKS: Final = {
    "passed": "✅",
    "clean": "✅",
    "failed": "❌",
    "blocked": "❌",
    "unknown": "❔",
    "review": "🔍",
    "note": "🛈",
}
_BAR = 20
MAX_ROWS = 200


def to_markdown(report: Report) -> str:
    """The report as Markdown text. Long tables are cut, and say so."""
    if isinstance(report, ScanReport):
        lines = _scan(report)
    elif isinstance(report, AuditReport):
        lines = _audit(report)
    else:
        lines = _gate(report)
    return "\n".join(lines) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """A table of cells that are escaped already."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows[:MAX_ROWS])
    if len(rows) > MAX_ROWS:
        yield f"| {len(rows) - MAX_ROWS:,} more rows are not shown |" + " |" * (len(head) - 1)
    yield ""


def _marked(word: str) -> str:
    return f"{_MARKS.get(word, '')} {markdown(word)}".strip()


def _gate(report: GateReport) -> Iterable[str]:
    yield f"## Holdfast gate: {_marked(report.verdict.value)}"
    yield ""
    yield f"{'Blocked' if report.blocks else 'May go'}, {moment(report)}."
    yield ""
    yield from (line for said in accepted_lines(report) for line in (markdown(said) + ".", ""))
    for item in report.models:
        yield f"### {markdown(item.model)}: {_marked(item.judgement.verdict.value)}"
        yield ""
        yield f"Version {markdown(short(item.version))}, policy {markdown(item.judgement.policy)}."
        yield ""
        rows = [
            (markdown(reason.rule), _marked(label(reason)), markdown(reason.why), markdown(reason.fix))
            for reason in item.reasons
        ]
        yield from table(("rule", "verdict", "why", "fix"), rows) if rows else ()
        yield from _details(item)


def _audit(report: AuditReport) -> Iterable[str]:
    yield "## Holdfast audit"
    yield ""
    yield f"Seen {moment(report)}."
    yield ""
    for item in report.models:
        yield f"### {markdown(item.model)} {markdown(short(item.version))}"
        yield ""
        rows = [
            (found.severity.value, markdown(found.rule), markdown(found.technique or ""), markdown(found.message))
            for found in item.findings
        ]
        yield from table(("severity", "rule", "technique", "finding"), rows) if rows else ("No findings.", "")
        yield from _details(item)


def _details(item: ModelReport) -> Iterable[str]:
    if not item.results:
        return
    yield "<details><summary>What the checks saw</summary>"
    yield ""
    rows = [
        (markdown(result.check), result.status.value, spent(result), markdown(result.reason or ""))
        for result in item.results
    ]
    yield from table(("check", "status", "time", "reason"), rows)
    numbers = [_number(one) for result in item.results for one in result.measurements]
    if numbers:
        yield from table(("measurement", "at", "value", "unit", ""), numbers)
    yield "</details>"
    yield ""


def _number(one: Measurement) -> tuple[str, ...]:
    point = ", ".join(f"{name}={value:g}" for name, value in one.at.items())
    return markdown(one.name), markdown(point), number(one.value), markdown(one.unit), _bar(one.value, one.unit)


def _bar(value: float, unit: str) -> str:
    """A share as a bar, twin of the number beside it."""
    if unit != "share" or not 0 <= value <= 1:
        return ""
    full = round(value * _BAR)
    return "█" * full + "░" * (_BAR - full)


def _scan(report: ScanReport) -> Iterable[str]:
    yield "## Holdfast scan"
    yield ""
    noted = [row for row in report.files if row.noted]
    unclean = sum(row.verdict != "clean" for row in noted)
    by_additions = f", {len(noted) - unclean:,} clean by additions" if len(noted) > unclean else ""
    yield f"{len(report.files):,} files, {unclean:,} of them not clean{by_additions}."
    yield ""
    rows = [
        (
            _marked(row.verdict),
            markdown(row.path),
            markdown(row.format),
            markdown("; ".join(f"{fact.kind}: {fact.value}" for fact in row.facts[:5])),
        )
        for row in noted
    ]
    if rows:
        yield from table(("verdict", "file", "format", "facts"), rows)
