"""Labels that others' rows contradict: confident learning on out-of-fold probabilities.

After Northcutt, Jiang and Chuang, "Confident Learning" (2021): a class's own mean probability is its threshold, counts
above thresholds estimate how often which class was turned into which. The score is then the posterior that a label was
turned, rather than the probability alone, so that a class whose labels are never turned is not suspected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.poison.forests import Shape, out_of_fold

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

FOLDS = 5
REPEATS = 2
CALM = Shape(60, 15, 0.1, 20)
"""Slow and with larger leaves than usual: a model that follows single labels cannot contradict them."""
SMOOTH = 0.5


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """How sure one can be of each label."""

    score: Floats
    """(n,) estimated probability that the label was turned; high is suspect."""
    turned: Floats
    """(K, K) estimated share of rows whose true class is the row of the matrix and whose label is its column."""
    probabilities: Floats
    """(n, K) out of fold."""

    @property
    def share(self) -> float:
        """Estimated share of wrong labels. An upper estimate where classes overlap: see `labels.md` of the check."""
        return float(self.turned.sum() - np.trace(self.turned))

    def suspects(self, most: int) -> NDArray[np.intp]:
        """Numbers of the most suspect rows whose label is more likely wrong than right, at most `most`."""
        order = np.argsort(-self.score, kind="stable")[:most]
        return order[self.score[order] > 0.5]


def label_noise(X: Floats, y: Classes, n_classes: int, *, seed: int = 0, repeats: int = REPEATS) -> LabelNoise:
    """Judge every label of `y` (n,), class numbers below `n_classes`, by models that have not seen its row."""
    p = out_of_fold(X, y, n_classes, CALM, folds=FOLDS, seed=seed, repeats=repeats)
    return judge(p, y, n_classes)


def judge(probabilities: Floats, y: Classes, n_classes: int) -> LabelNoise:
    """The same from out-of-fold probabilities (n, K) that are there already."""
    p = calibrated(probabilities, y, n_classes)
    turned = _joint(p, y, n_classes)
    return LabelNoise(_posterior(p, y, turned), turned, p)


def calibrated(p: Floats, y: Classes, n_classes: int) -> Floats:
    """Probabilities whose class means are the classes' shares, rows summing to 1."""
    shares = np.bincount(y, minlength=n_classes) / max(len(y), 1)
    out = np.maximum(p, 1e-9)
    for _ in range(5):
        out = out * (shares / np.maximum(out.mean(axis=0), 1e-12))
        out = out / np.maximum(out.sum(axis=1, keepdims=True), 1e-12)
    return np.asarray(out)


def _joint(p: Floats, y: Classes, n_classes: int) -> Floats:
    """(K, K) confident joint, calibrated to the shares of the labels."""
    there = np.bincount(y, minlength=n_classes)
    thresholds = np.array([p[y == k, k].mean() if there[k] else 2.0 for k in range(n_classes)])
    above = np.where(p >= thresholds, p, -1.0)
    confident = above.max(axis=1) >= 0
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (above.argmax(axis=1)[confident], y[confident]), 1.0)
    counts[np.arange(n_classes), np.arange(n_classes)] += SMOOTH
    return np.asarray(counts / np.maximum(counts.sum(axis=0), 1e-12) * (there / max(len(y), 1)))


def _posterior(p: Floats, y: Classes, turned: Floats) -> Floats:
    """(n,) P(true class is not the label | row, label), with the turning rates of `turned`."""
    kept = turned / np.maximum(turned.sum(axis=1, keepdims=True), 1e-12)
    likely = p * kept[:, y].T
    total = np.maximum(likely.sum(axis=1), 1e-12)
    return np.asarray(1.0 - likely[np.arange(len(y)), y] / total)
