"""The box around a row: the bins that an evasion nearer than the one known could use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.evasion.exact.ground import Bools, Floats, Ground, Ints, Place
from holdfast.attack.evasion.exact.kernels import list_leaves
from holdfast.attack.evasion.exact.spans import Spans
from holdfast.attack.interface import Norm

Array = NDArray[Any]
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

    def tables(self) -> tuple[Any, ...]:
        """What kernels read of a box: see `kernels.list_leaves`."""
        ground, grid = self.place.ground, self.place.ground.grid
        first = np.concatenate(([0], np.cumsum(self.count))).astype(np.int64)
        flat = np.concatenate(self.slots) if self.slots else np.zeros(0, np.int64)
        own = np.flatnonzero(self.place.own)
        only = np.zeros(self.active.size, np.int64)
        single = np.flatnonzero(self.open & (self.active[ground.column] < 0))
        only[ground.column[own]] = own - grid.start[ground.column[own]]
        only[ground.column[single]] = single - grid.start[ground.column[single]]
        before = np.cumsum(self.open) - self.open
        rank = before - before[grid.start[ground.column]]
        bits = np.array([(1 << int(n)) - 1 if n <= MAX_CLASSES else 0 for n in self.count], np.uint64)
        return (
            self.active,
            only,
            grid.start,
            rank.astype(np.int64),
            first,
            flat - np.repeat(grid.start[self.columns], self.count),
            grid.size[self.columns],
            self.ordered,
            grid.size,
            np.zeros(self.columns.size, np.int64),
            self.count.astype(np.int64),
            bits,
        )

    @property
    def solvable(self) -> bool:
        """Whether kernels can read it."""
        return bool((self.ordered | (self.count <= MAX_CLASSES)).all())


@dataclass(frozen=True, eq=False)
class Leaves:
    """The L leaves in reach of a box: per leaf its node, tree, and what it asks of each active column."""

    node: Ints
    tree: Ints
    low: Array
    high: Array
    bits: Array

    @classmethod
    def of(cls, box: Box, tables: tuple[Any, ...]) -> Leaves | None:
        """None where there are more than MAX_LEAVES."""
        forest, width = box.place.ground.forest, box.columns.size
        trees = (forest.nodes, forest.default_left, forest.mask, forest.roots)
        out = (
            np.empty(MAX_LEAVES, np.int64),
            np.empty(MAX_LEAVES, np.int64),
            np.empty((MAX_LEAVES, width), np.int32),
            np.empty((MAX_LEAVES, width), np.int32),
            np.empty((MAX_LEAVES, width), np.uint64),
            box.place.ground.depth + 2,
        )
        count = list_leaves(trees, tables, out)
        return None if count < 0 else cls(*(part[:count] for part in out[:5]))


def nearer(place: Place, norm: Norm, than: float) -> Bools:
    """(S,) the slots that a row at a distance below `than` may use; the own slots always. `than` is squared for L2."""
    ground = place.ground
    tolls = ground.toll(norm, place.far, ground.column)
    found = np.asarray((tolls < than) & np.isfinite(place.far) | place.own, np.bool_)
    return found | Spans.of(place, norm, than).open(place) if ground.contract.derived else found
