"""What other tools found in the model's code and environment, as their SARIF reports say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.audit.interface import Budget, NoParams, check
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Fact, Measurement, Observation
from holdfast.core.domain.severity import Severity
from holdfast.core.errors import FormatError

if TYPE_CHECKING:
    from holdfast.scan.sarif import Found, Imported

MAX_FACTS = 2_000


@check(id="scan.reports", version=1, needs=("reports",), covers=("AML.T0010",))
def observe(target: Target, params: NoParams, budget: Budget) -> Observation:  # noqa: ARG001
    """Facts on each finding, gravest first, and how many of each severity are open. Unknown where a report has gaps."""
    read = [_read(path) for path in target.parts.reports]
    reports = [one for one in read if not isinstance(one, str)]
    found = [item for one in reports for item in one.found]
    facts = (*_tools(reports), *_severities(found), *_findings(found))
    gaps = [one for one in read if isinstance(one, str)] + [gap for one in reports for gap in one.gaps]
    if gaps:
        return Observation.unknown("; ".join(gaps[:5]), *facts)
    return Observation.of(facts, _counts(found))


def _read(path: Path) -> Imported | str:
    """A report, or why it cannot be read: a tool's broken report is no reason to end the audit."""
    from holdfast.scan.sarif import read_sarif

    try:
        return read_sarif(path)
    except FormatError as fault:
        return f"{path.name}: {fault.cause}"


def _tools(reports: list[Imported]) -> list[Fact]:
    return [Fact("report.tool", tool) for tool in sorted({tool for one in reports for tool in one.tools})]


def _severities(found: list[Found]) -> list[Fact]:
    """Each severity that occurs among open findings, once."""
    seen = {item.severity for item in found if not item.suppressed}
    return [Fact("report.severity", str(one)) for one in sorted(seen, key=lambda one: -one.rank)]


def _findings(found: list[Found]) -> list[Fact]:
    ordered = sorted(
        found, key=lambda one: (one.suppressed, -one.severity.rank, one.tool, one.rule, one.place, one.line)
    )
    dropped = len(ordered) - MAX_FACTS
    more = [Fact("report.findings-dropped", dropped)] if dropped > 0 else []
    return [_fact(item) for item in ordered[:MAX_FACTS]] + more


def _fact(item: Found) -> Fact:
    kind = "report.suppressed" if item.suppressed else "report.finding"
    place = f"{item.place}:{item.line}" if item.line else item.place
    detail = f"{item.severity}: {item.message}" if item.message else str(item.severity)
    return Fact(kind, f"{item.tool}: {item.rule}", member=place or None, detail=detail)


def _counts(found: Iterable[Found]) -> list[Measurement]:
    counts = Counter(item.severity for item in found if not item.suppressed)
    return [Measurement(f"reports.{severity}", counts[severity], "findings") for severity in Severity]
