"""How a model was trained, as far as its file tells: what shadows of it are trained by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

MAX_TREES = 5_000
MAX_DEPTH = 64
MAX_LEAVES = 1 << 14
MAX_BINS = 1_024
MAX_ROWS = 1 << 20


class Library(StrEnum):
    """What trains, and by which method."""

    XGBOOST = "xgboost"
    LIGHTGBM = "lightgbm"
    FOREST = "forest"
    """scikit-learn's RandomForestClassifier."""
    EXTRA_TREES = "extra-trees"
    BOOSTING = "boosting"
    """scikit-learn's GradientBoostingClassifier."""
    HISTOGRAM = "histogram"
    """scikit-learn's HistGradientBoostingClassifier."""
    LOGISTIC = "logistic"
    NET = "net"
    """A small perceptron: the guess where a file says nothing of how it was trained."""


@dataclass(frozen=True, slots=True)
class Design:
    """Settings of a training run. 0 in `depth` and `leaves` means unbounded.

    `read` names the settings that the file told; the others are the library's defaults.
    """

    library: Library
    trees: int = 100
    depth: int = 6
    leaves: int = 0
    rate: float = 0.1
    min_weight: float = 0.0
    """Least sum of second derivatives in a leaf."""
    min_rows: int = 1
    """Least rows in a leaf."""
    l2: float = 0.0
    row_share: float = 1.0
    """Share of the rows each tree is grown on."""
    column_share: float = 1.0
    """Share of the columns looked at: per split in forests, per tree elsewhere."""
    bins: int = 256
    resampled: bool = True
    """Whether a forest draws its rows with replacement."""
    read: tuple[str, ...] = ()

    @property
    def coarse(self) -> float:
        """Half the least step between probabilities: shares of votes in a forest are 0 and 1 more often than true."""
        return 0.5 / self.trees if self.library in (Library.FOREST, Library.EXTRA_TREES) else 1e-6

    def told(self, settings: Mapping[str, float | bool | None]) -> Design:
        """With what a file tells; None is not told, and numbers are kept within reason, for files can be hostile."""
        kept = {name: _within(name, value) for name, value in settings.items() if value is not None}
        return replace(self, **kept, read=tuple(sorted({*self.read, *kept})))  # type: ignore[arg-type]


_BOUNDS: Mapping[str, tuple[float, float]] = {
    "trees": (1, MAX_TREES),
    "depth": (0, MAX_DEPTH),
    "leaves": (0, MAX_LEAVES),
    "rate": (1e-4, 1.0),
    "min_weight": (0.0, 1e6),
    "min_rows": (1, MAX_ROWS),
    "l2": (0.0, 1e6),
    "row_share": (0.05, 1.0),
    "column_share": (0.01, 1.0),
    "bins": (2, MAX_BINS),
}
_WHOLE = frozenset({"trees", "depth", "leaves", "min_rows", "bins"})


def _within(name: str, value: float | bool) -> float | bool:
    if isinstance(value, bool):
        return value
    low, high = _BOUNDS[name]
    bounded = low if math.isnan(value) else min(max(value, low), high)
    return int(bounded) if name in _WHOLE else float(bounded)
