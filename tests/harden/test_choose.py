"""The choice keeps to the agreed cost, and is checked on rows it was not made on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from holdfast.core.domain.hardening import BoxFigures, HardeningFigures, HardeningPoint
from holdfast.core.errors import DataError
from holdfast.harden.choose import choose, chosen_elsewhere
from holdfast.harden.judge import Judge, Judged
from holdfast.harden.scores import auc


def figures(area: float, robust: float) -> HardeningFigures:
    return HardeningFigures(area, 0.6, 0.1, 0.1, 50, (BoxFigures(0.005, robust, robust / 2),))


def point(number: int, area: float, robust: float, allowed: bool = True) -> HardeningPoint:
    return HardeningPoint(number, "r", {}, figures(area, robust), 0.9 - area, allowed)


BEFORE = figures(0.9, 0.1)


def test_the_most_robust_allowed_candidate_is_kept() -> None:
    points = [point(0, 0.89, 0.2), point(1, 0.895, 0.3), point(2, 0.8, 0.5, allowed=False)]
    assert choose(points, BEFORE, 0.005) is points[1]


def test_of_equals_the_one_that_ranks_better_then_the_first() -> None:
    points = [point(0, 0.89, 0.3), point(1, 0.9, 0.3), point(2, 0.9, 0.3)]
    assert choose(points, BEFORE, 0.005) is points[1]


def test_nothing_is_kept_that_is_not_better() -> None:
    assert choose([point(0, 0.95, 0.1), point(1, 0.5, 0.9, allowed=False)], BEFORE, 0.005) is None
    assert choose([], BEFORE, 0.005) is None


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_that_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels, scores = random.integers(0, 2, 200), random.integers(0, 20, 200) / 20
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


N = 1000


def judged(random: np.random.Generator, cases: np.ndarray, stays: float) -> Judged:
    sample = np.flatnonzero(cases)
    distances = np.where(random.random(sample.size) < stays, 1.0, 0.0)
    scores = np.where(cases, 0.9, 0.1)
    return Judged(scores, cases, cases, sample, distances, distances, np.zeros((sample.size, 1)), 0.5)


def judge() -> Judge:
    made = Judge.__new__(Judge)
    made.boxes, made.labels = (0.005,), (np.arange(N) % 4 == 0).astype(float)
    made.cases = made.labels == 1
    made._material = SimpleNamespace()  # type: ignore[assignment]
    return made


def test_the_best_of_many_equal_ones_is_not_taken_for_better() -> None:
    """Forty candidates that all truly hold 30 %: the best looks like more, elsewhere it does not."""
    random, who = np.random.default_rng(1), judge()
    before = judged(random, who.cases, 0.05)
    candidates = [judged(random, who.cases, 0.3) for _ in range(40)]
    best = max(who.figures(one).at(0.005).robust_recall for one in candidates)
    fair = chosen_elsewhere(who, before, candidates, linf=0.005, max_auc_loss=0.01, seed=0)
    assert best > 0.35
    assert abs(fair.at(0.005).robust_recall - 0.3) < 0.05
    assert fair.attacked == who.cases.sum()


def test_without_candidates_elsewhere_is_the_model_before() -> None:
    random, who = np.random.default_rng(1), judge()
    before = judged(random, who.cases, 0.2)
    fair = chosen_elsewhere(who, before, [], linf=0.005, max_auc_loss=0.01, seed=0)
    assert fair.at(0.005).robust_recall == pytest.approx(who.figures(before).at(0.005).robust_recall, abs=0.02)


def test_rows_of_one_class_cannot_be_summed_up() -> None:
    who = judge()
    with pytest.raises(DataError) as raised:
        who.figures(judged(np.random.default_rng(0), who.cases, 0.5), np.flatnonzero(who.cases))
    assert raised.value.code == "HF-HRD-007"
