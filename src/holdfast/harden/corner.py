"""The worst corner of a box, in closed form.

Where a score may only rise or only fall with every column that moves, nothing inside a box is worse than its corner: an
attack on the model is then no search at all, and training on corners is training on the strongest attack there is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract, Feature

Floats = NDArray[np.float64]


def worst_corner(
    contract: Contract, rows: Floats, scales: Floats, reach: float, signs: tuple[int, ...], toward: float
) -> Floats:
    """`rows` (n, d), every movable column with a sign pushed by `reach` so that `toward` times the score rises.

    Bounds, whole numbers and the way a column may move are kept; relations are not asked, so that an attacker is at
    times given more than he has. Derived columns follow.
    """
    moved = rows.copy()
    for column, (feature, sign) in enumerate(zip(contract.features, signs, strict=True)):
        if sign and feature.movable and feature.type != "category":
            moved[:, column] = _pushed(feature, rows[:, column], toward * sign * reach * float(scales[column]))
    return contract.derive(moved)


def _pushed(feature: Feature, values: Floats, step: float) -> Floats:
    if (feature.move == "up" and step < 0) or (feature.move == "down" and step > 0):
        return values
    whole = float(np.trunc(step * (1 + 1e-9))) if feature.type == "integer" else step
    least, most = np.fmin(feature.min, values), np.fmax(feature.max, values)
    pushed: Floats = np.where(np.isnan(values), np.nan, np.clip(values + whole, least, most))
    return pushed
