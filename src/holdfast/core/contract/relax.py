"""Pulls rows towards their broken relations: first along all movable columns at once, then one column at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.evaluate import applies, derive, row_sum, row_truth, term_values
from holdfast.core.contract.ir import Constraint, Derived, Row, Term
from holdfast.core.contract.matrix import Floats

if TYPE_CHECKING:
    from holdfast.core.contract.contract import Contract

SWEEPS = 12
_MARGIN = 1e-12

Box = tuple[Floats, Floats]
Rows = NDArray[np.int64]


def satisfy(
    contract: Contract, X: Floats, was: Floats, units: Floats, box: Box, *, whole: bool, sweeps: int = SWEEPS
) -> Floats:
    """Rows (n, d) after up to `sweeps` passes over the relations; with `whole`, integers stay integers.

    A relation is pulled to its boundary by the gradient through derived columns; where that crosses a bound, the
    other columns take over in the next pass. Categories and one-hot members are never moved.
    """
    mover = _Mover(contract, was, units, box, whole)
    found = derive(contract, np.clip(X, *box))
    for _ in range(sweeps):
        pulled = [mover.pull(constraint, found) for constraint in contract.constraints]
        if not any(pulled):
            break
    return found


class _Mover:
    def __init__(self, contract: Contract, was: Floats, units: Floats, box: Box, whole: bool) -> None:
        self.contract, self.was, self.units = contract, was, units
        self.low, self.high = box
        self.whole = whole
        grouped = {column for group in contract.groups for column in group}
        self.free = np.array(
            [f.movable and f.type != "category" and i not in grouped for i, f in enumerate(contract.features)]
        )
        self.integer = np.array([f.type == "integer" for f in contract.features])

    def pull(self, constraint: Constraint, X: Floats) -> bool:
        """Moves the rows of `X` that break the constraint, in place; whether there were any."""
        moved = False
        for row in constraint.rows:
            broken = np.flatnonzero(row_truth(row, X, self.was).false & applies(constraint, X, self.was))
            if broken.size:
                moved = True
                X[broken] = self._pulled(row, X[broken], broken)
        return moved

    def _pulled(self, row: Row, X: Floats, rows: Rows) -> Floats:
        was = self.was[rows]
        with np.errstate(all="ignore"):
            gap = _aim(row) - row_sum(row, X, was)[0]
            slope = _gradient(self.contract, row, X, was) * self.free
            slope[~np.isfinite(slope)] = 0.0
            step = self._one_column(slope, gap, X, rows) if self.whole else self._all_columns(slope, gap, X, rows)
            step[~np.isfinite(step)] = 0.0
            return derive(self.contract, np.clip(X + step, self.low[rows], self.high[rows]))

    def _all_columns(self, slope: Floats, gap: Floats, X: Floats, rows: Rows) -> Floats:
        """The shortest step in units that closes the gap, along columns that are not at their bound."""
        way = np.sign(slope) * np.sign(gap)[:, None]
        room = np.where(way > 0, self.high[rows] - X, X - self.low[rows])
        weighted = np.where(room > 0, slope, 0.0) * self.units**2
        step: Floats = weighted * (gap / (weighted * slope).sum(axis=1))[:, None]
        return step

    def _one_column(self, slope: Floats, gap: Floats, X: Floats, rows: Rows) -> Floats:
        """The column that closes most of the gap, and among equals the one that moves least in units."""
        wanted = gap[:, None] / slope
        wanted = np.where(self.integer, _whole(wanted), wanted)
        step = np.clip(X + wanted, self.low[rows], self.high[rows]) - X
        left = np.abs(gap[:, None] - step * slope) / np.abs(gap)[:, None]
        rank = np.round(left, 9) + 1e-6 * np.abs(step) / self.units
        rank = np.where((slope != 0) & np.isfinite(rank), rank, np.inf)
        at, best = np.arange(len(step)), rank.argmin(axis=1)
        chosen = np.zeros_like(step)
        chosen[at, best] = np.where(np.isfinite(rank[at, best]), step[at, best], 0.0)
        return chosen


def _whole(wanted: Floats) -> Floats:
    """The next integer away from zero, but for rounding errors; a broken relation needs a step of at least 1."""
    found: Floats = np.sign(wanted) * np.maximum(np.ceil(np.abs(wanted) - 1e-9), 1.0)
    return found


def _aim(row: Row) -> float:
    """The value to bring the sum to: the bound, or just beyond it where the comparison is strict."""
    size = max(abs(row.bound), 1.0)
    beyond = math.ulp(size) + _MARGIN * size
    shift = {"<": -beyond, ">": beyond, "!=": beyond}.get(row.op, 0.0)
    return row.bound + shift


def _gradient(contract: Contract, row: Row, X: Floats, was: Floats) -> Floats:
    """How the sum of a row changes with each column (n, d), derived columns followed back to their sources."""
    slope = np.zeros_like(X)
    for term in row.terms:
        _add_slopes(slope, term, X, was, np.ones(len(X)))
    return through_derived(contract, slope, X)


def through_derived(contract: Contract, slope: Floats, X: Floats) -> Floats:
    """Slopes (n, d) of anything with each column, those with derived columns followed back to their sources, in place.

    Derived columns are left with 0. Where a derivation divides by zero slopes are NaN or infinite.
    """
    for derived in reversed(contract.derived):
        _follow(slope, derived, X, X)
    return slope


def _follow(slope: Floats, derived: Derived, X: Floats, was: Floats) -> None:
    outer = slope[:, derived.column].copy()
    if outer.any():
        slope[:, derived.column] = 0.0
        for term in derived.terms:
            _add_slopes(slope, term, X, was, outer)


def _add_slopes(slope: Floats, term: Term, X: Floats, was: Floats, outer: Floats) -> None:
    for position, factor in enumerate(term.factors):
        if factor.was:
            continue
        rest = Term(term.coefficient, term.factors[:position] + term.factors[position + 1 :])
        value = X[:, factor.column]
        inner = 1.0 if factor.power > 0 else -1.0 / (value * value)
        slope[:, factor.column] += outer * term_values(rest, X, was) * inner
