"""The contract's relations as rows of a program; what is not linear in the box is left out and named."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from holdfast.attack.evasion.exact.columns import Columns
from holdfast.attack.evasion.exact.program import Affine
from holdfast.core.contract import Constraint, Factor, Row, Term

Span = tuple[Affine, float, float]
"""low <= affine <= high."""
Way = tuple[Span, ...]


class UnknownError(Exception):
    """A value that a row reads is missing before the attack: the row says nothing."""


class CrookedError(Exception):
    """A row that is not linear in the box, or whose columns have no finite range."""


class Relations:
    """Writes relations over the columns of a box; collects the ids of those it had to leave out."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.left_out: list[str] = []

    def write(self) -> None:
        """All relations, derived columns and groups that can move in the box."""
        contract, ground = self.columns.ground.contract, self.columns.ground
        for derived in contract.derived:
            if self._moves(frozenset(f.column for term in derived.terms for f in term.factors)):
                row = Row((*derived.terms, Term(-1.0, (Factor(derived.column),))), "==", 0.0)
                self._try(f"{contract.names[derived.column]}.derived", [], row)
        for group in contract.groups:
            if any(ground.free[column] for column in group):
                self._group(group)
        for constraint in contract.constraints:
            self._constraint(constraint)

    def _moves(self, read: frozenset[int]) -> bool:
        return any(self.columns.moves(column) for column in read)

    def _group(self, group: tuple[int, ...]) -> None:
        total = Affine(-1.0)
        for column in group:
            value = self.columns.value(column)
            if value is None:
                self.left_out.append("one_hot")
                return
            total += value.affine
        self._row((total, 0.0, 0.0))

    def _constraint(self, constraint: Constraint) -> None:
        read = frozenset().union(*(row.columns for row in (*constraint.guard, *constraint.rows)))
        if self._moves(read):
            for row in constraint.rows:
                self._try(constraint.id, list(constraint.guard), row)

    def _try(self, name: str, guard: list[Row], row: Row) -> None:
        try:
            ways = list(self._ways(guard, row))
        except UnknownError:
            return
        except CrookedError:
            if name not in self.left_out:
                self.left_out.append(name)
            return
        if any(self._certain(way) for way in ways):
            return
        possible = [way for way in ways if not self._excluded(way)]
        if len(possible) == 1:
            for span in possible[0]:
                self._row(span)
        else:
            self._one_of(possible)

    def _ways(self, guard: list[Row], row: Row) -> Iterator[Way]:
        """All ways to keep a relation: its row holds, or one of the guards does not."""
        for test in guard:
            yield from self._unmet(test)
        yield from self._met(row)

    def _met(self, row: Row) -> Iterator[Way]:
        total, step = self._sum(row)
        if row.op == "!=":
            yield ((total, -np.inf, -step),)
            yield ((total, step, np.inf),)
            return
        low = {"<=": -np.inf, "<": -np.inf, ">": step}.get(row.op, 0.0)
        high = {">=": np.inf, ">": np.inf, "<": -step}.get(row.op, 0.0)
        yield ((total, low, high),)

    def _unmet(self, row: Row) -> Iterator[Way]:
        opposite = {"<=": ">", "<": ">=", ">=": "<", ">": "<=", "==": "!=", "!=": "=="}[row.op]
        yield from self._met(Row(row.terms, opposite, row.bound))

    def _sum(self, row: Row) -> tuple[Affine, float]:
        """sum(terms) - bound, and the least step that it can take away from 0: 0.0 where it is continuous."""
        total, whole = Affine(-row.bound), row.bound == round(row.bound)
        for term in row.terms:
            part, steps = self._term(term)
            total, whole = total + part, whole and steps
        return total, 1.0 if whole else 0.0

    def _term(self, term: Term) -> tuple[Affine, bool]:
        found, whole = Affine(term.coefficient), term.coefficient == round(term.coefficient)
        for factor in term.factors:
            value = None if factor.was else self.columns.value(factor.column)
            constant = self.columns.box.place.row[factor.column] if factor.was else None
            if not factor.was:
                if value is None:
                    raise CrookedError
                if math.isnan(value.low):
                    raise UnknownError
                if value.low == value.high:
                    constant = value.low
            if constant is not None:
                found, whole = self._scaled(found, float(constant), factor.power), whole and factor.power > 0
                whole = whole and constant == round(constant)
            elif value is None or found.terms or factor.power < 0:
                raise CrookedError
            else:
                found, whole = value.affine * found.constant, whole and value.whole
        return found, whole

    def _scaled(self, affine: Affine, constant: float, power: int) -> Affine:
        if math.isnan(constant):
            raise UnknownError
        if power < 0 and constant == 0:
            raise CrookedError
        return affine * (constant if power > 0 else 1.0 / constant)

    def _extent(self, affine: Affine) -> tuple[float, float]:
        """The least and the greatest an expression can be, by intervals."""
        low = high = affine.constant
        merged: dict[int, float] = {}
        for at, value in affine.terms:
            merged[at] = merged.get(at, 0.0) + value
        for at, value in merged.items():
            ends = value * self.columns.program.low[at], value * self.columns.program.high[at]
            low, high = low + min(ends), high + max(ends)
        return low, high

    def _certain(self, way: Way) -> bool:
        extents = [(self._extent(affine), low, high) for affine, low, high in way]
        return all(least >= low and most <= high for (least, most), low, high in extents)

    def _excluded(self, way: Way) -> bool:
        extents = [(self._extent(affine), low, high) for affine, low, high in way]
        return any(
            most < low - _slack(affine) or least > high + _slack(affine)
            for ((least, most), low, high), (affine, _, _) in zip(extents, way, strict=True)
        )

    def _row(self, span: Span) -> None:
        """A row, its largest coefficient scaled to 1."""
        affine, low, high = span
        size = max((abs(value) for _, value in affine.terms), default=1.0) or 1.0
        self.columns.program.row(affine * (1.0 / size), low / size, high / size)

    def _one_of(self, ways: list[Way]) -> None:
        """At least one of several ways; none of them: the program has no solution."""
        program = self.columns.program
        chosen = [program.binary() for _ in ways]
        program.row(Affine(0.0, tuple((at, 1.0) for at in chosen)), 1.0, np.inf)
        for at, way in zip(chosen, ways, strict=True):
            for affine, low, high in way:
                least, most = self._extent(affine)
                if np.isfinite(high) and most > high:
                    self._row((affine + Affine(0.0, ((at, most - high),)), -np.inf, most))
                if np.isfinite(low) and least < low:
                    self._row((affine + Affine(0.0, ((at, least - low),)), least, np.inf))


def _slack(affine: Affine) -> float:
    """Room for rounding."""
    return 1e-9 * max(1.0, abs(affine.constant), *(abs(value) for _, value in affine.terms))
