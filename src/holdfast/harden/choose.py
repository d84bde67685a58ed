"""Which candidate is kept, and how much of its advantage the choice itself made up.

The best of many on some rows looks better on those rows than it is. So the choice is also made on four fifths of the
held-out rows and measured on the last fifth, for each fifth in turn: those figures flatter nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from holdfast.core.domain.hardening import BoxFigures, HardeningFigures, HardeningPoint
from holdfast.harden.judge import Judge, Judged

FOLDS = 5


def choose(points: Sequence[HardeningPoint], before: HardeningFigures, linf: float) -> HardeningPoint | None:
    """The allowed candidate with the highest robust recall, of equals the one with the higher AUC.

    None where no allowed candidate is better than the model before.
    """
    better = [
        point
        for point in points
        if point.allowed and point.figures.at(linf).robust_recall > before.at(linf).robust_recall
    ]
    return max(better, key=lambda point: _rank(point, linf), default=None)


def _rank(point: HardeningPoint, linf: float) -> tuple[float, float, int]:
    figures = point.figures
    return figures.at(linf).robust_recall, figures.auc, -point.number


def chosen_elsewhere(
    judge: Judge, before: Judged, candidates: Sequence[Judged], *, linf: float, max_auc_loss: float, seed: int
) -> HardeningFigures:
    """Mean figures over folds of the held-out rows, each measured on what was chosen on the other folds."""
    folds = _folds(judge, seed)
    found = []
    for fold in folds:
        others = np.sort(np.concatenate([other for other in folds if other is not fold]))
        base = judge.figures(before, others)
        points = [
            point_of(number, "", {}, judge.figures(one, others), base, max_auc_loss)
            for number, one in enumerate(candidates)
        ]
        best = choose(points, base, linf)
        found.append(judge.figures(before if best is None else candidates[best.number], fold))
    return _mean(found)


def point_of(
    number: int,
    recipe: str,
    params: dict[str, float | str],
    figures: HardeningFigures,
    before: HardeningFigures,
    max_auc_loss: float,
) -> HardeningPoint:
    """A candidate beside the model before."""
    loss = before.auc - figures.auc
    return HardeningPoint(number, recipe, params, figures, loss, loss <= max_auc_loss)


def _folds(judge: Judge, seed: int) -> list[NDArray[np.int64]]:
    """Parts of the held-out rows with their share of cases each."""
    random = np.random.default_rng(seed)
    parts: list[list[NDArray[np.int64]]] = [[] for _ in range(FOLDS)]
    for rows in (np.flatnonzero(judge.cases), np.flatnonzero(~judge.cases)):
        for part, piece in zip(parts, np.array_split(random.permutation(rows), FOLDS), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


def _mean(found: Sequence[HardeningFigures]) -> HardeningFigures:
    boxes = tuple(
        BoxFigures(
            first.linf,
            fmean(one.at(first.linf).robust_recall for one in found),
            fmean(one.at(first.linf).proven_recall for one in found),
        )
        for first in found[0].boxes
    )
    return HardeningFigures(
        auc=fmean(one.auc for one in found),
        recall=fmean(one.recall for one in found),
        flag_rate=fmean(one.flag_rate for one in found),
        train_flag_rate=fmean(one.train_flag_rate for one in found),
        attacked=sum(one.attacked for one in found),
        boxes=boxes,
    )
