"""How far a point is from its row, in the norm of the goal, and whether it keeps the goal's limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.interface import Goal, Norm
from holdfast.core.contract.distance import moves

if TYPE_CHECKING:
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measure:
    """Distances of one goal under one contract, in units of `scales` (d,)."""

    contract: Contract
    scales: Floats
    goal: Goal

    def of(self, points: Floats, was: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """For points (k, d): distance in the norm that the goal minimises, cost, and whether all limits are kept."""
        step = moves(self.contract, points, was, self.scales)
        inside = np.ones(len(points), np.bool_)
        for limit in self.goal.within:
            inside &= self._in(limit.norm, step) <= limit.most
        return self._in(self.goal.minimise, step), self._in(Norm.L1, step), inside

    @property
    def cap(self) -> float:
        """The greatest L-inf that the goal's limits leave; inf where none does."""
        return min((limit.most for limit in self.goal.within if limit.norm is Norm.LINF), default=np.inf)

    def _in(self, norm: Norm, step: Floats) -> Floats:
        if norm is Norm.LINF:
            return np.asarray(step.max(axis=1, initial=0.0), np.float64)
        if norm is Norm.L2:
            return np.asarray(np.sqrt((step**2).sum(axis=1)), np.float64)
        if norm is Norm.L1:
            return np.asarray(step @ np.array([feature.cost for feature in self.contract.features]), np.float64)
        return self._columns_moved(step)

    def _columns_moved(self, step: Floats) -> Floats:
        changed = step > 0
        single = np.ones(step.shape[1], np.bool_)
        count = np.zeros(len(step))
        for group in self.contract.groups:
            single[list(group)] = False
            count += changed[:, list(group)].any(axis=1)
        return np.asarray(count + changed[:, single].sum(axis=1), np.float64)
