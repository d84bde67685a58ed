"""The one arithmetic of rows and derived columns, over whole matrices.

Three outcomes per row of data, as laid down in `ir`: true, false, unknown (a column is missing).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.ir import TOLERANCE, Constraint, Derived, Row, Term
from holdfast.core.contract.matrix import Floats, as_matrix
from holdfast.core.contract.syntax import Binary, Expression, Name, Negate, Number, Text

if TYPE_CHECKING:
    from holdfast.core.contract.contract import Contract

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """Per row of data (n,): whether an IR row is `true`, or `unknown` because a value is missing."""

    true: Bools
    unknown: Bools

    @property
    def false(self) -> Bools:
        return ~self.true & ~self.unknown


def term_values(term: Term, X: Floats, was: Floats) -> Floats:
    """A term for each row of data (n,); NaN or infinite where it is missing or divides by zero."""
    product = np.full(len(X), term.coefficient)
    for factor in term.factors:
        column = (was if factor.was else X)[:, factor.column]
        product = product * column if factor.power > 0 else product / column
    return product


def row_sum(row: Row, X: Floats, was: Floats) -> tuple[Floats, Floats]:
    """The sum of a row and its slack, each (n,)."""
    total = np.zeros(len(X))
    largest = np.full(len(X), max(1.0, abs(row.bound)))
    with np.errstate(all="ignore"):
        for position, term in enumerate(row.terms):
            values = term_values(term, X, was)
            total = values if position == 0 else total + values
            largest = np.maximum(largest, np.abs(values))
        return total, TOLERANCE * largest


def row_truth(row: Row, X: Floats, was: Floats) -> Truth:
    """Whether a row holds, for each row of data."""
    unknown = _missing(row, X, was)
    total, slack = row_sum(row, X, was)
    with np.errstate(invalid="ignore"):
        true: Bools = np.isfinite(total) & np.isfinite(slack) & _compare(row.op, total, row.bound, slack)
    return Truth(true & ~unknown, unknown)


def _compare(op: str, total: Floats, bound: float, slack: Floats) -> Bools:
    difference = total - bound
    outcomes: dict[str, Callable[[], Bools]] = {
        "<=": lambda: difference <= slack,
        ">=": lambda: difference >= -slack,
        "==": lambda: np.abs(difference) <= slack,
        "<": lambda: difference < 0,
        ">": lambda: difference > 0,
        "!=": lambda: difference != 0,
    }
    return outcomes[op]()


def _missing(row: Row, X: Floats, was: Floats) -> Bools:
    found = np.zeros(len(X), dtype=np.bool_)
    for column, before in {(f.column, f.was) for term in row.terms for f in term.factors}:
        found |= np.isnan((was if before else X)[:, column])
    return found


def applies(constraint: Constraint, X: Floats, was: Floats) -> Bools:
    """Where the guard of a constraint is met."""
    met = np.ones(len(X), dtype=np.bool_)
    for row in constraint.guard:
        met &= row_truth(row, X, was).true
    return met


def breaks(constraint: Constraint, X: Floats, was: Floats) -> Bools:
    """Which rows of data break a constraint."""
    broken = np.zeros(len(X), dtype=np.bool_)
    for row in constraint.rows:
        broken |= row_truth(row, X, was).false
    return broken & applies(constraint, X, was) if constraint.guard else broken


def derive(contract: Contract, X: Floats) -> Floats:
    """A copy of `X` (n, d) with every derived column recomputed in float64 exactly as its formula is written.

    Where a column it needs is missing the result is missing; where it divides by zero or overflows it is the
    feature's `undefined`.
    """
    found = as_matrix(contract, X).copy()
    for derived in contract.derived:
        found[:, derived.column] = derive_column(contract, derived, found)
    return found


def derive_column(contract: Contract, derived: Derived, X: Floats) -> Floats:
    """One derived column (n,) from the columns it needs."""
    missing = np.zeros(len(X), dtype=np.bool_)
    for column in {f.column for term in derived.terms for f in term.factors}:
        missing |= np.isnan(X[:, column])
    with np.errstate(all="ignore"):
        values = np.broadcast_to(_calculate(contract, contract.formulas[derived.column], X), (len(X),))
    return np.where(missing, np.nan, np.where(np.isfinite(values), values, derived.undefined))


def _calculate(contract: Contract, node: Expression, X: Floats) -> Floats | np.float64:
    match node:
        case Number(value):
            return np.float64(value)
        case Name(name):
            return X[:, contract.index(name)]
        case Negate(operand):
            return -_calculate(contract, operand, X)
        case Text():
            raise AssertionError("the compiler lets no text into a formula")
        case Binary(op, left, right):
            a, b = _calculate(contract, left, X), _calculate(contract, right, X)
            if op == "+":
                return a + b
            if op == "-":
                return a - b
            return a * b if op == "*" else a / b
