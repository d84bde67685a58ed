"""How values read in every form for people: numbers, versions, times, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from holdfast.core.domain import Measurement, Reason, Verdict, to_iso
from holdfast.core.report.documents import AcceptedFinding, AuditReport, CheckResult, GateReport
from holdfast.core.report.escape import visible

SHOWN_FACTS = 3
SHOWN_PROPERTIES = 4


def short(version: str) -> str:
    """`sha256:` and twelve digits."""
    scheme, colon, rest = version.partition(":")
    return visible(f"{scheme}{colon}{rest[:12]}")


def number(value: float) -> str:
    """Four significant digits; whole numbers in full."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def by_name(measurements: Iterable[Measurement]) -> list[list[Measurement]]:
    """The points of each property together, properties in the order they were measured."""
    properties: dict[str, list[Measurement]] = {}
    for one in measurements:
        properties.setdefault(one.name, []).append(one)
    return list(properties.values())


def measured(points: list[Measurement]) -> str:
    """One property at its points: `evasion.robust_recall 0.23 at linf=0.005, 0.11 at linf=0.01 (share, n=200)`."""
    first = points[0]
    values = ", ".join(f"{number(one.value)}{_at(one)}" for one in points)
    count = "" if first.n is None else f", n={first.n:,}"
    return visible(f"{first.name} {values} ({first.unit}{count})", 300)


def _at(one: Measurement) -> str:
    point = ", ".join(f"{name}={value:g}" for name, value in one.at.items())
    return f" at {point}" if point else ""


def shows(result: CheckResult) -> str:
    """What a check saw, in a line: its reason, then facts (counted where there are many), then measurements."""
    parts = [] if result.reason is None else [visible(result.reason, 300)]
    counts = Counter(fact.kind for fact in result.facts)
    for kind, count in counts.items():
        values = [str(fact.value) for fact in result.facts if fact.kind == kind]
        parts.append(visible(f"{kind}: {', '.join(values) if count <= SHOWN_FACTS else f'{count:,} of them'}", 160))
    properties = by_name(result.measurements)
    parts += [measured(points) for points in properties[:SHOWN_PROPERTIES]]
    more = len(properties) - SHOWN_PROPERTIES
    return "; ".join([*parts, f"and {more} more properties"] if more > 0 else parts)


def spent(result: CheckResult) -> str:
    """Seconds, or that nothing had to run."""
    return "cached" if result.cached else f"{result.elapsed_s:.1f} s"


def label(reason: Reason) -> str:
    """The word in front of a reason: a passed one is only a note."""
    return "note" if reason.verdict is Verdict.PASSED else reason.verdict.value


def size(count: int) -> str:
    """Bytes in the unit that fits."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def accepted_lines(report: GateReport) -> list[str]:
    """Who lets which finding pass, and until when."""
    return [f"accepted  {item.model} {item.rule}: {_accepted(item)}" for item in report.accepted]


def accepted_by_finding(report: GateReport) -> dict[tuple[str, str], str]:
    """The same by model and fingerprint."""
    return {(item.model, item.fingerprint): _accepted(item) for item in report.accepted}


def _accepted(item: AcceptedFinding) -> str:
    return f"{item.owner} owns the risk, {item.approver} approved it, until {_seconds(item.until)}"


def moment(report: AuditReport | GateReport) -> str:
    """`as of …, valid until …`, in whole seconds; an end that is past already is among the reasons instead."""
    until = report.valid_until if isinstance(report, GateReport) else None
    end = f", valid until {_seconds(until)}" if until is not None and until > report.as_of else ""
    return f"as of {_seconds(report.as_of)}{end}"


def _seconds(at: datetime) -> str:
    return to_iso(at.replace(microsecond=0))
