"""Models like the one under test, of which it is known who trained them: trained by any fit and predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.privacy.confidence import FINEST, scaled

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Labels = NDArray[np.int64]
Predict = Callable[[Floats], Floats]
Fit = Callable[[Floats, Labels, int], Predict]
"""Rows (n, d), classes (n,) and a seed to a function from rows to class probabilities (n, k)."""
WORKERS = 2
"""Fits at once, one thread each."""


@dataclass(frozen=True, eq=False)
class Shadows:
    """K of them."""

    confidence: Floats
    """(K, j) scaled confidence in the rows' labels, of the first j rows of a game."""
    inside: Bools
    """(K, j) who was trained on which row."""

    @property
    def count(self) -> int:
        return int(self.inside.shape[0])

    def first(self, count: int) -> Shadows:
        """Only `count` of them."""
        return Shadows(self.confidence[:count], self.inside[:count])

    def without(self, number: int) -> Shadows:
        """All but one."""
        kept = np.arange(self.count) != number
        return Shadows(self.confidence[kept], self.inside[kept])


@dataclass(frozen=True, slots=True)
class Seen:
    """What one model says of the first rows of a game."""

    confidence: Floats
    hit: Bools
    """Whether the labelled class was the most probable."""


def train_shadows(
    fit: Fit, X: Floats, y: Labels, inside: Bools, *, judged: int, seed: int, coarse: float = FINEST
) -> Shadows:
    """Train a model on each row of `inside` (K, n) and ask it about the first `judged` rows. In this process."""
    seen = list(train_each(fit, X, y, inside, judged=judged, seed=seed, coarse=coarse))
    return Shadows(np.stack([one.confidence for one in seen]), inside[:, :judged])


def train_each(
    fit: Fit, X: Floats, y: Labels, inside: Bools, *, judged: int, seed: int, coarse: float = FINEST
) -> Iterator[Seen]:
    """The same one by one, in order, two at a time. The libraries let go of the interpreter while they train."""

    def one(number: int) -> Seen:
        rows = np.flatnonzero(inside[number])
        predict = fit(X[rows], y[rows], seed + number)
        probabilities = predict(X[:judged])
        labels = y[:judged]
        return Seen(scaled(probabilities, labels, coarse), probabilities.argmax(axis=1) == labels)

    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(one, range(len(inside)))
