"""Sums and differences that hold on every row, or on the rows where something is there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.matrix import Floats
from holdfast.core.contract.mining.columns import Column, Columns
from holdfast.core.contract.mining.equations import Equation, find_equations, holds, plain_number
from holdfast.core.contract.mining.mined import Formula, OneHotGroup, Relation, computed_rank
from holdfast.core.contract.syntax import show_number, signed_number

MAX_COLUMNS = 1_000
MAX_ADDENDS = 12
MISSING_SHARES = (0.0, 0.05, 0.3, 1.0)
MAX_CONDITIONS = 40
CONDITION_SAMPLE = 400
MIN_VARYING = 30
MIN_VARYING_SHARE = 0.01
CONDITION_SHARES = (0.05, 0.98)


def mine_linear(columns: Columns, rng: np.random.Generator) -> tuple[list[OneHotGroup], list[Formula], list[Relation]]:
    """One-hot groups, derived sums and the equations that cannot be written as such."""
    groups: list[OneHotGroup] = []
    formulas: list[Formula] = []
    relations: list[Relation] = []
    for equation in _equations(columns, rng):
        involved = [columns.found[position] for position in equation.columns]
        if _is_group(equation, involved):
            rarest = min(column.share(1.0) for column in involved)
            support = f"exactly one is 1 on all {columns.n_rows:,} rows; the rarest on {rarest:.2%}"
            groups.append(OneHotGroup(equation.columns, support))
        elif len(equation.columns) <= MAX_ADDENDS + 1 and (informative := _informative(columns, equation)):
            support = _support(columns, equation, informative)
            formula = _formula(columns, equation, support)
            if formula is not None:
                formulas.append(formula)
            else:
                relations.append(_relation(columns, equation, support, informative))
    return groups, formulas, relations


def mine_conditional_sums(columns: Columns, known: set[frozenset[int]], rng: np.random.Generator) -> list[Relation]:
    """Sums that hold wherever one column is above its lowest value: `if a >= 1 then b + c == 1`.

    `known` are sets of columns that an equation relates on all rows. Of several conditions for one sum the widest
    is kept.
    """
    found: dict[frozenset[int], Relation] = {}
    for position, rows in _conditions(columns):
        X = columns.matrix[rows]
        usable = [p for p in _summable(columns, 0.0) if p != position and _varies(X[:, p])]
        for equation in find_equations(X, usable, rng, CONDITION_SAMPLE):
            involved = frozenset(equation.columns)
            wider = involved in found and found[involved].surprise >= len(rows)
            if wider or involved in known or len(involved) > MAX_ADDENDS + 1:
                continue
            if not holds(columns.matrix, equation):
                found[involved] = _conditional(columns, position, equation, len(rows))
    return list(found.values())


def _conditions(columns: Columns) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Columns whose lowest value, zero or below, stands for `none`, and the rows above it."""
    least, most = CONDITION_SHARES
    shares: list[tuple[float, int]] = []
    for position in _summable(columns, 0.0):
        lowest = float(columns.found[position].distinct[0])
        share = 1 - columns.found[position].share(lowest)
        if lowest in (0.0, -1.0) and least <= share <= most:
            shares.append((-share, position))
    for _, position in sorted(shares)[:MAX_CONDITIONS]:
        column = columns.found[position]
        yield position, np.flatnonzero(column.values > column.distinct[0])


def _varies(values: Floats) -> bool:
    """Whether enough rows hold something else than the commonest value to tell a relation from chance."""
    return _off_mode(values) >= max(MIN_VARYING, MIN_VARYING_SHARE * len(values))


def _off_mode(values: Floats) -> int:
    """How many values are not the commonest one."""
    _, counts = np.unique(values, return_counts=True)
    return int(len(values) - counts.max(initial=0))


def _conditional(columns: Columns, position: int, equation: Equation, rows: int) -> Relation:
    condition = columns.found[position]
    lowest = float(condition.distinct[0])
    above = ">= 1" if condition.integral and lowest == 0 else f"> {signed_number(lowest)}"
    inner = _relation(columns, equation, "", 0)
    support = f"holds on all {rows:,} rows that meet its condition"
    return Relation(inner.id, f"if {condition.sign} {above} then {inner.rule}", support, float(rows))


