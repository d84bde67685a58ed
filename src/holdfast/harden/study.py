"""Plans tried on training rows alone: fitted on three quarters, judged on the last.

Held-out rows see only what is worth a full judgement, so that looking far costs no honesty. Compared is what is proven:
a plan cannot look better by fooling the search that it was trained against.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from holdfast.harden.interface import Bench
from holdfast.harden.plan import Plan, train
from holdfast.harden.rounds import caught, search
from holdfast.harden.scores import auc, level_for

Floats = NDArray[np.float64]
SHARE = 0.25
MOST_ROWS = 120
"""Caught cases attacked for each plan."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a plan reached on rows it was not fitted on. `held` is the mean, over the box wanted and one twice as wide,
    of the share of all cases proven to stay caught: a model that gives way right behind its box is not robust."""

    auc: float
    held: float


class Study:
    """One split of a bench; every plan is tried on the same."""

    def __init__(self, bench: Bench) -> None:
        order = np.random.default_rng(bench.seed).permutation(len(bench.y))
        aside = round(SHARE * len(order))
        self._bench, places, self._places = bench, np.sort(order[aside:]), np.sort(order[:aside])
        self._part = replace(bench, X=bench.X[places], y=bench.y[places])

    @property
    def usable(self) -> bool:
        """Whether both parts hold rows of both classes."""
        return all(np.unique(labels).size == 2 for labels in (self._part.y, self._bench.y[self._places]))

    def trial(self, plan: Plan) -> Outcome:
        """Fit, decide at the flag rate wanted, attack."""
        bench, part = self._bench, self._part
        fitted = train(part, plan)
        level = level_for(fitted.margins(part.X), bench.flag_rate)
        rows, labels = bench.X[self._places], bench.y[self._places]
        margins = fitted.margins(rows)
        mine = np.flatnonzero(caught(bench, margins, labels, level))
        recall = mine.size / max(int((labels == bench.harmed).sum()), 1)
        chosen = np.random.default_rng(bench.seed).permutation(mine)[:MOST_ROWS]
        floors = search(bench, fitted, rows[chosen], level, bench.seed).floor if chosen.size else np.zeros(0)
        held = [recall * float((floors > box).mean()) if floors.size else 0.0 for box in (bench.linf, 2 * bench.linf)]
        return Outcome(auc(labels, margins), float(np.mean(held)))
