"""The contract inside kernels: is a changed row still possible, and what must change along with a column.

The arithmetic follows `core.contract.ir`. It prunes the search; what is finally reported is judged by
`Contract.validate`, never by these functions.
"""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.jit import ints, kernel, reals
from holdfast.attack.evasion.kernels.state import State

NUMBER, INTEGER, CATEGORY = 0, 1, 2
NEVER, UP, DOWN, ANY = 0, 1, 2, 3
LE, LT, GE, GT, EQ, NE = 0, 1, 2, 3, 4, 5
SLACK = 1e-9
UNKNOWN, FALSE, TRUE = -1, 0, 1
NUDGE = 1e-8
"""Relative step off an exact solution that float64 rounds to the wrong side."""


@kernel
def term_value(s: State, term: int) -> float:
    """One term of a row; NaN where a column is missing, inf where it divides by zero."""
    value, by_zero = reals(s.coefficient)[term], False
    for f in range(ints(s.factor_at)[term], ints(s.factor_at)[term + 1]):
        column = ints(s.factor)[f]
        operand = reals(s.x)[column] if column >= 0 else reals(s.was)[-1 - column]
        if np.isnan(operand):
            return np.nan
        if ints(s.inverse)[f] != 0:
            by_zero = by_zero or operand == 0.0
            value /= operand
        else:
            value *= operand
    return np.inf if by_zero else value


@kernel
def row_state(s: State, row: int) -> int:
    """TRUE, FALSE, or UNKNOWN where a column of the row is missing."""
    bound = reals(s.bound)[row]
    total, largest, broken = 0.0, max(1.0, abs(bound)), False
    for term in range(ints(s.term_at)[row], ints(s.term_at)[row + 1]):
        value = term_value(s, term)
        if np.isnan(value):
            return UNKNOWN
        broken = broken or np.isinf(value)
        total += value
        largest = max(largest, abs(value))
    gap, slack, op = total - bound, SLACK * largest, ints(s.op)[row]
    if op == LE:
        holds = gap <= slack
    elif op == GE:
        holds = gap >= -slack
    elif op == EQ:
        holds = abs(gap) <= slack
    elif op == LT:
        holds = gap < 0
    elif op == GT:
        holds = gap > 0
    else:
        holds = gap != 0
    return TRUE if holds and not broken else FALSE


@kernel
def relation_holds(s: State, relation: int) -> bool:
    """Whether a relation is kept: its guard is not met, or no row of its body is false."""
    body = ints(s.body_row)[relation]
    for row in range(ints(s.first_row)[relation], body):
        if row_state(s, row) != TRUE:
            return True
    for row in range(body, ints(s.first_row)[relation + 1]):  # noqa: SIM110
        if row_state(s, row) == FALSE:
            return False
    return True


@kernel
def relations_hold(s: State, column: int) -> bool:
    """Whether every relation that reads a column is kept."""
    for at in range(ints(s.touch_at)[column], ints(s.touch_at)[column + 1]):
        if not relation_holds(s, ints(s.touch)[at]):
            return False
    return True


@kernel
def single_holds(s: State, column: int, value: float) -> bool:
    """Whether the relations are kept when one column alone takes `value`."""
    if ints(s.touch_at)[column] == ints(s.touch_at)[column + 1]:
        return True
    x = reals(s.x)
    before = x[column]
    x[column] = value
    kept = relations_hold(s, column)
    x[column] = before
    return kept


@kernel
def value_holds(s: State, column: int) -> bool:
    """Whether a column's present value is allowed: bounds, integrality, direction, missing values."""
    value, was = reals(s.x)[column], reals(s.was)[column]
    if np.isnan(value):
        return ints(s.missing)[column] != 0
    if value < reals(s.least)[column] or value > reals(s.most)[column]:
        return False
    if ints(s.kind)[column] == INTEGER and value != np.floor(value):
        return False
    if ints(s.derived)[column] != 0 or value == was:
        return True
    move = ints(s.move)[column]
    return move == ANY or (move == UP and value >= was) or (move == DOWN and value <= was)


@kernel
def distance(s: State, column: int, value: float) -> float:
    """How far `value` is from where the column was, in its unit: 1 for a change of category or to and from missing.

    Derived columns follow the others and count for nothing.
    """
    was = reals(s.was)[column]
    if ints(s.derived)[column] != 0 or value == was or (np.isnan(value) and np.isnan(was)):
        return 0.0
    if ints(s.kind)[column] == CATEGORY or np.isnan(value) or np.isnan(was):
        return 1.0
    return abs(value - was) / reals(s.scale)[column]


