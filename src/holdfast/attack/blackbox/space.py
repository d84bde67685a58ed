"""Where one row may go: boxes around it, single levers, and where to start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.distance import moves
from holdfast.core.contract.repair import limits

if TYPE_CHECKING:
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
MOST_CODES = 12
"""Categories of one column that are tried in one turn."""
PARTS = (1.0, 1.0, 0.5, 0.25)
NEAR = 0.5
FAR = 3.0
"""Units around the row that starts are drawn from where the contract declares no bounds."""
WHOLE = 1e-9
"""Slack of integer steps, so that a box of exactly one step holds it."""


@dataclass(frozen=True, eq=False)
class Shape:
    """What is common to all rows of an attack."""

    contract: Contract
    scales: Floats
    levers: tuple[tuple[int, ...], ...]
    """Columns that are set together: one movable column, or the members of a one-hot group."""
    whole: NDArray[np.bool_]
    """(d,) integer columns."""
    step: NDArray[np.bool_]
    """(d,) columns that move by whole units or not at all: categories, members of a group."""

    @classmethod
    def of(cls, contract: Contract, scales: Floats) -> Shape:
        grouped = {column for group in contract.groups for column in group}
        features = contract.features
        single = [(i,) for i, f in enumerate(features) if f.movable and i not in grouped]
        groups = [g for g in contract.groups if any(features[i].movable for i in g)]
        step = [f.type == "category" or i in grouped for i, f in enumerate(features)]
        whole = [f.type == "integer" for f in features]
        return cls(contract, scales, (*single, *groups), np.array(whole), np.array(step))


class Space:
    """The surroundings of one row `was` (d,). Points are (d,) or (k, d); radii are L-inf, in units of `scales`."""

    def __init__(self, shape: Shape, was: Floats, background: Floats, rng: np.random.Generator) -> None:
        self.shape, self.was, self.rng = shape, was, rng
        low, high = limits(shape.contract, was[None])
        self.low, self.high = low[0], high[0]
        free = np.zeros(len(was), np.bool_)
        free[[column for lever in shape.levers for column in lever]] = True
        self.free = free & ~(self.low == self.high)
        self.levers = tuple(lever for lever in shape.levers if self.free[list(lever)].any())
        bound = {f.column for c in shape.contract.constraints for r in c.rows for t in r.terms for f in t.factors}
        self.tied = tuple(lever for lever in self.levers if bound.intersection(lever))
        """Levers that relations bind to others."""
        self._background = background

    def clip(self, aims: Floats, radii: Floats) -> Floats:
        """Each aim (k, d) brought into its box (k,): what moves stepwise stays where the box is below one unit."""
        reach = np.atleast_1d(radii)[:, None] * self.shape.scales
        with np.errstate(invalid="ignore"):
            low, high = np.fmax(self.was - reach, self.low), np.fmin(self.was + reach, self.high)
            low = np.where(self.shape.whole, np.ceil(low - WHOLE), low)
            high = np.where(self.shape.whole, np.floor(high + WHOLE), high)
            found = np.minimum(np.maximum(aims, low), high)
        wide = np.atleast_1d(radii)[:, None] >= 1.0
        found = np.where(self.shape.step & wide, aims, found)
        stay = (self.shape.step | (np.isnan(aims) != np.isnan(self.was))) & ~wide
        return np.where(stay | ~self.free, self.was, found)

    def starts(self, count: int, among: int) -> Floats:
        """(count, d) rows with the movable columns of others: the nearest of `among` others; drawn where none are."""
        if not len(self._background) or not among:
            return self._drawn(count)
        picked = self._background[self.rng.permutation(len(self._background))[:among]]
        # Some take part of the other row only: all of it at once may be more than relations allow.
        share = self.rng.choice(PARTS, len(picked))[:, None]
        taken = self.free & (self.rng.random(picked.shape) < share)
        found = np.where(taken, picked, self.was)
        size = self.radii(found)
        order = np.lexsort((size, ~(size > 0)))
        return found[order[:count]]

    def radius(self, point: Floats) -> float:
        """The L-inf of one point (d,)."""
        return float(self.radii(point[None])[0])

    def radii(self, points: Floats) -> Floats:
        """(k,) the L-inf of points (k, d)."""
        was = np.broadcast_to(self.was, points.shape)
        found: Floats = moves(self.shape.contract, points, was, self.shape.scales).max(axis=1, initial=0.0)
        return found

    def options(self, lever: tuple[int, ...], radius: float, between: int) -> list[Floats]:
        """Values (len(lever),) to set a lever to: its ends, where it was, its categories, and `between` drawn ones."""
        columns = list(lever)
        if len(lever) > 1:
            return [one for i, one in enumerate(np.eye(len(lever))) if self.high[columns[i]] >= 1.0]
        column = lever[0]
        feature = self.shape.contract.features[column]
        if feature.type == "category":
            return [np.array([code]) for code in self._some(feature.codes)]
        reach = radius * self.shape.scales[column]
        share = self.rng.uniform(-1.0, 1.0, between)
        # Half of them near the row: what a column has to pass is often close.
        share = np.where(self.rng.random(between) < NEAR, share * 10.0 ** -self.rng.uniform(0, 3, between), share)
        drawn = self.was[column] + share * reach
        return [np.array([value]) for value in (np.inf, -np.inf, self.was[column], *drawn)]

    def _some(self, codes: tuple[float, ...]) -> Sequence[float]:
        if len(codes) <= MOST_CODES:
            return codes
        return list(self.rng.choice(np.array(codes), MOST_CODES, replace=False))

    def _drawn(self, count: int) -> Floats:
        reach = FAR * self.shape.scales
        low = np.where(np.isfinite(self.low), self.low, np.nan_to_num(self.was) - reach)
        high = np.where(np.isfinite(self.high), self.high, np.nan_to_num(self.was) + reach)
        drawn = self.rng.uniform(low, np.maximum(low, high), (count, len(self.was)))
        return np.where(self.free, drawn, self.was)
