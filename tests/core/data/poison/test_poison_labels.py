"""Turned labels are ranked first, better than by the probability of the label alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

import poisoned
from holdfast.attack.poisoning.plant import flip_labels
from holdfast.core.data.poison.labels import calibrated, judge, label_noise


def auc(score: np.ndarray, truth: np.ndarray) -> float:
    ranks, positive = rankdata(score), truth.sum()
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * (~truth).sum()))


@pytest.mark.parametrize("only", [None, 1])
def test_turned_labels_rank_first(only: int | None) -> None:
    cells, y = poisoned.table(1200, seed=4)
    turned, rows = flip_labels(y, 0.05, 1, only=only)
    truth = np.zeros(len(y), bool)
    truth[rows] = True
    noise = label_noise(cells.X, turned, 2, repeats=1)
    own = 1.0 - noise.probabilities[np.arange(len(y)), turned]
    assert auc(noise.score, truth) >= 0.85
    assert auc(noise.score, truth) >= auc(own, truth) - 0.01
    assert 0.0 < noise.share < 0.4


def test_a_class_that_is_never_turned_is_suspected_less() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 4000)
    p1 = np.clip(np.where(truth == 1, 0.8, 0.2) + rng.normal(0, 0.12, 4000), 0.01, 0.99)
    y = np.where((truth == 1) & (rng.random(4000) < 0.2), 0, truth)
    noise = judge(np.stack([1 - p1, p1], axis=1), y, 2)
    assert noise.turned[1, 0] > 3 * noise.turned[0, 1]
    middle = np.abs(p1 - 0.5) < 0.1
    assert noise.score[middle & (y == 0)].mean() > noise.score[middle & (y == 1)].mean()


def test_calibration_gives_the_classes_their_shares() -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet([1, 1, 1], 500)
    y = rng.choice(3, 500, p=[0.7, 0.2, 0.1])
    found = calibrated(p, y, 3)
    assert found.sum(axis=1) == pytest.approx(np.ones(500))
    assert found.mean(axis=0) == pytest.approx(np.bincount(y) / 500, abs=0.02)


def test_more_classes_and_odd_rows() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(300, 3))
    X[:, 2] = np.nan
    noise = label_noise(X, rng.integers(0, 3, 300), 3, repeats=1)
    assert np.isfinite(noise.score).all()
    assert (noise.suspects(10) < 300).all()
    alone = label_noise(np.ones((2, 1)), np.array([0, 1]), 2, repeats=1)
    assert np.isfinite(alone.score).all()
