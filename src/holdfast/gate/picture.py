"""A gate run as one page of HTML: verdicts, reasons, and how robust each model is, as plots with their tables.

One file without scripts or outside parts, so that it can be kept as an artifact of the pipeline.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from holdfast.core.domain import Measurement
from holdfast.core.report import GateReport, ModelReport
from holdfast.core.report.escape import html
from holdfast.core.report.page import figure, page, state, table
from holdfast.core.report.plot import Plot, Series
from holdfast.core.report.words import accepted_lines, label, moment, short

DRAWN: Final = (
    ("evasion.robust_recall", "Caught cases that stay caught", "linf", "largest change, share of a column's range"),
    ("blackbox.robust_recall", "Caught cases that stay caught by questions alone", "linf", "largest change"),
    ("privacy.membership.tpr", "Training rows that are found", "fpr", "share of false alarms"),
)


def picture(report: GateReport) -> str:
    """The page. Colour repeats what a word says and never says it alone."""
    verdict = report.verdict.value
    lines = [
        f"<h1>Gate: {state(verdict)}</h1>",
        f"<p>{'Blocked' if report.blocks else 'May go'}, {moment(report)}.</p>",
    ]
    lines += [f"<p>{html(line)}.</p>" for line in accepted_lines(report)]
    for item in report.models:
        lines += _model(item)
    return page(f"Holdfast gate: {verdict}", lines)


def plots(item: ModelReport) -> tuple[Plot, ...]:
    """What can be drawn of a model's measurements."""
    seen = [one for result in item.results for one in result.measurements]
    drawn = (_plot(item, seen, *what) for what in DRAWN)
    return tuple(plot for plot in drawn if plot is not None)


def _plot(item: ModelReport, seen: Sequence[Measurement], name: str, title: str, axis: str, words: str) -> Plot | None:
    points = sorted((one.at[axis], one.value) for one in seen if one.name == name and axis in one.at)
    if len(points) < 2:
        return None
    first, last = points[0], points[-1]
    description = f"{name} goes from {first[1]:.3g} at {axis}={first[0]:g} to {last[1]:.3g} at {axis}={last[0]:g}"
    return Plot(f"{title}: {item.model}", description, words, "share", "line", (Series(name, tuple(points)),))


def _model(item: ModelReport) -> Iterable[str]:
    yield f"<h2>{html(item.model)}: {state(item.judgement.verdict.value)}</h2>"
    yield f"<p>Version {html(short(item.version))}, policy {html(item.judgement.policy)}.</p>"
    if item.reasons:
        rows = [(reason.rule, label(reason), reason.why, reason.fix) for reason in item.reasons]
        yield from table(("rule", "verdict", "why", "fix"), rows)
    for plot in plots(item):
        yield from figure(plot)
