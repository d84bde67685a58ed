"""The columns of a box as expressions: which bin a row is in, what it holds there, and how far that is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from holdfast.attack.evasion.exact.box import Box
from holdfast.attack.evasion.exact.ground import Bools, Floats, Ground, Ints
from holdfast.attack.evasion.exact.program import Affine, Program
from holdfast.attack.evasion.exact.spans import Spans
from holdfast.attack.interface import Norm

FEW = 40
"""Values of an integer column that are told apart one by one where a relation reads it."""


@dataclass(frozen=True, eq=False)
class Segments:
    """A column's open slots in runs that no test in the box tells apart; `choice` says which run a row is in."""

    first: Ints
    last: Ints
    """(M,), (M,): slots."""
    ordered: bool
    choice: tuple[int, ...]
    """M - 1 variables "before run m + 1" where ordered, else M variables "in run m"."""

    def affine(self, values: Floats) -> Affine:
        """The expression that is values[m] in run m."""
        if not self.ordered:
            return Affine(0.0, tuple(zip(self.choice, values.tolist(), strict=True)))
        steps = (values[:-1] - values[1:]).tolist()
        return Affine(float(values[-1]), tuple((at, step) for at, step in zip(self.choice, steps, strict=True) if step))

    def run(self, solution: Floats) -> int:
        """The run a solution is in."""
        taken = np.array([solution[at] for at in self.choice])
        if self.ordered:
            return int((taken < 0.5).sum())
        return int(taken.argmax())


@dataclass(frozen=True, eq=False)
class Value:
    """What a column holds: an expression, its range, and whether it is a variable of its own."""

    affine: Affine
    low: float
    high: float
    whole: bool
    own: bool


