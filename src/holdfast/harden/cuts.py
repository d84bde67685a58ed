"""Guard bands: cuts of a column so far apart, and so far from cases, that a box can hardly cross one.

Trees put a cut wherever it sorts the training rows best, often right beside them; a small move then crosses it. Here a
column's cuts are chosen before any tree grows, no two of them within reach of one box, by the Gini gain they keep after
every case within reach has crossed (the worst case of Chen et al., "Robust Decision Trees Against Adversarial
Examples", ICML 2019, for one column). The learner sees the cells between cuts; the model tests raw values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract, Feature
from holdfast.core.learn.interface import Fitted, Growth, Learner
from holdfast.harden.recut import recut
from holdfast.harden.signs import moving_columns

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PLACES = 400
"""Places looked at: so many quantiles, and as many evenly over the range."""
MOST_CUTS = 24
APART = 2.5
"""Boxes between two cuts: a little more than the two sides of one."""
LEAST_ROWS = 20
"""Rows on either side of a cut."""


@dataclass(frozen=True, eq=False)
class Guard:
    """By column, the only values at which trees may test it; columns that are not named are free."""

    cuts: Mapping[int, Floats]

    def snap(self, X: Floats) -> Floats:
        """Rows (n, d) with every guarded value at the lower end of its cell; missing values stay."""
        snapped = X.copy()
        for column, cuts in self.cuts.items():
            values = X[:, column]
            ends = np.concatenate(([cuts[0] - 1.0 - abs(cuts[0])], cuts))
            cells = ends[np.searchsorted(cuts, values, side="right")]
            snapped[:, column] = np.where(np.isnan(values), np.nan, cells)
        return snapped


@dataclass(frozen=True)
class Guarded:
    """A learner whose trees test guarded columns at their cuts only."""

    learner: Learner
    guard: Guard

    def fit(self, X: Floats, y: Floats, weights: Floats, growth: Growth, signs: tuple[int, ...], seed: int) -> Fitted:
        """Train on cells; the model reads raw rows."""
        return recut(self.learner.fit(self.guard.snap(X), y, weights, growth, signs, seed), self.guard.cuts)


def guard_of(
    contract: Contract, X: Floats, cases: NDArray[np.bool_], scales: Floats, reach: float, care: float
) -> Guard:
    """Cuts for every column that moves by at least one step of its own inside a box of radius `reach`.

    `care` mixes what a cut is worth after the attack (1) with what it is worth before (0): with 1 a column whose cases
    all hide within reach is not cut at all; with 0 only the distance between cuts protects.
    """
    moving = moving_columns(contract)
    found = {}
    for column, feature in enumerate(contract.features):
        far = reach * float(scales[column])
        if column in moving and feature.type != "category" and not (feature.type == "integer" and far < 1):
            cuts = _cuts(feature, X[:, column], cases, far, care)
            if cuts.size:
                found[column] = cuts
    return Guard(found)


def _cuts(feature: Feature, values: Floats, cases: NDArray[np.bool_], far: float, care: float) -> Floats:
    """The best cuts of one column, greedily, none nearer to another than a box reaches; sorted."""
    known = np.isfinite(values)
    if known.sum() < 2 * LEAST_ROWS or np.ptp(values[known]) == 0:
        return np.zeros(0)
    places = _places(feature, values[known])
    safe = robust_gains(values[known], cases[known], places, down=_lowers(feature) * far, up=_raises(feature) * far)
    gains = care * safe + (1 - care) * robust_gains(values[known], cases[known], places, down=0.0, up=0.0)
    apart = APART * far if _lowers(feature) and _raises(feature) else APART / 2 * far
    taken: list[float] = []
    for place in np.argsort(-gains, kind="stable"):
        if gains[place] <= 0 or len(taken) == MOST_CUTS:
            break
        if all(abs(places[place] - other) >= apart for other in taken):
            taken.append(float(places[place]))
    # As the libraries keep them, or two cells could fall together.
    return np.unique(np.array(taken, np.float32)).astype(np.float64)


def _lowers(feature: Feature) -> bool:
    return feature.move != "up" or feature.derived is not None


def _raises(feature: Feature) -> bool:
    return feature.move != "down" or feature.derived is not None


def _places(feature: Feature, values: Floats) -> Floats:
    quantiles = np.quantile(values, np.linspace(0.005, 0.995, PLACES))
    places = np.concatenate([quantiles, np.linspace(values.min(), values.max(), PLACES)])
    return np.unique(np.floor(places) + 0.5 if feature.type == "integer" else places)


def robust_gains(values: Floats, cases: NDArray[np.bool_], places: Floats, *, down: float, up: float) -> Floats:
    """Per place (m,) the Gini gain of a cut there when cases that can cross it have done so, the worse way.

    Cases move down by at most `down`, up by at most `up`; other rows stay.
    """
    mine, others = np.sort(values[cases]), np.sort(values[~cases])
    others_left = np.searchsorted(others, places)
    right_risky = np.searchsorted(mine, places + down), others_left
    left_risky = np.searchsorted(mine, places - up), others_left
    total = mine.size, others.size
    gains = np.maximum(_gain(*right_risky, *total, risky="right"), _gain(*left_risky, *total, risky="left"))
    left = np.searchsorted(np.sort(values), places)
    return np.where((left >= LEAST_ROWS) & (values.size - left >= LEAST_ROWS), gains, 0.0)


def _gain(mine_left: Integers, others_left: Integers, mine: int, others: int, *, risky: str) -> Floats:
    """Weighted squared difference of the case shares on both sides; 0 where the risky side is not the riskier."""
    left, right = mine_left + others_left, (mine - mine_left) + (others - others_left)
    share_left = mine_left / np.maximum(left, 1)
    share_right = (mine - mine_left) / np.maximum(right, 1)
    difference = share_right - share_left if risky == "right" else share_left - share_right
    return np.asarray(np.where(difference > 0, difference**2 * left * right / (mine + others) ** 2, 0.0))


def guarded(learner: Learner, guard: Guard) -> Learner:
    """The learner itself where nothing is guarded."""
    return Guarded(learner, guard) if guard.cuts else learner
