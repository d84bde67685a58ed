"""Between which values a derived column stays while the columns it follows stay in a box: interval arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from holdfast.attack.evasion.exact.ground import Bools, Floats, Place
from holdfast.attack.interface import Norm
from holdfast.core.contract import Derived, Factor, Term

WIDER = 1e-9
"""Relative room for rounding."""


@dataclass(frozen=True, eq=False)
class Spans:
    """Per column (d,) the least and the greatest value in the box, and whether it may be missing."""

    low: Floats
    high: Floats
    missing: Bools

    @classmethod
    def of(cls, place: Place, norm: Norm, radius: float) -> Spans:
        """The ranges of a place's columns in a box of `radius` (squared for L2), those of derived columns last."""
        ground, row = place.ground, place.row
        away = reach(place, norm, radius) * ground.scales
        least, most = ground.limits
        low = np.where(ground.rises, row, np.maximum(row - away, least))
        high = np.where(ground.falls, row, np.minimum(row + away, most))
        low, high = np.where(ground.category, -np.inf, low), np.where(ground.category, np.inf, high)
        low, high = np.where(ground.free, low, row), np.where(ground.free, high, row)
        found = cls(low, high, np.isnan(row) | ground.may_miss)
        for derived in ground.contract.derived:
            found._derive(derived)
        return found

    def _derive(self, derived: Derived) -> None:
        parts = [self._term(term) for term in derived.terms]
        low, high = math.fsum(part[0] for part in parts), math.fsum(part[1] for part in parts)
        column = derived.column
        self.missing[column] = any(part[2] for part in parts)
        if not math.isfinite(low) or not math.isfinite(high):
            self.low[column], self.high[column], self.missing[column] = -np.inf, np.inf, True
            return
        self.low[column] = low - WIDER * max(1.0, abs(low))
        self.high[column] = high + WIDER * max(1.0, abs(high))

    def _term(self, term: Term) -> tuple[float, float, bool]:
        """(least, most, may be missing); NaN where it may divide by zero, overflow, or is not known."""
        low = high = term.coefficient
        for factor in term.factors:
            ends = self._factor(factor)
            if ends is None:
                return math.nan, math.nan, True
            products = [a * b for a in (low, high) for b in ends]
            if not all(math.isfinite(product) for product in products):
                return math.nan, math.nan, True
            low, high = min(products), max(products)
        return low, high, any(bool(self.missing[factor.column]) for factor in term.factors)

    def _factor(self, factor: Factor) -> tuple[float, float] | None:
        low, high = float(self.low[factor.column]), float(self.high[factor.column])
        if factor.power > 0:
            return low, high
        return (1.0 / high, 1.0 / low) if low > 0 or high < 0 else None

    def open(self, place: Place) -> Bools:
        """(S,) slots of derived columns inside their ranges."""
        ground, column = place.ground, place.ground.column
        inside = (ground.grid.low <= self.high[column]) & (ground.grid.high >= self.low[column])
        return np.asarray(ground.derived[column] & np.where(ground.absent, self.missing[column], inside), np.bool_)


def reach(place: Place, norm: Norm, radius: float) -> Floats:
    """(d,) how many units a column may move, at most, in a box of `radius` (squared for L2)."""
    prices = place.ground.prices
    with np.errstate(divide="ignore"):
        paid = np.where(prices > 0, radius / np.maximum(prices, 1e-300), np.inf)
    units = {Norm.LINF: radius, Norm.L0: np.inf, Norm.L2: math.sqrt(radius)}.get(norm, 0.0)
    return np.asarray(paid if norm is Norm.L1 else np.full(prices.size, units), np.float64)
