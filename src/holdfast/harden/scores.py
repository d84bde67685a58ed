"""How well scores rank, and where a decision stands among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def auc(labels: Floats, scores: Floats) -> float:
    """Area under the ROC curve, ties counted half."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positive = labels == 1
    n, m = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def boundary(ranked: Floats, rate: float) -> float:
    """A value between two of the falling `ranked` margins that leaves about the share `rate` above it."""
    gaps = np.flatnonzero(np.diff(ranked) < 0)
    if not gaps.size:
        return float(ranked[0]) - 1.0
    place = gaps[np.abs(gaps + 1 - rate * ranked.size).argmin()]
    return float((ranked[place] + ranked[place + 1]) / 2)


def level_for(margins: Floats, rate: float) -> float:
    """The margin from which on the share `rate` of rows is flagged, as nearly as ties allow."""
    return boundary(np.sort(margins)[::-1], rate)
