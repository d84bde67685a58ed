"""Text for people: readable without colour, one fact per line, tables drawn only on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from holdfast.core.report.documents import AuditReport, FileRow, GateReport, ModelReport, Report, ScanReport
from holdfast.core.report.escape import visible
from holdfast.core.report.words import accepted_lines, counted, label, moment, short, shows, size, spent

_STYLES: Final = {
    "failed": "bold red",
    "blocked": "bold red",
    "critical": "bold red",
    "high": "red",
    "unknown": "yellow",
    "review": "yellow",
    "medium": "yellow",
    "passed": "green",
    "clean": "green",
    "measured": "green",
    "note": "cyan",
}
_ANSI: Final = {"bold": 1, "red": 31, "green": 32, "yellow": 33, "cyan": 36}


@dataclass(frozen=True, slots=True)
class Page:
    """Where text goes: `color` means a terminal that wants it."""

    color: bool
    width: int

    def paint(self, word: str) -> str:
        """A word of verdict or severity in its colour."""
        if not self.color or word.lower() not in _STYLES:
            return word
        codes = ";".join(str(_ANSI[style]) for style in _STYLES[word.lower()].split())
        return f"\033[{codes}m{word}\033[0m"

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """Aligned columns; on a terminal drawn by rich, which also wraps."""
        return self._drawn(head, rows) if self.color else _aligned([tuple(head), *(tuple(row) for row in rows)])

    def _drawn(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        import io

        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name in head:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        sheet = io.StringIO()
        Console(file=sheet, force_terminal=True, color_system="standard", width=self.width).print(table)
        return sheet.getvalue().rstrip("\n")


def to_text(report: Report, *, color: bool = False, width: int = 100) -> str:
    """The report as text, ending in a line that says it all."""
    page = Page(color, width)
    if isinstance(report, ScanReport):
        lines = _scan(report, page)
    elif isinstance(report, AuditReport):
        lines = _audit(report, page)
    else:
        lines = _gate(report, page)
    return "\n".join(lines) + "\n"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _audit(report: AuditReport, page: Page) -> Iterable[str]:
    for item in report.models:
        yield f"{visible(item.model)}  {short(item.version)}"
        yield ""
        yield _checks(item, page)
        yield ""
        yield from _findings(item, report, page)
    yield _audit_line(report)


def _checks(item: ModelReport, page: Page) -> str:
    if not item.results:
        return "no check has run"
    rows = [[visible(one.check), one.status.value, spent(one), shows(one)] for one in item.results]
    return page.table(("check", "status", "time", "shows"), rows)


def _findings(item: ModelReport, report: AuditReport, page: Page) -> Iterable[str]:
    for finding in item.findings:
        technique = report.techniques.get(finding.technique or "")
        named = f"  {finding.technique}" if finding.technique else ""
        named += f" {visible(technique.name)}" if technique else ""
        yield f"{page.paint(finding.severity.value)}  {visible(finding.rule)}{named}"
        yield f"  {visible(finding.message)}"
    if item.findings:
        yield ""


def _audit_line(report: AuditReport) -> str:
    checks = [result for item in report.models for result in item.results]
    ran = [result for result in checks if not result.cached]
    findings = sum(len(item.findings) for item in report.models)
    counts = f"{counted(len(report.models), 'model')}, {counted(len(checks), 'check')}, {len(checks) - len(ran)} cached"
    hashing = (
        "" if report.hash_s is None else f"; hashing apart: {report.hash_s:.2f} s for {size(report.hashed_bytes or 0)}"
    )
    time = f"checks {sum(result.elapsed_s for result in ran):.1f} s{hashing}"
    return f"{counts}, {counted(findings, 'finding')}, {moment(report)} ({time})"


def _gate(report: GateReport, page: Page) -> Iterable[str]:
    for item in report.models:
        judged = item.judgement
        yield f"{page.paint(judged.verdict.value.upper())}  {visible(item.model)}  {short(item.version)}"
        yield f"  policy {visible(judged.policy)} ({short(judged.policy_digest)}), {_passed(item)}"
        for reason in item.reasons:
            why = "" if reason.blocking or label(reason) == "note" else " (does not block at this tier)"
            yield f"  {page.paint(label(reason))}  {visible(reason.rule)}: {visible(reason.why)}{why}"
            yield f"    fix: {visible(reason.fix)}"
            if reason.next_command:
                yield f"    next: {visible(reason.next_command)}"
        yield ""
    yield from (f"  {visible(line)}" for line in accepted_lines(report))
    yield _gate_line(report, page)


def _passed(item: ModelReport) -> str:
    passed = sum(not item.of_rule(rule) for rule in item.rules)
    return f"{passed} of {counted(len(item.rules), 'rule')} passed"


def _gate_line(report: GateReport, page: Page) -> str:
    decision = "blocked" if report.blocks else "may go"
    return f"{page.paint(report.verdict.value)}: {decision}, {counted(len(report.models), 'model')}, {moment(report)}"


def _scan(report: ScanReport, page: Page) -> Iterable[str]:
    noted = [row for row in report.files if row.noted]
    for row in noted:
        yield f"{page.paint(row.verdict)}  {visible(row.path)}  ({visible(row.format)}, {size(row.bytes)})"
        yield from (f"  {line}" for line in _facts(row))
    if noted:
        yield ""
    if report.names is not None and report.names.added:
        used = report.names
        yield f"judged by the list {short(used.version)} of {used.dated}, with {counted(len(used.added), 'name')} added"
    yield _scan_line(report.files)


def _facts(row: FileRow, limit: int = 12) -> Iterable[str]:
    for fact in row.facts[:limit]:
        place = "" if fact.member is None else f" in {visible(fact.member, 200)}"
        place += "" if fact.offset is None else f" at byte {fact.offset:,}"
        detail = "" if fact.detail is None else f" ({visible(fact.detail, 200)})"
        yield f"{visible(fact.kind)}: {visible(fact.value, 200)}{place}{detail}"
    if len(row.facts) > limit:
        yield f"and {len(row.facts) - limit:,} more facts (--format json has them all)"


def _scan_line(files: Sequence[FileRow]) -> str:
    verdicts = Counter(row.verdict for row in files)
    counts = ", ".join(
        f"{verdicts[word]:,} {word}" for word in ("blocked", "unknown", "review", "clean") if verdicts[word]
    )
    inspected, hashed = sum(row.inspect_ms for row in files) / 1000, sum(row.hash_ms for row in files) / 1000
    amount = size(sum(row.bytes for row in files))
    time = f"inspecting {inspected:.2f} s, hashing {hashed:.2f} s"
    return f"{counted(len(files), 'file')} ({amount}): {counts or 'none'}; {time}"
