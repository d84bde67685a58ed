"""Distances in the norm of the goal, and the limits on a row: totals over columns, and what a move adds to them."""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.jit import RealArray, ints, kernel, reals
from holdfast.attack.evasion.kernels.rules import distance, row_distance
from holdfast.attack.evasion.kernels.state import State

LINF, L1, L0, L2 = 0, 1, 2, 3
"""Rows of `caps` and `spent`; L2 is squared throughout."""
SUMS = (L1, L0, L2)
LEAST_TOLL = 1e-9
"""A move that adds less than this to the distance is as good as free."""


@kernel
def toll(s: State, norm: int, column: int, units: float) -> float:
    """What a column moved by `units` adds to a total. Members of a one-hot group change in pairs: half each."""
    if norm == L1:
        return reals(s.cost)[column] * units
    if norm == L2:
        return units * units
    if norm == L0:
        return reals(s.share)[column] if units > 0.0 else 0.0
    return units


@kernel
def row_toll(s: State, norm: int) -> float:
    """The distance of the present row from the row before the attack."""
    if norm == LINF:
        return row_distance(s)
    total = 0.0
    for column in range(s.n_columns):
        total += toll(s, norm, column, distance(s, column, reals(s.x)[column]))
    return total


@kernel
def account(s: State) -> None:
    """Note the totals of the present row."""
    if s.capped != 0:
        for norm in SUMS:
            reals(s.spent)[norm] = row_toll(s, norm)


@kernel
def fits_caps(s: State, totals: RealArray) -> bool:
    """Whether totals (4,) keep all limits."""
    for norm in SUMS:  # noqa: SIM110
        if totals[norm] > reals(s.caps)[norm]:
            return False
    return True


@kernel
def row_fits(s: State) -> bool:
    """Whether the present row, pending changes included, keeps all limits on totals."""
    if s.capped != 0:
        for norm in SUMS:
            if row_toll(s, norm) > reals(s.caps)[norm]:
                return False
    return True


@kernel
def single_fits(s: State, column: int, slot: int) -> bool:
    """Whether the limits on totals are kept when one column alone moves to a slot."""
    if s.capped != 0:
        before = distance(s, column, reals(s.x)[column])
        for norm in SUMS:
            added = toll(s, norm, column, reals(s.far)[slot]) - toll(s, norm, column, before)
            if reals(s.spent)[norm] + added > reals(s.caps)[norm]:
                return False
    return True


@kernel
def single_extra(s: State, column: int, slot: int) -> float:
    """What moving one column to a slot adds to the distance; in L-inf, how far the slot is."""
    far = reals(s.far)[slot]
    if s.norm == LINF:
        return far
    return toll(s, s.norm, column, far) - toll(s, s.norm, column, distance(s, column, reals(s.x)[column]))


@kernel
def worth(s: State, found: float, now: float, extra: float) -> float:
    """How good a move is: the gap it reaches or, where `greed` says so, what it gains for what it adds."""
    return (found - now) / max(extra, LEAST_TOLL) if s.greed != 0 else found


@kernel
def least_far(s: State, column: int, low: int, high: int, radius: float) -> float:
    """The least distance of the usable slots low .. high of a column; inf where there is none."""
    far, start, least = reals(s.far), ints(s.start)[column], np.inf
    for slot in range(start + low, start + high):
        if far[slot] <= radius:
            least = min(least, far[slot])
    return least
