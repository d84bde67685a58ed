"""What exact solving reads of a target: bins with the values a row may take in them, and what each costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.bins import Forest, Grid
from holdfast.attack.evasion.goal import Aim, compile_goal
from holdfast.attack.evasion.kernels.state import LEVEL
from holdfast.attack.interface import Goal, Norm
from holdfast.attack.target import TreeTarget
from holdfast.core.contract import Contract
from holdfast.core.contract.distance import moves

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ground:
    """A target, a goal and a contract over d columns with S slots: a slot is a bin, or the missing value."""

    target: TreeTarget
    contract: Contract
    scales: Floats
    goal: Goal
    aim: Aim

    @classmethod
    def of(cls, target: TreeTarget, goal: Goal, contract: Contract, scales: Floats) -> Ground:
        """Raises UsageError HF-ATK-003 where the goal does not fit the model."""
        return cls(target, contract, np.asarray(scales, np.float64), goal, compile_goal(target.ensemble, goal))

    @property
    def forest(self) -> Forest:
        return self.target.forest

    @property
    def grid(self) -> Grid:
        return self.target.grid

    @cached_property
    def column(self) -> Ints:
        """(S,) whose slot it is."""
        return np.repeat(np.arange(self.grid.size.size), self.grid.size + 1)

    @cached_property
    def absent(self) -> Bools:
        """(S,) slots of missing values."""
        found = np.zeros(self.column.size, np.bool_)
        found[self.grid.start + self.grid.size] = True
        return found

    @cached_property
    def depth(self) -> int:
        return self.forest.depth

    @cached_property
    def rivals(self) -> list[int]:
        """The outputs to be beaten, or -1 for the decision's level."""
        others = [k for k in range(self.forest.base.size) if k != self.aim.output]
        return [-1] if self.aim.mode == LEVEL else others

    @cached_property
    def gains(self) -> tuple[Floats, Floats]:
        """(N, R), (R,): what a leaf adds to the lead over each rival, and the lead before any tree."""
        forest, aim = self.forest, self.aim
        output = np.full(forest.nodes.shape[0], -1, np.int64)
        front, which = forest.roots.astype(np.int64), forest.output.astype(np.int64)
        while front.size:
            output[front] = which
            inner = forest.nodes[front, 0] >= 0
            front, which = forest.nodes[front[inner], 2:4].ravel().astype(np.int64), np.repeat(which[inner], 2)
        spread = np.zeros((output.size, forest.base.size))
        for k in range(forest.base.size):
            own = forest.leaf[:, k] if forest.leaf.shape[1] > 1 else forest.leaf[:, 0]
            spread[:, k] = np.where((output == k) | (output < 0), own, 0.0)
        lead, base = spread[:, aim.output], forest.base[aim.output]
        if aim.mode == LEVEL:
            return aim.sign * lead[:, None], np.array([aim.sign * (base - aim.level)])
        return lead[:, None] - spread[:, self.rivals], base - forest.base[self.rivals] - aim.level

    def flag(self, name: str, *values: object) -> Bools:
        """(d,) whether a property of a feature is one of `values`."""
        return np.array([getattr(feature, name) in values for feature in self.contract.features], np.bool_)

    @cached_property
    def category(self) -> Bools:
        return self.flag("type", "category")

    @cached_property
    def integer(self) -> Bools:
        return self.flag("type", "integer")

    @cached_property
    def derived(self) -> Bools:
        return ~self.flag("derived", None)

    @cached_property
    def free(self) -> Bools:
        """(d,) columns that may move by themselves."""
        return np.array([feature.movable for feature in self.contract.features], np.bool_)

    @cached_property
    def rises(self) -> Bools:
        return self.flag("move", "up")

    @cached_property
    def falls(self) -> Bools:
        return self.flag("move", "down")

    @cached_property
    def may_miss(self) -> Bools:
        return self.flag("missing", True) & self.flag("move", "any") & self.free

    @cached_property
    def limits(self) -> tuple[Floats, Floats]:
        """(d,), (d,): what the contract bounds numbers to."""
        features = self.contract.features
        least = np.array([-math.inf if f.type == "category" else f.min for f in features])
        return least, np.array([math.inf if f.type == "category" else f.max for f in features])

    @cached_property
    def prices(self) -> Floats:
        """(d,) what a unit of movement costs."""
        return np.array([feature.cost for feature in self.contract.features])

    @cached_property
    def shares(self) -> Floats:
        """(d,) what a changed column adds to the number of changes: members of a group change in pairs."""
        grouped = {column for group in self.contract.groups for column in group}
        return np.array([0.5 if i in grouped else 1.0 for i in range(len(self.contract.features))])

    @cached_property
    def bins(self) -> tuple[Floats, Floats]:
        """(S,), (S,): the least and the greatest allowed value of each slot, the row left aside."""
        least, most = (side[self.column] for side in self.limits)
        low, high = np.maximum(self.grid.low, least), np.minimum(self.grid.high, most)
        whole = self.integer[self.column]
        return np.where(whole, np.ceil(low), low), np.where(whole, np.floor(high), high)

    def toll(self, norm: Norm, units: Floats, columns: Ints) -> Floats:
        """What moving `columns` by `units` adds to a norm; to its square for L2."""
        if norm is Norm.LINF:
            return units
        if norm is Norm.L1:
            return np.asarray(units * self.prices[columns], np.float64)
        return np.asarray(units**2 if norm is Norm.L2 else np.where(units > 0, self.shares[columns], 0.0), np.float64)

    def distances(self, norm: Norm, moved: Floats, rows: Floats) -> Floats:
        """(n,) how far rows moved."""
        units = moves(self.contract, moved, rows, self.scales)
        if norm is Norm.LINF:
            return np.asarray(units.max(axis=1, initial=0.0), np.float64)
        columns = np.arange(units.shape[1])
        tolls = np.where(self.derived, 0.0, self.toll(norm, units, columns)).sum(axis=1)
        return np.asarray(np.sqrt(tolls) if norm is Norm.L2 else tolls, np.float64)


@dataclass(frozen=True, eq=False)
class Place:
    """One row and, for each slot, the nearest value it may take there and how far that is in units (inf: none)."""

    ground: Ground
    row: Floats
    value: Floats
    far: Floats
    own: Bools
    low: Floats
    high: Floats
    """(S,), (S,): what the row may hold in a slot."""

    @classmethod
    def of(cls, ground: Ground, row: Floats) -> Place:
        """The surroundings of a row (d,)."""
        column, was = ground.column, row[ground.column]
        own = np.where(ground.absent, np.isnan(was), (ground.grid.low <= was) & (was <= ground.grid.high))
        low, high = ground.bins
        low = np.where(ground.rises[column], np.maximum(low, was), low)
        high = np.where(ground.falls[column], np.minimum(high, was), high)
        value = np.clip(np.nan_to_num(was), low, high)
        moving = ground.free[column] & (low <= high) & (~np.isnan(was) | ground.flag("move", "any")[column])
        far = np.where(moving, np.abs(value - was) / ground.scales[column], np.inf)
        far = np.where(moving & (ground.category[column] | np.isnan(was)), 1.0, far)
        missing = ground.absent & ground.may_miss[column]
        far, value = np.where(missing, 1.0, far), np.where(ground.absent, np.nan, value)
        own = np.asarray(own, np.bool_)
        return cls(ground, row, np.where(own, was, value), np.where(own, 0.0, far), own, low, high)
