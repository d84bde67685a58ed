"""What a library that grows boosted trees is, in words that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Growth:
    """How trees are grown, in words that both libraries know.

    `min_leaf` is the least sum of second derivatives in a leaf (of a calibrated binary model: the sum of p(1-p));
    `monotone` is none, data (as the training labels rank by a movable column) or safe (as `data`, but a column that an
    attacker can only push one way may not help him).
    """

    trees: int = 120
    depth: int = 3
    rate: float = 0.1
    min_leaf: float = 5.0
    l2: float = 1.0
    column_share: float = 1.0
    bins: int = 256
    monotone: str = "none"


class Fitted(Protocol):
    """A trained model, in the process that trained it."""

    def margins(self, X: Floats) -> Floats:
        """Log-odds (n,) of class 1 for raw contract rows (n, d)."""
        ...

    def cuts(self) -> Mapping[int, Floats]:
        """By contract column, the sorted thresholds at which the trees test it."""
        ...

    def shifted(self, shift: float) -> Fitted:
        """The same model with all margins raised by `shift`."""
        ...

    def save(self) -> bytes:
        """The artifact, in the format of the original."""
        ...


class Learner(Protocol):
    """A library that grows boosted trees."""

    def fit(self, X: Floats, y: Floats, weights: Floats, growth: Growth, signs: tuple[int, ...], seed: int) -> Fitted:
        """Train on raw contract rows (n, d), labels 0 or 1 (n,). `signs` (d,): 1 rising, -1 falling, 0 free."""
        ...
