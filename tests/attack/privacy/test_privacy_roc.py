"""The figures against scikit-learn's curve, closed forms and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from sklearn.metrics import roc_auc_score, roc_curve

from holdfast.attack.privacy.roc import Roc, clopper_pearson

SCORES = st.lists(st.integers(-6, 6), min_size=2, max_size=60)


@given(SCORES, SCORES, st.sampled_from([0.0, 0.03, 0.1, 0.25, 0.5, 1.0]))
def test_it_reads_the_curve_as_scikit_learn_draws_it(members: list[int], others: list[int], fpr: float) -> None:
    scores = np.array([*members, *others], float)
    member = np.arange(scores.size) < len(members)
    roc = Roc.of(scores, member)
    assert roc.auc == pytest.approx(roc_auc_score(member, scores))
    false, true, _ = roc_curve(member, scores, drop_intermediate=False)
    assert roc.tpr(fpr) == pytest.approx(true[false <= fpr + 1e-12].max())


@given(st.integers(0, 40), st.integers(1, 40))
def test_the_exact_interval_is_scipys(hits: int, more: int) -> None:
    n = hits + more
    known = binomtest(hits, n).proportion_ci(method="exact")
    assert clopper_pearson(hits, n) == pytest.approx((known.low, known.high), abs=1e-9)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Members one deviation above strangers: TPR at 1 % is Phi(1 - z), AUC is Phi(1 / sqrt 2)."""
    tpr, auc = norm.cdf(1 - norm.ppf(0.99)), norm.cdf(1 / np.sqrt(2))
    member = np.arange(1200) < 600
    held = np.zeros(2)
    for seed in range(200):
        scores = np.random.default_rng(seed).normal(size=1200) + member
        roc = Roc.of(scores, member)
        for place, (found, truth) in enumerate([(roc.tpr_estimate(0.01, seed), tpr), (roc.auc_estimate(), auc)]):
            held[place] += found.low <= truth <= found.high
    assert held[0] >= 180
    assert 180 <= held[1] <= 199


def test_no_figure_where_there_are_too_few_strangers() -> None:
    roc = Roc.of(np.arange(200.0), np.arange(200) % 2 == 0)
    assert not roc.resolves(0.001)
    assert [fpr for fpr, _ in roc.points((0.001, 0.01, 0.1))] == [0.01, 0.1]


def test_an_interval_contains_its_value_at_the_ends() -> None:
    member = np.arange(100) < 50
    for scores in (member.astype(float), 1.0 - member, np.zeros(100)):
        roc = Roc.of(scores, member)
        for found in (roc.tpr_estimate(0.1), roc.auc_estimate()):
            assert 0 <= found.low <= found.value <= found.high <= 1
