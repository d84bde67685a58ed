"""Which way a model's score may go as a column rises."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract, Feature
from holdfast.harden.interface import Bench

Floats = NDArray[np.float64]

WEAK = 0.02
"""A rank correlation nearer to zero than this gives no direction."""
ROWS = 20_000


def signs(bench: Bench, monotone: str) -> tuple[int, ...]:
    """(d,) 1 rising, -1 falling, 0 free: of columns that move, or follow from columns that do; none for categories."""
    if monotone == "none":
        return (0,) * len(bench.contract.features)
    moving = moving_columns(bench.contract)
    return tuple(
        _sign(bench, column, feature, monotone) if column in moving and feature.type != "category" else 0
        for column, feature in enumerate(bench.contract.features)
    )


def moving_columns(contract: Contract) -> set[int]:
    """Columns that an attacker moves, and those computed from them."""
    moving = {column for column, feature in enumerate(contract.features) if feature.movable}
    for derived in contract.derived:
        if moving & {factor.column for term in derived.terms for factor in term.factors}:
            moving.add(derived.column)
    return moving


def _sign(bench: Bench, column: int, feature: Feature, monotone: str) -> int:
    if monotone == "safe" and feature.move in ("up", "down"):
        # Pushing it the only way he can must not lead an attacker out of the harmed class.
        outward = 1 if bench.harmed == 1 else -1
        return outward if feature.move == "up" else -outward
    correlation = _rank_correlation(bench.X[:ROWS, column], bench.y[:ROWS])
    return 0 if abs(correlation) < WEAK else int(np.sign(correlation))


def _rank_correlation(values: Floats, labels: Floats) -> float:
    known = ~np.isnan(values)
    if known.sum() < 2 or np.ptp(values[known]) == 0 or np.ptp(labels[known]) == 0:
        return 0.0
    _, ranks = np.unique(values[known], return_inverse=True)
    return float(np.corrcoef(ranks, labels[known])[0, 1])
