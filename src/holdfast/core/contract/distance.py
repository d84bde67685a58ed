"""How far a row moved, in units of the training data's ranges.

A category that changed has moved by 1. A value that went missing or appeared has moved by 1. Derived columns do
not count: they follow the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.contract.matrix import Floats, as_matrix

if TYPE_CHECKING:
    from holdfast.core.contract.contract import Contract, Feature


def scales(contract: Contract, X_train: Floats) -> Floats:
    """The unit of each column (d,): max - min of its training values, 1.0 where that is 0 or nothing is known.

    The unit of a category is the smallest gap between its codes, so that any change is at least 1.
    """
    X = as_matrix(contract, X_train)
    return np.array([_scale(feature, X[:, i]) for i, feature in enumerate(contract.features)])


def _scale(feature: Feature, values: Floats) -> float:
    if feature.type == "category":
        codes = np.sort(np.array(feature.codes))
        return float(np.diff(codes).min()) if len(codes) > 1 else 1.0
    known = values[np.isfinite(values)]
    if not known.size:
        return 1.0
    with np.errstate(over="ignore"):
        spread = float(known.max() - known.min())
    return min(spread, float(np.finfo(np.float64).max)) or 1.0


def moves(contract: Contract, X: Floats, was: Floats, units: Floats) -> Floats:
    """How far each value moved (n, d), in units."""
    X, was = as_matrix(contract, X), as_matrix(contract, was)
    with np.errstate(over="ignore", invalid="ignore"):
        found: Floats = np.abs(X - was) / units
    found[np.isnan(X) & np.isnan(was)] = 0.0
    found[np.isnan(X) ^ np.isnan(was)] = 1.0
    for position, feature in enumerate(contract.features):
        if feature.derived is not None:
            found[:, position] = 0.0
        elif feature.type == "category":
            found[:, position] = np.minimum(found[:, position], 1.0).astype(bool)
    return found


def linf(contract: Contract, X: Floats, was: Floats, units: Floats) -> Floats:
    """The largest move of each row (n,)."""
    found: Floats = moves(contract, X, was, units).max(axis=1, initial=0.0)
    return found


def l1_cost(contract: Contract, X: Floats, was: Floats, units: Floats) -> Floats:
    """What the moves of each row cost (n,): the sum over columns of move times the feature's cost."""
    costs = np.array([feature.cost for feature in contract.features])
    found: Floats = moves(contract, X, was, units) @ costs
    return found