class Columns:
    """The columns of a box in a program; `radius` bounds the distance (squared for L2).

    A column with a variable of its own keeps `margin` of its range away from the edges of bins.
    """

    def __init__(self, box: Box, program: Program, norm: Norm, radius: float, margin: float) -> None:
        self.box, self.program, self.norm, self.radius = box, program, norm, radius
        self.margin, self.spans = margin, Spans.of(box.place, norm, radius)
        self.read = _read(box.place.ground)
        self.ground: Ground = box.place.ground
        self.segments: dict[int, Segments] = {}
        self._values: dict[int, Value | None] = {}

    def cut(self, used: Bools, start: Ints) -> Ints:
        """Make the choice variables; the program's number of each of the kernel's variables (-1: none)."""
        number = np.full(used.size, -1, np.int64)
        for a, column in enumerate(self.box.columns.tolist()):
            slots, at, n = self.box.slots[a], int(start[a]), int(self.box.count[a])
            if not self.box.ordered[a]:
                choice = [self.program.binary() for _ in range(n)]
                number[at : at + n] = choice
                self.program.row(Affine(0.0, tuple((c, 1.0) for c in choice)), 1.0, 1.0)
                self.segments[column] = Segments(slots, slots, False, tuple(choice))
                continue
            wanted = used[at : at + n].copy()
            if column in self.read and n <= FEW:
                wanted[1:] = True
            cuts = np.flatnonzero(wanted)
            choice = [self.program.binary() for _ in cuts]
            number[at + cuts] = choice
            for below, above in pairwise(choice):
                self.program.row(Affine(0.0, ((below, 1.0), (above, -1.0))), -np.inf, 0.0)
            first = slots[np.concatenate(([0], cuts)).astype(np.int64)]
            last = slots[np.concatenate((cuts - 1, [n - 1])).astype(np.int64)]
            self.segments[column] = Segments(first, last, True, tuple(choice))
        return number

    def segment(self, column: int) -> Segments:
        """The runs of a column; one run where it is not active."""
        if column not in self.segments:
            own = np.flatnonzero(self.box.open & (self.ground.column == column))[:1]
            self.segments[column] = Segments(own, own, True, ())
        return self.segments[column]

    @property
    def inside(self) -> bool:
        """Whether some column is a variable of its own, which moves inside its bins too."""
        return any(value is not None and value.own for value in self._values.values())

    def tolls(self, column: int) -> Floats:
        """What each run of a column adds to the norm, at least."""
        runs, place = self.segment(column), self.box.place
        least = np.array(
            [place.far[a : b + 1].min() for a, b in zip(runs.first.tolist(), runs.last.tolist(), strict=True)]
        )
        return self.ground.toll(self.norm, least, np.full(least.size, column))

    def moves(self, column: int) -> bool:
        """Whether a column can change at all."""
        follows = [derived for derived in self.ground.contract.derived if derived.column == column]
        read = {factor.column for derived in follows for term in derived.terms for factor in term.factors}
        return bool(self.ground.free[column]) or any(self.moves(other) for other in read)

    def value(self, column: int) -> Value | None:
        """What a column holds; None where that is not known to be a finite number."""
        if column not in self._values:
            self._values[column] = self._value(column)
        return self._values[column]

    def _value(self, column: int) -> Value | None:
        place, ground = self.box.place, self.ground
        was = float(place.row[column])
        if not self.moves(column):
            return Value(Affine(was), was, was, was == round(was), False)
        runs = self.segment(column)
        low, high = place.low[runs.first], place.high[runs.last]
        if ground.derived[column]:
            low, high = ground.grid.low[runs.first], ground.grid.high[runs.last]
        low, high = np.maximum(low, self.spans.low[column]), np.minimum(high, self.spans.high[column])
        if np.isnan(was) or np.isnan(low).any() or np.isnan(high).any():
            return None
        steps = bool(ground.integer[column]) or self._counts(column)
        if steps:
            low, high = np.ceil(low - 1e-9), np.floor(high + 1e-9)
        whole = steps or bool(ground.category[column] and (low == np.rint(low)).all())
        if (low == high).all():
            return Value(runs.affine(low), float(low.min()), float(low.max()), whole, False)
        return self._variable(column, low, high, whole)

    def _counts(self, column: int) -> bool:
        """Whether a derived column is a sum of integers."""
        terms = [term for derived in self.ground.contract.derived if derived.column == column for term in derived.terms]
        return bool(terms) and all(
            term.coefficient == round(term.coefficient)
            and all(f.power > 0 and (self.ground.integer[f.column] or self._counts(f.column)) for f in term.factors)
            for term in terms
        )

    def _variable(self, column: int, low: Floats, high: Floats, whole: bool) -> Value | None:
        """A variable: the move, in a unit of the size of the box."""
        was, runs = float(self.box.place.row[column]), self.segment(column)
        least, most = float(low.min()), float(high.max())
        if not np.isfinite(least + most):
            return None
        unit = 1.0 if whole else max(most - was, was - least, 1e-12)
        room = 0.0 if whole else np.minimum(self.margin * unit, (high - low) / 2)
        low, high = low + room, high - room
        at = self.program.variable((least - was) / unit, (most - was) / unit, whole=whole)
        move = Affine(0.0, ((at, 1.0),))
        self.program.row(move + runs.affine((low - was) / unit) * -1.0, 0.0, np.inf)
        self.program.row(move + runs.affine((high - was) / unit) * -1.0, -np.inf, 0.0)
        return Value(Affine(was, ((at, unit),)), least, most, whole, True)


def _read(ground: Ground) -> frozenset[int]:
    """Columns whose value, not only their bin, matters: those that relations, groups and derived columns read."""
    contract = ground.contract
    rows = [row for item in contract.constraints for row in (*item.guard, *item.rows)]
    read = {column for row in rows for column in row.columns}
    for derived in contract.derived:
        read |= {derived.column, *(f.column for term in derived.terms for f in term.factors)}
    return frozenset(read | {column for group in contract.groups for column in group})
