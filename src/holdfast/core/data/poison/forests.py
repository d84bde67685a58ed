"""Boosted trees that say what a label should be, by other rows. One thread, so that sums are the same anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Predict = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Shape:
    """How trees are grown. `additive` forbids them to combine columns."""

    iterations: int = 40
    leaves: int = 15
    rate: float = 0.2
    least: int = 10
    additive: bool = False


ADDITIVE = Shape(80, 8, 0.15, additive=True)
CONTRAST = Shape()


def learn(X: Floats, y: NDArray[np.integer], n_classes: int, shape: Shape, seed: int) -> Predict:
    """Class probabilities (m, n_classes) of rows (m, d), learned from `X` (n, d) and class numbers `y` (n,)."""
    seen = np.unique(y)
    there = ~np.isnan(X).all(axis=0)
    if seen.size < 2 or not there.any():
        return lambda rows: _prior(y, n_classes, len(rows))
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    model = HistGradientBoostingClassifier(
        max_iter=shape.iterations,
        max_leaf_nodes=shape.leaves,
        learning_rate=shape.rate,
        min_samples_leaf=shape.least,
        interaction_cst="no_interactions" if shape.additive else None,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1):
        model.fit(X[:, there], y)

    def predict(rows: Floats) -> Floats:
        out = np.zeros((len(rows), n_classes))
        if not len(rows):
            return out
        with threadpool_limits(1):
            out[:, seen] = model.predict_proba(rows[:, there])
        return out

    return predict


def out_of_fold(
    X: Floats, y: NDArray[np.integer], n_classes: int, shape: Shape, *, folds: int, seed: int, repeats: int = 1
) -> Floats:
    """(n, n_classes): each row as models say that have not seen it, averaged over `repeats` ways to divide the rows."""
    total = np.zeros((len(y), n_classes))
    for turn in range(repeats):
        fold = _folds(y, folds, seed + turn)
        for number in range(folds):
            held = fold == number
            if held.any():
                total[held] += learn(X[~held], y[~held], n_classes, shape, seed + turn)(X[held])
    return total / repeats


def _folds(y: NDArray[np.integer], folds: int, seed: int) -> NDArray[np.intp]:
    """(n,) fold of each row; every class is spread evenly."""
    order = np.random.default_rng(seed).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    fold = np.empty(len(y), np.intp)
    fold[order] = np.arange(len(y)) % folds
    return fold


def _prior(y: NDArray[np.integer], n_classes: int, n: int) -> Floats:
    shares = (np.bincount(y, minlength=n_classes) + 1.0) / (len(y) + n_classes)
    return np.repeat(shares[None, :], n, axis=0)
