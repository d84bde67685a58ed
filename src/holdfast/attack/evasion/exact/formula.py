"""One row's question as a mixed-integer program: the nearest row in a box that crosses the decision.

After Kantchelian, Tygar and Joseph, "Evasion and Hardening of Tree Ensemble Classifiers" (ICML 2016), for what a box
leaves of the trees: leaves are continuous, only tests are binary, and the tests of a column imply one another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from holdfast.attack.evasion.exact.box import Box, leaves
from holdfast.attack.evasion.exact.columns import Columns
from holdfast.attack.evasion.exact.ground import Bools, Floats, Place
from holdfast.attack.evasion.exact.kernels import Entries, Found, link_rows
from holdfast.attack.evasion.exact.program import Affine, Program, Solved
from holdfast.attack.evasion.exact.relations import Relations
from holdfast.attack.interface import Norm

MAX_ENTRIES = 4_000_000
MAX_ROWS = 400_000
TANGENTS = 8


@dataclass(frozen=True, eq=False)
class Formula:
    """A program, and how its solutions read."""

    program: Program
    columns: Columns
    aim: Affine
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, box: Box, norm: Norm, radius: float, lead: float, margin: float = 0.0) -> Formula | None:
        """Distances in shares of `radius`; rows lead by `lead` at least, and keep `margin` away from edges of bins.

        None where the box is too large.
        """
        found = leaves(box) if box.solvable else None
        if found is None:
            return None
        program = Program()
        columns = Columns(box, program, norm, radius, margin)
        if not _trees(program, columns, found, lead):
            return None
        relations = Relations(columns)
        relations.write()
        aim = _aim(columns, radius)
        for limit in box.place.ground.goal.within:
            _limit(columns, limit.norm, limit.most)
        return cls(program, columns, aim, tuple(relations.left_out))

    def solve(self, *, nodes: int, seconds: float | None) -> Solved:
        """Find the least distance."""
        return self.program.solve(self.aim, nodes=nodes, seconds=seconds)

    def row(self, solution: Floats) -> Floats:
        """The row (d,) that a solution stands for, derived columns left aside."""
        box, ground = self.columns.box, self.columns.ground
        found = box.place.row.copy()
        for column in np.flatnonzero(ground.free).tolist():
            runs = self.columns.segment(column)
            at = runs.run(solution) if runs.choice else 0
            slots = np.arange(runs.first[at], runs.last[at] + 1)
            slots = slots[box.open[slots]]
            value = self.columns.value(column) if column in self.columns.read else None
            if value is not None and value.own:
                wish = value.affine.at(solution)
                wish = float(np.rint(wish)) if ground.integer[column] else wish
                found[column] = min(max(wish, box.place.low[slots[0]]), box.place.high[slots[-1]])
            else:
                found[column] = box.place.value[slots[box.place.far[slots].argmin()]]
        return found


def _trees(program: Program, columns: Columns, found: Found, lead: float) -> bool:
    """Variables of tests and leaves, what ties them, and the lead; False where there is no room."""
    box, (gains, base) = columns.box, columns.ground.gains
    start = np.concatenate(([0], np.cumsum(box.count))).astype(np.int64)
    many = np.bincount(found.tree)[found.tree] > 1
    base = base + gains[found.node[~many]].sum(axis=0)
    kept = Found(*(part[many] for part in found))
    entries = _room(kept.node.size, box.columns.size)
    if not link_rows(kept, box.table, start, entries):
        return False
    rows, size = entries.top.tolist()
    used = np.zeros(int(start[-1]), np.bool_)
    used[entries.column[:size][entries.column[:size] < start[-1]]] = True
    number = columns.cut(used, start)
    first = program.variables(kept.node.size)
    place = np.concatenate([number, first + np.arange(kept.node.size)])
    column = place[entries.column[:size]]
    program.block(entries.row[:size], column, entries.value[:size], entries.low[:rows], entries.high[:rows])
    for rival in range(base.size):
        terms = tuple(zip(range(first, first + kept.node.size), gains[kept.node, rival].tolist(), strict=True))
        program.row(Affine(0.0, terms), lead - float(base[rival]), np.inf)
    return True


def _room(leaves: int, active: int) -> Entries:
    size = min(MAX_ENTRIES, 64 * (leaves * (active + 2) + 64))
    rows = min(MAX_ROWS, size)
    whole = np.empty(size, np.int64), np.empty(size, np.int64)
    return Entries(*whole, np.empty(size), np.empty(rows), np.empty(rows), np.zeros(2, np.int64))


def _aim(columns: Columns, radius: float) -> Affine:
    """The distance to be least, as a share of `radius`."""
    ground = columns.ground
    norm = ground.goal.minimise
    parts = [(column, _part(columns, norm, column, radius)) for column in np.flatnonzero(ground.free).tolist()]
    if norm is not Norm.LINF:
        total = Affine()
        for _, part in parts:
            total += part
        return total
    greatest = Affine(0.0, ((columns.program.variable(0.0, np.inf), 1.0),))
    for _, part in parts:
        if part.terms:
            columns.program.row(greatest + part * -1.0, 0.0, np.inf)
    return greatest


def _limit(columns: Columns, norm: Norm, most: float) -> None:
    """A row that keeps a distance below a limit."""
    size = most**2 if norm is Norm.L2 else most
    unit = size or 1.0
    parts = [_part(columns, norm, column, unit) for column in np.flatnonzero(columns.ground.free).tolist()]
    if norm is Norm.LINF:
        for part in parts:
            columns.program.row(part, -np.inf, size / unit)
        return
    total = Affine()
    for part in parts:
        total += part
    columns.program.row(total, -np.inf, size / unit)


def _part(columns: Columns, norm: Norm, column: int, radius: float) -> Affine:
    """What a column adds to a distance, as a share of `radius`; a lower bound where it moves inside its bin."""
    ground, place = columns.ground, columns.box.place
    runs = columns.segment(column)
    least = np.array([place.far[a : b + 1].min() for a, b in zip(runs.first.tolist(), runs.last.tolist(), strict=True)])
    tolls = runs.affine(ground.toll(norm, least, np.full(least.size, column)) / radius)
    value = columns.value(column) if column in columns.read else None
    if value is None or value.low == value.high or not value.own:
        return tolls
    move = (value.affine + Affine(-float(place.row[column]))) * (1.0 / float(ground.scales[column]))
    return _moved(
        columns.program, norm, move, tolls, float(ground.toll(norm, np.ones(1), np.array([column]))[0]), radius
    )


def _moved(program: Program, norm: Norm, move: Affine, tolls: Affine, price: float, radius: float) -> Affine:
    """A variable above what a column's move adds."""
    own = Affine(0.0, ((program.variable(0.0, np.inf), 1.0),))
    program.row(own + tolls * -1.0, 0.0, np.inf)
    for sign in (1.0, -1.0):
        if norm is Norm.L0:
            far = max(abs(bound) for bound in (program.low[move.terms[0][0]], program.high[move.terms[0][0]]))
            most = far * abs(move.terms[0][1])
            flag = Affine(0.0, ((program.binary(), price / radius),))
            program.row(own + flag * -1.0, 0.0, np.inf)
            program.row(flag * (most * radius / price) + move * -sign, 0.0, np.inf)
        elif norm is Norm.L2:
            for point in np.linspace(0.0, 1.0, TANGENTS + 1)[1:]:
                at = float(point) * np.sqrt(radius)
                program.row(own + move * (-sign * 2 * at / radius) + Affine(at * at / radius), 0.0, np.inf)
        else:
            program.row(own + move * (-sign * price / radius), 0.0, np.inf)
    return own


def within(place: Place, opened: Bools) -> Bools:
    """The opened slots that no limit forbids by itself."""
    ground = place.ground
    for limit in ground.goal.within:
        tolls = ground.toll(limit.norm, place.far, ground.column)
        most = limit.most**2 if limit.norm is Norm.L2 else limit.most
        opened = opened & ((tolls <= most * (1 + 1e-12)) | place.own)
    return opened
