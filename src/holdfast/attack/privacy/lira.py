"""LiRA: how much likelier a confidence is for a model that saw the row than for one that did not.

Carlini, Chien, Nasr, Song, Terzis, Tramer, Membership Inference Attacks From First Principles (2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.privacy.game import too_few
from holdfast.attack.privacy.shadows import Shadows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LEAST_SPREAD = 1e-3
"""Standard deviation below which shadows agree by rounding: none is taken to be surer than this."""


class Spread(StrEnum):
    """Over what the variance of confidences is taken."""

    GLOBAL = "global"
    """All rows share one: right for few shadows (the paper's advice below 64)."""
    ROW = "row"
    """Each row has its own."""


@dataclass(frozen=True, eq=False)
class Normal:
    """One normal distribution per row."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, confidence: Floats, which: Bools, spread: Spread) -> Normal:
        """Fitted to those of `confidence` (K, n) that are in `which` (K, n); each row needs one, the spread two."""
        count = which.sum(axis=0)
        if not count.min(initial=1):
            raise too_few("a row is in all of the shadows, or in none")
        mean = np.where(which, confidence, 0.0).sum(axis=0) / count
        squares = np.where(which, (confidence - mean) ** 2, 0.0).sum(axis=0)
        freedom = count - 1
        if spread is Spread.ROW and freedom.min(initial=1) < 1:
            raise too_few("a spread of each row needs two shadows with it and two without")
        if not freedom.sum():
            raise too_few("LiRA needs at least 4 shadows")
        variance = np.full(mean.size, squares.sum() / freedom.sum()) if spread is Spread.GLOBAL else squares / freedom
        return cls(mean, np.maximum(np.sqrt(variance), LEAST_SPREAD))

    def log_density(self, x: Floats) -> Floats:
        """Without the constant that both sides of a ratio share."""
        return np.asarray(-0.5 * ((x - self.mean) / self.deviation) ** 2 - np.log(self.deviation), np.float64)

    def above(self, x: Floats) -> Floats:
        """How many deviations `x` lies above the mean: ranks rows as the one-sided probability does."""
        return np.asarray((x - self.mean) / self.deviation, np.float64)


def online(confidence: Floats, shadows: Shadows, spread: Spread) -> Floats:
    """(n,) log-likelihood ratio of having been trained on the row, against not."""
    inside = Normal.of(shadows.confidence, shadows.inside, spread)
    outside = Normal.of(shadows.confidence, ~shadows.inside, spread)
    return inside.log_density(confidence) - outside.log_density(confidence)


def offline(confidence: Floats, shadows: Shadows, spread: Spread) -> Floats:
    """(n,) how far above models that never saw the row the confidence lies. Only such shadows are used."""
    return Normal.of(shadows.confidence, ~shadows.inside, spread).above(confidence)
