"""MLflow models are a folder: an MLmodel is judged with the files it names, as it is loaded with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from holdfast.core.domain import Fact
from holdfast.scan.report import FileReport
from holdfast.scan.rules import ScanVerdict, judge, verdict_of

PART = "model-part"
"""The fact by which an MLmodel names a file or folder beside it; nothing against it by itself."""


def joined(reports: Iterable[FileReport]) -> Iterator[FileReport]:
    """The reports of a folder in their order; those of an MLmodel's folder wait until all of it is scanned."""
    waiting: list[FileReport] = []
    for report in reports:
        if waiting and not Path(report.path).is_relative_to(Path(waiting[0].path).parent):
            yield from _settled(waiting)
            waiting = []
        if waiting or report.format == "mlmodel":
            waiting.append(report)
        else:
            yield report
    yield from _settled(waiting)


def _settled(reports: list[FileReport]) -> Iterator[FileReport]:
    found = {Path(report.path): report for report in reports}
    for report in reports:
        yield _with_parts(report, found) if report.format == "mlmodel" else report


def _with_parts(report: FileReport, found: dict[Path, FileReport]) -> FileReport:
    """The report of an MLmodel with what is wrong with its parts."""
    folder = Path(report.path).parent
    named = [str(fact.value) for fact in report.facts if fact.kind == PART]
    more = tuple(fact for name in named for fact in _part(name, folder, found))
    if not more:
        return report
    facts = (*report.facts, *more)
    hits = judge(facts)
    return replace(report, facts=facts, hits=hits, verdict=verdict_of(hits))


def _part(name: str, folder: Path, found: dict[Path, FileReport]) -> Iterator[Fact]:
    """Nothing where the part is clean; the worst of a folder's files speaks for it."""
    place = folder / PurePosixPath(name)
    inside = [report for path, report in found.items() if path == place or place in path.parents]
    if not inside:
        yield Fact("part-missing", name)
        return
    worst = max(inside, key=lambda report: report.verdict.rank)
    if worst.verdict is not ScanVerdict.CLEAN:
        yield Fact("part-verdict", str(worst.verdict), member=str(PurePosixPath(Path(worst.path).relative_to(folder))))
