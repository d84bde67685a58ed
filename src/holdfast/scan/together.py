"""Files that are loaded together are judged together: an MLmodel with the files it names, a model with its weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from holdfast.core.domain import Fact
from holdfast.scan.inspect import Budget
from holdfast.scan.report import FileReport
from holdfast.scan.rules import ScanVerdict, judge, verdict_of
from holdfast.scan.weights import RAW, claims_of, explained

PART = "model-part"
"""The fact by which an MLmodel or an index names a file or folder beside it; nothing against it by itself."""


def joined(reports: Iterable[FileReport], budget: Budget | None = None) -> Iterator[FileReport]:
    """The reports of a folder in their order; those that need others wait until all of their folder is scanned."""
    waiting: list[FileReport] = []
    before: dict[Path, FileReport] = {}
    folder: Path | None = None
    for report in reports:
        here = Path(report.path).parent
        if waiting and not here.is_relative_to(Path(waiting[0].path).parent):
            yield from _settled(waiting, before, budget)
            waiting = []
        if waiting or report.claims or report.format == RAW or _parts(report):
            waiting.append(report)
            continue
        if here != folder:
            folder, before = here, {}
        before[Path(report.path)] = report
        yield report
    yield from _settled(waiting, before, budget)


def _settled(reports: list[FileReport], before: dict[Path, FileReport], budget: Budget | None) -> Iterator[FileReport]:
    """Weights by their models, models by their weights, then what names files by those files' final rows.

    `before` are reports of the first one's folder that were given already, as nothing about them was open.
    """
    claims = claims_of(report for report in reports if report.claims)
    found = before | {Path(report.path): report for report in reports}
    for path, report in found.items():
        if report.format == RAW:
            found[path] = explained(report, claims.get(path, []), budget)
    folders = {folder for path in found for folder in path.parents}
    for flavored in (False, True):
        for path, report in found.items():
            if _parts(report) and (report.format == "mlmodel") is flavored:
                found[path] = _with_parts(report, found, folders)
    yield from (found[Path(report.path)] for report in reports)


def _parts(report: FileReport) -> list[str]:
    """Places relative to the file's folder that are loaded with it."""
    named = [str(fact.value) for fact in report.facts if fact.kind == PART]
    return named + [str(claim.path(Path(report.path).name)) for claim in report.claims]


def _with_parts(report: FileReport, found: dict[Path, FileReport], folders: set[Path]) -> FileReport:
    """The report with what is wrong with its parts."""
    folder = Path(report.path).parent
    more = tuple(fact for name in _parts(report) for fact in _part(name, folder, found, folders))
    if not more:
        return report
    facts = (*report.facts, *more)
    hits = judge(facts, report.names)
    return replace(report, facts=facts, hits=hits, verdict=verdict_of(hits))


def _part(name: str, folder: Path, found: dict[Path, FileReport], folders: set[Path]) -> Iterator[Fact]:
    """Nothing where the part is clean; the worst of a folder's files speaks for it."""
    place = folder / PurePosixPath(name)
    inside = [found[place]] if place in found else []
    if place in folders:
        inside = [report for path, report in found.items() if place in path.parents]
    if not inside:
        yield Fact("part-missing", name)
        return
    worst = max(inside, key=lambda report: report.verdict.rank)
    if worst.verdict is not ScanVerdict.CLEAN:
        yield Fact("part-verdict", str(worst.verdict), member=str(PurePosixPath(Path(worst.path).relative_to(folder))))