def _summable(columns: Columns, missing_share: float) -> list[int]:
    most = missing_share * columns.n_rows
    found = [
        position
        for position, column in enumerate(columns.found)
        if column.type != "category" and not column.constant and column.missing <= most
    ]
    return found if len(found) <= MAX_COLUMNS else []


def _equations(columns: Columns, rng: np.random.Generator) -> list[Equation]:
    """On all rows; columns with missing values join later, since each takes rows away."""
    found: dict[frozenset[int], Equation] = {}
    tried: list[int] = []
    for share in MISSING_SHARES:
        usable = _summable(columns, share)
        if usable != tried:
            tried = usable
            for equation in find_equations(columns.matrix, usable, rng):
                found.setdefault(frozenset(equation.columns), equation)
    return list(found.values())


def _support(columns: Columns, equation: Equation, informative: int) -> str:
    held = f"holds on all {columns.n_rows:,} rows"
    return held if len(equation.columns) == 2 else f"{held}, on {informative:,} with at least three parts"


def _is_group(equation: Equation, involved: list[Column]) -> bool:
    same = len(set(equation.coefficients)) == 1
    return same and equation.constant == equation.coefficients[0] and all(column.bit for column in involved)


def _informative(columns: Columns, equation: Equation) -> int:
    """Rows on which the equation says more than that two columns are equal; 0 if too few to count."""
    X = columns.matrix[:, list(equation.columns)]
    present = ~np.isnan(X).any(axis=1)
    if len(equation.columns) == 2:
        return int(present.sum()) if all(_off_mode(column) >= MIN_VARYING for column in X[present].T) else 0
    filled = (X != 0) & present.reshape(-1, 1)
    rows = int((filled.sum(axis=1) >= 3).sum())
    each = int(filled.sum(axis=0).min())
    enough = max(20.0, 0.002 * columns.n_rows)
    return rows if rows >= enough and each >= enough else 0


def _formula(columns: Columns, equation: Equation, support: str) -> Formula | None:
    """The equation solved for the column that is probably computed; None where its missing values differ."""
    ranked = sorted(equation.columns, key=lambda position: computed_rank(position, columns.found[position]))
    for target in reversed(ranked):
        at = equation.columns.index(target)
        unit = equation.coefficients[at]
        others = [
            (-coefficient / unit + 0.0, position)
            for position, coefficient in zip(equation.columns, equation.coefficients, strict=True)
            if position != target
        ]
        needs = frozenset(position for _, position in others)
        absent = np.isnan(columns.matrix[:, sorted(needs)]).any(axis=1)
        if (absent == np.isnan(columns.matrix[:, target])).all() and all(plain_number(c) == c for c, _ in others):
            text = _sum(columns, others, equation.constant / unit + 0.0)
            return Formula(target, text, needs, support)
    return None


def _relation(columns: Columns, equation: Equation, support: str, informative: int) -> Relation:
    sides = list(zip(equation.coefficients, equation.columns, strict=True))
    name = "-".join(columns.found[position].name for position in equation.columns[:3])
    rule = f"{_sum(columns, sides, 0.0)} == {signed_number(equation.constant)}"
    return Relation(f"sum-{name}", rule, support, float(informative))


def _sum(columns: Columns, parts: list[tuple[float, int]], constant: float) -> str:
    """Positive parts first, each in the order of the file."""
    ordered = sorted(parts, key=lambda part: (part[0] < 0, part[1]))
    text = ""
    for coefficient, position in ordered:
        name = columns.found[position].sign
        factor = name if abs(coefficient) == 1 else f"{show_number(abs(coefficient))} * {name}"
        joint = (" - " if coefficient < 0 else " + ") if text else ("-" if coefficient < 0 else "")
        text += joint + factor
    if constant:
        text += (" - " if constant < 0 else " + ") + show_number(abs(constant))
    return text
