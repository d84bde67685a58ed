"""The box around a row: the bins that an evasion nearer than the one known could use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from holdfast.attack.evasion.exact.ground import Bools, Ints, Place
from holdfast.attack.evasion.exact.kernels import Found, Path, Table, Trees, list_leaves
from holdfast.attack.evasion.exact.spans import Spans
from holdfast.attack.interface import Norm

MAX_LEAVES = 60_000
MAX_CLASSES = 63
"""Bins of a column without an order that one machine word can tell apart."""


@dataclass(frozen=True, eq=False)
class Box:
    """Open slots (S,) of a place. A columns are active: they have more than one."""

    place: Place
    open: Bools
    active: Ints
    """(d,) number among the active columns, else -1."""
    columns: Ints
    """(A,)"""
    count: Ints
    """(A,) open slots."""
    ordered: Bools
    """(A,) whether its tests are cuts, and no value may go missing or appear."""
    slots: tuple[Ints, ...]
    """Per active column its open slots, in order."""

    @classmethod
    def of(cls, place: Place, opened: Bools) -> Box:
        """The box of the slots that are `opened` (S,)."""
        ground = place.ground
        per_column = np.bincount(ground.column[opened], minlength=ground.grid.size.size)
        columns = np.flatnonzero(per_column > 1)
        active = np.full(per_column.size, -1, np.int64)
        active[columns] = np.arange(columns.size)
        start, size = ground.grid.start, ground.grid.size
        slots = tuple(start[c] + np.flatnonzero(opened[start[c] : start[c] + size[c] + 1]) for c in columns)
        missing = opened[start[columns] + size[columns]]
        return cls(place, opened, active, columns, per_column[columns], ~ground.grid.masked[columns] & ~missing, slots)

    @cached_property
    def table(self) -> Table:
        """What kernels read of it."""
        ground, grid = self.place.ground, self.place.ground.grid
        only = np.zeros(self.active.size, np.int64)
        for slots in (np.flatnonzero(self.place.own), np.flatnonzero(self.open & (self.active[ground.column] < 0))):
            only[ground.column[slots]] = slots - grid.start[ground.column[slots]]
        before: Ints = np.cumsum(self.open) - self.open
        flat = np.concatenate(self.slots) if self.slots else np.zeros(0, np.int64)
        return Table(
            active=self.active,
            place=only,
            start=grid.start,
            size=grid.size,
            rank=(before - before[grid.start[ground.column]]).astype(np.int64),
            first=np.concatenate(([0], np.cumsum(self.count))).astype(np.int64),
            member=flat - np.repeat(grid.start[self.columns], self.count),
            column=self.columns,
            ordered=self.ordered,
            opened=self.count.astype(np.int64),
            bits=np.array([(1 << int(n)) - 1 if n <= MAX_CLASSES else 0 for n in self.count], np.uint64),
        )

    @property
    def solvable(self) -> bool:
        """Whether kernels can read it."""
        return bool((self.ordered | (self.count <= MAX_CLASSES)).all())


def leaves(box: Box) -> Found | None:
    """The L leaves in reach of a box; None where there are more than MAX_LEAVES."""
    ground, width = box.place.ground, box.columns.size
    forest, depth = ground.forest, ground.depth + 2
    room = Found(
        np.empty(MAX_LEAVES, np.int64),
        np.empty(MAX_LEAVES, np.int64),
        np.empty((MAX_LEAVES, width), np.int32),
        np.empty((MAX_LEAVES, width), np.int32),
        np.empty((MAX_LEAVES, width), np.uint64),
    )
    path = Path(
        np.zeros(width, np.int64),
        box.table.opened.copy(),
        box.table.bits.copy(),
        np.empty((depth, 5), np.int64),
        np.empty(depth, np.uint64),
        np.empty((2 * depth, 3), np.int64),
        np.empty(2 * depth, np.uint64),
        np.zeros(2, np.int64),
    )
    count = list_leaves(Trees(forest.nodes, forest.default_left, forest.mask, forest.roots), box.table, path, room)
    return None if count < 0 else Found(*(part[:count] for part in room))


def nearer(place: Place, norm: Norm, than: float) -> Bools:
    """(S,) the slots that a row at a distance below `than` may use; the own slots always. `than` is squared for L2."""
    ground = place.ground
    tolls = ground.toll(norm, place.far, ground.column)
    found = np.asarray((tolls < than) & np.isfinite(place.far) | place.own, np.bool_)
    return found | Spans.of(place, norm, than).open(place) if ground.contract.derived else found
