"""From climbs to the smallest move: the radius is bisected per row, and what was not needed is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.blackbox.measure import Measure
from holdfast.attack.interface import Budget, Goal, Norm
from holdfast.attack.nets.aim import aim_at
from holdfast.attack.nets.best import Best
from holdfast.attack.nets.bounds import floors
from holdfast.attack.nets.box import Rows, Space, row_words, shares
from holdfast.attack.nets.climb import Climber
from holdfast.attack.nets.target import NetTarget

if TYPE_CHECKING:
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
WALK = 6
STEPS = 12
LONG = 40
"""Steps of a climb that has the whole space."""
ROUNDS = 16
FINE = 0.001
"""Relative width at which a bisection ends."""
WIDER = (1.0, 1.5, 2.5, 6.0, np.inf)
"""Multiples of the smallest L-inf at which moves in another norm are looked for."""


class Hunt:
    """All rows of one attack. `run` fills `best`."""

    def __init__(
        self, target: NetTarget, rows: Floats, goal: Goal, budget: Budget, contract: Contract, scales: Floats, seed: int
    ) -> None:
        aim = aim_at(target.net, goal)
        self.space = Space.of(contract, rows, scales)
        measure = Measure(contract, scales, goal)
        self.best = Best(rows, measure, lambda X: target.crossed(X, aim))
        self.climber = Climber(target, aim, self.space, self.best, budget.nodes_per_row)
        self._words, self._restarts = row_words(rows, seed), budget.restarts
        self._reach = np.minimum(self.space.reach(), measure.cap)
        self._plain = goal.minimise is Norm.LINF and all(limit.norm is Norm.LINF for limit in goal.within)

    def run(self) -> None:
        """Search every row that keeps the contract before the attack."""
        best = self.best
        rows = np.flatnonzero(best.contract.validate(best.was).valid)
        if not rows.size:
            return
        linf_floor = floors(self.climber.target, self.climber.aim, self.space, rows, self._reach[rows])
        if self._plain:
            best.floor[rows] = linf_floor
        self.climber.walk(rows, WALK, self._reach)
        self._far(rows)
        near = np.zeros(len(best.was))
        near[rows] = linf_floor
        self._bisect(rows[np.isfinite(best.radius[rows])], near)
        self.pull_back(rows[np.isfinite(best.radius[rows])], best.near)
        if not self._plain:
            self._wider(rows[np.isfinite(best.radius[rows])])

    def _far(self, rows: Rows) -> None:
        """Rows that the walk left behind get the whole space, first from the row, then from random ones."""
        for turn in range(self._restarts + 1):
            rows = self.climber.open(rows[np.isinf(self.best.radius[rows])])
            if not rows.size:
                return
            start = self.best.was[rows] if turn == 0 else self._random(rows, turn, self._reach[rows])
            self.climber.climb(rows, self._reach[rows], start, LONG)

    def _random(self, rows: Rows, turn: int, radius: Floats) -> Floats:
        low, high = self.space.box(rows, radius)
        low, high = (np.where(np.isfinite(side), side, self.best.was[rows]) for side in (low, high))
        return low + shares(self._words[rows], turn, low.shape[1]) * (high - low)

    def _bisect(self, rows: Rows, low: Floats) -> None:
        """Smaller boxes while one is found that still holds a way across, each entered from the last arrival."""
        best, share = self.best, np.full(len(self.best.was), 0.12)
        for turn in range(ROUNDS):
            rows = self.climber.open(rows[low[rows] < best.radius[rows] * (1 - FINE)])
            rows = rows[share[rows] > FINE / 2]
            if not rows.size:
                return
            high = best.radius[rows]
            radius = np.maximum(high * (1 - share[rows]), (low[rows] + high) / 2)
            start = best.near[rows] if turn % 4 < 3 else self._random(rows, 64 + turn, radius)
            arrived, _ = self.climber.climb(rows, radius, start, STEPS)
            low[rows[~arrived]] = radius[~arrived]
            share[rows] = np.where(arrived, np.minimum(2 * share[rows], 0.5), share[rows] / 2)

    def pull_back(self, rows: Rows, points: Floats) -> None:
        """Columns go back to where they were, the least useful first, as long as the row stays across."""
        moved, was = points[rows].copy(), self.best.was[rows]
        _, _, slopes = self.climber.look(rows, moved)
        use = np.nan_to_num(np.abs(slopes * (moved - was)), posinf=np.inf)
        for columns in np.argsort(use, axis=1, kind="stable").T:
            at = np.arange(len(rows))
            changed = (moved[at, columns] != was[at, columns]) & ~np.isnan(was[at, columns])
            changed &= ~self.space.derived[columns]
            at = at[changed]
            if at.size:
                trial = moved[at].copy()
                trial[np.arange(at.size), columns[at]] = was[at, columns[at]]
                trial = self.best.contract.derive(trial)
                self.best.nodes[rows[at]] += self.climber.target.net.n_weights
                kept = self.best.offer(rows[at], trial)
                moved[at[kept]] = trial[kept]

    def _wider(self, rows: Rows) -> None:
        """Few columns moved far are cheap in other norms: climb in wider boxes, and take back what can be."""
        for factor in WIDER:
            open_rows = self.climber.open(rows)
            radius = np.minimum(self.best.radius[open_rows] * factor, self._reach[open_rows])
            arrived, points = self.climber.climb(open_rows, radius, self.best.was[open_rows], STEPS)
            whole = self.best.was.copy()
            whole[open_rows] = points
            self.pull_back(open_rows[arrived], whole)