@kernel
def assign(s: State, column: int, value: float) -> None:
    """Set a column and recompute what is derived from it; all stays pending until kept or dropped."""
    _put(s, column, value)
    for at in range(ints(s.affected_at)[column], ints(s.affected_at)[column + 1]):
        number = ints(s.affected)[at]
        total = 0.0
        for term in range(ints(s.derived_term_at)[number], ints(s.derived_term_at)[number + 1]):
            total += term_value(s, term)
        if np.isinf(total):
            total = reals(s.derived_undefined)[number]
        _put(s, ints(s.derived_column)[number], total)


@kernel
def _put(s: State, column: int, value: float) -> None:
    x = reals(s.x)
    for i in range(s.n_changes):
        if ints(s.change_column)[i] == column:
            x[column] = value
            return
    ints(s.change_column)[s.n_changes] = column
    reals(s.change_value)[s.n_changes] = x[column]
    s.n_changes += 1
    x[column] = value


@kernel
def drop(s: State) -> None:
    """Take the pending changes back."""
    for i in range(s.n_changes):
        reals(s.x)[ints(s.change_column)[i]] = reals(s.change_value)[i]
    s.n_changes = 0


@kernel
def changes_hold(s: State) -> bool:
    """Whether all changed columns, and every relation that reads one, are as the contract wants them."""
    for i in range(s.n_changes):
        if not value_holds(s, ints(s.change_column)[i]):
            return False
    for i in range(s.n_changes):  # noqa: SIM110
        if not relations_hold(s, ints(s.change_column)[i]):
            return False
    return True


@kernel
def changes_distance(s: State) -> float:
    """The greatest distance among the changed columns."""
    greatest = 0.0
    for i in range(s.n_changes):
        column = ints(s.change_column)[i]
        greatest = max(greatest, distance(s, column, reals(s.x)[column]))
    return greatest


@kernel
def row_distance(s: State) -> float:
    """The greatest distance of any column from the row before the attack."""
    greatest = 0.0
    for column in range(s.n_columns):
        greatest = max(greatest, distance(s, column, reals(s.x)[column]))
    return greatest


@kernel
def row_cost(s: State) -> float:
    """The sum of the columns' distances, weighted by their cost."""
    total = 0.0
    for column in range(s.n_columns):
        total += reals(s.cost)[column] * distance(s, column, reals(s.x)[column])
    return total


@kernel
def solve(s: State, row: int, column: int, wanted: int) -> float:
    """The value of `column` nearest to where `row` turns to `wanted` (TRUE or FALSE); NaN where there is none.

    The row is linear in the column, or in one over it.
    """
    x = reals(s.x)
    before = x[column]
    rest, slope, below = -reals(s.bound)[row], 0.0, False
    for term in range(ints(s.term_at)[row], ints(s.term_at)[row + 1]):
        power = _power(s, term, column)
        if power == 0:
            rest += term_value(s, term)
        else:
            x[column] = 1.0
            slope += term_value(s, term)
            x[column] = before
            below = power < 0
    root = -slope / rest if below else -rest / slope
    return _nudged(s, row, column, root, wanted) if np.isfinite(root) else np.nan


@kernel
def _power(s: State, term: int, column: int) -> int:
    power = 0
    for f in range(ints(s.factor_at)[term], ints(s.factor_at)[term + 1]):
        if ints(s.factor)[f] == column:
            power += -1 if ints(s.inverse)[f] != 0 else 1
    return power


@kernel
def _nudged(s: State, row: int, column: int, root: float, wanted: int) -> float:
    """`root` or, on the column's grid, a neighbour of it for which the row's state is `wanted`; else NaN."""
    whole = ints(s.kind)[column] == INTEGER
    base = np.floor(root) if whole else root
    step = 1.0 if whole else NUDGE * max(1.0, abs(root))
    x, was = reals(s.x), reals(s.was)[column]
    before, best = x[column], np.nan
    for k in range(4):
        candidate = base + (k - 1) * step
        x[column] = candidate
        if row_state(s, row) == wanted and (np.isnan(best) or abs(candidate - was) < abs(best - was)):
            best = candidate
    x[column] = before
    return best
