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
            "points": [_point_json(point) for point in self.run.points],
            "made_from": dict(self.run.made_from),
            "ledger": [{"kind": kind, "leaf": leaf} for kind, leaf in self.ledger],
        }

    @property
    def plots(self) -> tuple[Plot, ...]:
        """Before and after over the boxes, and every candidate as cost against gain."""
        return (boxes_plot(self.run), trade_plot(self.run))


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


def _line(figures: HardeningFigures, *, proven: bool) -> tuple[tuple[float, float], ...]:
    boxes = sorted(figures.boxes, key=lambda box: box.linf)
    start = (0.0, figures.recall)
    return (start, *((box.linf, box.proven_recall if proven else box.robust_recall) for box in boxes))


def _point_json(point: HardeningPoint) -> dict[str, Any]:
    return {**asdict(point), "params": dict(point.params)}
