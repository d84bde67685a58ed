"""How well scores tell members from others, read where false alarms are rare, with what chance alone may have done."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LEVEL = 0.95
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Roc:
    """Scores of both kinds, sorted, highest first."""

    members: Floats
    others: Floats

    @classmethod
    def of(cls, scores: Floats, member: Bools) -> Roc:
        return cls(np.sort(scores[member])[::-1], np.sort(scores[~member])[::-1])

    def tpr(self, fpr: float) -> float:
        """The share of members found by the lowest threshold that no more than the share `fpr` of the others pass."""
        return float(self._found(np.array([self._allowed(fpr)]))[0]) / self.members.size

    def resolves(self, fpr: float) -> bool:
        """Whether there are enough others for that share to be at least one of them."""
        return fpr * self.others.size >= 1.0

    def tpr_estimate(self, fpr: float, seed: int = 0) -> Estimate:
        """With an interval that holds what resampling both kinds gives, and Clopper-Pearson at the threshold.

        Resampling the others moves the threshold: which of them it falls on is an order statistic, drawn directly.
        """
        draw = np.random.default_rng(seed)
        n, allowed = self.others.size, self._allowed(fpr)
        place = np.minimum((draw.beta(allowed + 1, max(n - allowed, 1), RESAMPLES) * n).astype(np.int64), n - 1)
        shares = draw.binomial(self.members.size, self._found(place) / self.members.size) / self.members.size
        low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        value = self.tpr(fpr)
        least, most = clopper_pearson(round(value * self.members.size), self.members.size)
        return Estimate(value, min(float(low), least), max(float(high), most))

    @property
    def auc(self) -> float:
        """How often a member's score is above another's; a tie counts half."""
        return float(self._wins(self.members, self.others).mean())

    def auc_estimate(self) -> Estimate:
        """By DeLong's variance, its interval on the scale of log-odds so that it stays between 0 and 1."""
        wins, losses = self._wins(self.members, self.others), 1.0 - self._wins(self.others, self.members)
        value = float(wins.mean())
        variance = _variance(wins) / wins.size + _variance(losses) / losses.size
        inner = min(max(value, 1e-6), 1 - 1e-6)
        width = 1.959963984540054 * math.sqrt(variance) / (inner * (1 - inner))
        middle = math.log(inner / (1 - inner))
        return Estimate(value, min(value, _logistic(middle - width)), max(value, _logistic(middle + width)))

    def points(self, fprs: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
        """(fpr, tpr) where there are enough others; for plots."""
        return tuple((fpr, self.tpr(fpr)) for fpr in fprs if self.resolves(fpr))

    def _allowed(self, fpr: float) -> int:
        return math.floor(fpr * self.others.size + 1e-9)

    def _found(self, place: NDArray[np.int64]) -> Floats:
        """How many members score above the other at `place`; all of them behind the last one."""
        bar = np.append(self.others, -np.inf)[place]
        return np.asarray(np.searchsorted(-self.members, -bar, side="left"), np.float64)

    @staticmethod
    def _wins(these: Floats, those: Floats) -> Floats:
        """Of each of `these`, the share of `those` below it, ties half."""
        rising = those[::-1]
        below, upto = (np.searchsorted(rising, these, side=side) for side in ("left", "right"))
        return np.asarray((below + upto) / (2.0 * rising.size), np.float64)


def clopper_pearson(hits: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a share of `hits` in `n`."""
    from scipy.stats import beta

    tail = (1 - LEVEL) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(1 - tail, hits + 1, n - hits))
    return low, high


def _variance(values: Floats) -> float:
    return float(values.var(ddof=1)) if values.size > 1 else 0.0


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(max(x, -700.0), 700.0)))
