"""Linear relations as sums with a bound: what each bin of a column adds at least.

Only what holds for every row counts: conditional relations, products, ratios, `!=` and derived columns are left out,
which leaves the search more rows than there are, never fewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.attack.evasion.exact.box import Box
from holdfast.attack.evasion.exact.ground import Floats, Ints
from holdfast.core.contract import Factor, Row, Term

SLACK = 1e-6
"""Relative room for rounding, and for what the contract tolerates."""


@dataclass(frozen=True, eq=False)
class Least:
    """A box, and per row of the contract that is linear in it: weights of columns, and a bound on their sum."""

    box: Box
    rows: tuple[tuple[dict[int, float], float], ...]

    @classmethod
    def of(cls, box: Box) -> Least:
        """The rows of a box's contract."""
        return cls(box, tuple(_rows(box)))

    def adds(self, weight: float, slots: Ints) -> Floats:
        """What a column adds in each of its `slots`, at least."""
        place = self.box.place
        ends = np.stack([weight * place.low[slots], weight * place.high[slots], weight * place.value[slots]])
        found: Floats = ends.min(axis=0)
        return np.where(np.isnan(found), -np.inf, found)

    def still(self, column: int, weight: float) -> float:
        """What a column adds anywhere in the box, at least."""
        slots = np.flatnonzero(self.box.open & (self.box.place.ground.column == column))
        return float(self.adds(weight, slots).min())


def sums_of(least: Least, cuts: tuple[Ints, ...]) -> dict[str, Any]:
    """The rows as fields of `Market`, each in units of its spread; what stands still is part of the bound."""
    first, column, offset, bound = [0], [], [], []
    parts: list[Floats] = []
    for weights, most in least.rows:
        moving = {c: w for c, w in weights.items() if least.box.active[c] >= 0}
        room = most - sum(least.still(c, w) for c, w in weights.items() if c not in moving)
        adds = {
            int(least.box.active[c]): least.adds(w, least.box.slots[least.box.active[c]]) for c, w in moving.items()
        }
        spread = sum(float(np.ptp(part)) for part in adds.values())
        if not moving or not np.isfinite(spread) or not np.isfinite(room):
            continue
        for a, part in adds.items():
            column.append(a)
            offset.append(sum(done.size for done in parts))
            parts.append(np.minimum.reduceat(part, cuts[a][:-1]) / (spread or 1.0))
        first.append(len(column))
        bound.append(room / (spread or 1.0))
    flat = np.concatenate(parts) if parts else np.zeros(0)
    return {
        "sum_first": first,
        "sum_column": column,
        "sum_offset": offset,
        "sum_least": flat,
        "sum_bound": bound,
        "sum_part": np.zeros(len(column)),
        "fee": np.zeros(len(bound)),
    }


def _rows(box: Box) -> Iterator[tuple[dict[int, float], float]]:
    contract = box.place.ground.contract
    for group in contract.groups:
        yield from _sides(box, Row(tuple(Term(1.0, (Factor(c),)) for c in group), "==", 1.0))
    for item in contract.constraints:
        if all(_certain(box, guard) for guard in item.guard):
            for row in item.rows:
                yield from _sides(box, row)


def _certain(box: Box, row: Row) -> bool:
    """Whether a row holds all over the box: its opposite sides are out of reach."""
    opposite = {"<=": ">", "<": ">=", ">=": "<", ">": "<="}.get(row.op)
    if row.op == "==":
        return all(_certain(box, Row(row.terms, op, row.bound)) for op in ("<=", ">="))
    if opposite is None:
        return False
    sides = list(_sides(box, Row(row.terms, opposite, row.bound), 0.0))
    least = Least(box, ())
    totals = [sum(least.still(c, w) for c, w in weights.items()) - most for weights, most in sides]
    return any(total > 0 or (total == 0 and opposite in "<>") for total in totals)


def _sides(box: Box, row: Row, slack: float = SLACK) -> Iterator[tuple[dict[int, float], float]]:
    """A linear row as weights of columns that may move, and the most they may add up to: one side, or two."""
    place, ground = box.place, box.place.ground
    weights: dict[int, float] = {}
    bound, size = row.bound, abs(row.bound)
    if not row.linear or row.op == "!=":
        return
    for term in row.terms:
        for factor in term.factors:
            if ground.derived[factor.column] or box.open[ground.absent & (ground.column == factor.column)].any():
                return
            was = term.coefficient * float(place.row[factor.column])
            size += abs(was)
            if ground.free[factor.column] and not factor.was:
                weights[factor.column] = weights.get(factor.column, 0.0) + term.coefficient
            else:
                bound -= was
        bound -= 0.0 if term.factors else term.coefficient
    room = slack * max(1.0, size)
    if not np.isfinite(bound):
        return
    if row.op in ("<=", "<", "=="):
        yield weights, bound + room
    if row.op in (">=", ">", "=="):
        yield {c: -weight for c, weight in weights.items()}, room - bound
