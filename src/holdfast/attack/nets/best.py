"""The best row found so far for each row: nothing gets in that is not valid, across and inside the goal's limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.blackbox.measure import Measure
from holdfast.attack.interface import EvasionResult
from holdfast.core.contract.distance import l1_cost, linf

if TYPE_CHECKING:
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.int64]
SAME = 1e-12
"""Relative difference below which two distances are the same, and the cost decides."""


class Best:
    """Answers for rows `was` (n, d). `near` keeps the smallest L-inf whatever other limits the goal has."""

    def __init__(self, was: Floats, measure: Measure, crossed: Callable[[Floats], Bools]) -> None:
        n = len(was)
        self.was, self.measure, self._crossed = was, measure, crossed
        self.moved, self.near = was.copy(), was.copy()
        self.distance, self.cost, self.radius = np.full(n, np.inf), np.full(n, np.inf), np.full(n, np.inf)
        self.nodes, self.queries = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.floor = np.zeros(n)

    @property
    def contract(self) -> Contract:
        return self.measure.contract

    @property
    def success(self) -> Bools:
        """(n,) rows that have an answer."""
        return np.asarray(np.isfinite(self.distance), np.bool_)

    def offer(self, rows: Rows, X: Floats, *, known: Bools | None = None) -> Bools:
        """Candidates (k, d) for `rows` (k,), a row at most once; which are valid and across, kept or not.

        `known` says which are across, where that was asked already.
        """
        was = self.was[rows]
        arrived: Bools = self.contract.validate(X, was).valid
        if known is not None:
            arrived &= known
        else:
            arrived[arrived] = self._crossed(X[arrived])
        rows, X, was = rows[arrived], X[arrived], was[arrived]
        if rows.size:
            self._keep_near(rows, X, was)
            self._keep(rows, X, was)
        return arrived

    def _keep_near(self, rows: Rows, X: Floats, was: Floats) -> None:
        found = linf(self.contract, X, was, self.measure.scales)
        nearer = (found < self.radius[rows]) & (found <= self.measure.cap)
        self.near[rows[nearer]], self.radius[rows[nearer]] = X[nearer], found[nearer]

    def _keep(self, rows: Rows, X: Floats, was: Floats) -> None:
        distance, cost, inside = self.measure.of(X, was)
        old = self.distance[rows]
        with np.errstate(invalid="ignore"):
            same = distance <= old * (1 + SAME)
        better = inside & ((distance < old * (1 - SAME)) | np.isinf(old) | (same & (cost < self.cost[rows])))
        rows = rows[better]
        self.moved[rows], self.distance[rows], self.cost[rows] = X[better], distance[better], cost[better]

    def result(self, method: str, seed: int, exhausted: Bools) -> EvasionResult:
        """What an attack answers."""
        found, scales = self.success, self.measure.scales
        return EvasionResult(
            success=found,
            adversarial=self.moved,
            linf=np.where(found, linf(self.contract, self.moved, self.was, scales), np.inf),
            floor=np.minimum(self.floor, self.distance),
            cost=np.where(found, l1_cost(self.contract, self.moved, self.was, scales), np.inf),
            valid=self.contract.validate(self.moved, self.was).valid,
            nodes=self.nodes,
            exhausted=exhausted,
            seed=seed,
            method=method,
            distance=self.distance,
            queries=self.queries,
        )
