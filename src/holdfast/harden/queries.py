"""Views of hardening runs that the command line, the API and the console share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from holdfast.core.domain.hardening import Hardening, HardeningFigures, HardeningPoint
from holdfast.core.report.plot import Plot, Series

if TYPE_CHECKING:
    from holdfast.core.store.transaction import Transaction

RUNS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class HardeningView:
    """One run, with the ledger entries about it (kind and leaf; no leaf yet: None)."""

    id: str
    run: Hardening
    ledger: tuple[tuple[str, int | None], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the figures that are asked for first spelled out."""
        before, after = self.run.before, self.run.after
        return {
            "id": self.id,
            "model": self.run.model,
            "source": self.run.source,
            "version": self.run.version,
            "file": self.run.file,
            "recorded_at": self.run.recorded_at,
            "seed": self.run.seed,
            "complete": self.run.complete,
            "linf": self.run.linf,
            "max_auc_loss": self.run.max_auc_loss,
            "before": asdict(before),
            "after": None if after is None else asdict(after),
            "auc_loss": None if after is None else before.auc - after.auc,
            "chosen_elsewhere": None if self.run.elsewhere is None else asdict(self.run.elsewhere),
            "chosen": self.run.chosen,
            "front": list(front(self.run)),
            "points": [_point_json(point) for point in self.run.points],
            "made_from": dict(self.run.made_from),
            "ledger": [{"kind": kind, "leaf": leaf} for kind, leaf in self.ledger],
        }

    @property
    def plots(self) -> tuple[Plot, ...]:
        """Before and after over the boxes, every candidate as cost against gain, and the front over the boxes."""
        return (boxes_plot(self.run), trade_plot(self.run), front_plot(self.run))


@dataclass(frozen=True, slots=True)
class HardeningsView:
    """The newest runs of one model or of all."""

    as_of: datetime
    runs: tuple[HardeningView, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"schema_version": 1, "as_of": self.as_of, "runs": [run.to_json() for run in self.runs]}


def hardenings_view(
    tx: Transaction, now: datetime, *, model: str | None = None, limit: int = RUNS_SHOWN
) -> HardeningsView:
    """The newest runs, newest first."""
    return HardeningsView(now, tuple(_view(tx, run) for run in tx.hardenings.recent(limit, model=model)))


def hardening_view(tx: Transaction, run_id: str) -> HardeningView | None:
    """One run by its id."""
    run = tx.hardenings.find(run_id)
    return None if run is None else _view(tx, run)


def _view(tx: Transaction, run: Hardening) -> HardeningView:
    return HardeningView(run.id, run, tuple(tx.intents.about(run.id)))


def boxes_plot(run: Hardening) -> Plot:
    """Robust recall over the size of the box: before, after, and what is proven after."""
    series = [Series("before", _line(run.before, proven=False))]
    if run.after is not None:
        series.append(Series("after", _line(run.after, proven=False)))
        series.append(Series("proven after", _line(run.after, proven=True)))
    first = run.before.at(run.linf).robust_recall
    last = first if run.after is None else run.after.at(run.linf).robust_recall
    return Plot(
        f"Caught cases that stay caught: {run.model}",
        f"robust recall at linf={run.linf:g} goes from {first:.3f} to {last:.3f}",
        "largest change, share of a column's range",
        "share of cases",
        "line",
        tuple(series),
    )


def trade_plot(run: Hardening) -> Plot:
    """Every candidate: what it costs in AUC, and the robust recall it has. The line is the model before."""
    points = tuple((point.auc_loss, point.figures.at(run.linf).robust_recall) for point in run.points)
    chosen = "none was kept" if run.chosen is None else f"number {run.chosen} was kept"
    return Plot(
        f"Cost and gain of {len(run.points)} candidates: {run.model}",
        f"each dot is a candidate; {chosen}; at most {run.max_auc_loss:g} AUC may be lost",
        "AUC lost (negative: gained)",
        f"robust recall at {run.linf:g}",
        "dots",
        (Series("candidates", points or ((0.0, 0.0),)),),
        limit=("before", run.before.at(run.linf).robust_recall),
    )


def front(run: Hardening) -> tuple[int, ...]:
    """Numbers of candidates that no other beats in both AUC and robust recall, the most robust first."""
    points = {point.number: (point.figures.at(run.linf).robust_recall, point.figures.auc) for point in run.points}
    best = [
        number
        for number, mine in points.items()
        if not any(one != mine and one[0] >= mine[0] and one[1] >= mine[1] for one in points.values())
    ]
    return tuple(sorted(best, key=lambda number: (-points[number][0], -points[number][1], number)))


def front_plot(run: Hardening) -> Plot:
    """Robust recall over the boxes of the model before and of candidates from end to end of the front."""
    numbers = front(run)
    shown = [numbers[place] for place in sorted({0, len(numbers) // 2, len(numbers) - 1})] if numbers else []
    lines = [
        Series(
            f"{point.number}: {point.recipe}, AUC {point.figures.auc:.4f}, flags {point.figures.flag_rate:.3f}",
            _line(point.figures, proven=False),
        )
        for number in shown
        for point in run.points
        if point.number == number
    ]
    return Plot(
        f"The front of {run.model}: {len(numbers)} of {len(run.points)} candidates",
        "no other candidate is better in both robust recall and AUC; shown are both ends and the middle",
        "largest change, share of a column's range",
        "share of cases",
        "line",
        (Series(f"before: AUC {run.before.auc:.4f}", _line(run.before, proven=False)), *lines),
    )


def _line(figures: HardeningFigures, *, proven: bool) -> tuple[tuple[float, float], ...]:
    boxes = sorted(figures.boxes, key=lambda box: box.linf)
    start = (0.0, figures.recall)
    return (start, *((box.linf, box.proven_recall if proven else box.robust_recall) for box in boxes))


def _point_json(point: HardeningPoint) -> dict[str, Any]:
    return {**asdict(point), "params": dict(point.params)}
