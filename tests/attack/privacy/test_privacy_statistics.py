"""LiRA and RMIA against their definitions, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from holdfast.attack.privacy import lira, rmia
from holdfast.attack.privacy.confidence import scaled, share
from holdfast.attack.privacy.game import balanced
from holdfast.attack.privacy.lira import Spread
from holdfast.attack.privacy.shadows import Shadows
from holdfast.core.errors import UsageError


def shadows(seed: int, count: int = 8, rows: int = 12) -> Shadows:
    draw = np.random.default_rng(seed)
    return Shadows(draw.normal(1.0, 2.0, (count, rows)), balanced(count, rows, seed))


@given(st.integers(0, 200), st.sampled_from(list(Spread)))
def test_lira_is_the_ratio_of_two_normal_densities(seed: int, spread: Spread) -> None:
    seen, x = shadows(seed), np.random.default_rng(seed + 1).normal(size=12)
    found, alone = lira.online(x, seen, spread), lira.offline(x, seen, spread)
    residuals = {side: [] for side in (True, False)}
    for side in (True, False):
        for row in range(12):
            values = seen.confidence[seen.inside[:, row] == side, row]
            residuals[side].extend(values - values.mean())
    for row in range(12):
        parts = {}
        for side in (True, False):
            values = seen.confidence[seen.inside[:, row] == side, row]
            freedom = 12 * 3
            whole = np.sqrt(np.square(residuals[side]).sum() / freedom)
            parts[side] = norm(values.mean(), whole if spread is Spread.GLOBAL else values.std(ddof=1))
        assert found[row] == pytest.approx(parts[True].logpdf(x[row]) - parts[False].logpdf(x[row]))
        assert norm.cdf(alone[row]) == pytest.approx(parts[False].cdf(x[row]))


@given(st.integers(0, 200), st.booleans(), st.sampled_from([1.0, 2.0]))
def test_rmia_counts_the_strangers_that_a_ratio_beats(seed: int, online: bool, gamma: float) -> None:
    draw = np.random.default_rng(seed)
    asked, strangers = 10, 7
    confidence, x = draw.normal(size=(4, asked + strangers)), draw.normal(size=asked + strangers)
    inside = np.hstack([balanced(4, asked, seed), np.zeros((4, strangers), bool)])
    found = rmia.relative(x, Shadows(confidence, inside), asked, online=online, gamma=gamma)
    p = share(confidence)

    def ratio(row: int) -> float:
        outside = p[~inside[:, row], row].mean()
        known = online and row < asked
        within = p[inside[:, row], row].mean() if known else rmia.SLOPE * outside + 1 - rmia.SLOPE
        return float(share(x)[row] / ((within + outside) / 2))

    for row in range(asked):
        beaten = np.mean([ratio(row) / ratio(z) >= gamma for z in range(asked, asked + strangers)])
        assert beaten <= found[row] < beaten + 1 / strangers


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=20))
def test_scaling_is_the_logit_and_comes_back(margins: list[float]) -> None:
    p = share(np.array(margins))
    labels = np.ones(len(margins), np.int64)
    assert scaled(np.column_stack([1 - p, p]), labels, 0.0) == pytest.approx(margins, abs=1e-9)
    assert scaled(np.column_stack([1 - p, p]), 1 - labels, 0.0) == pytest.approx([-m for m in margins], abs=1e-9)


def test_certainty_is_bounded_by_how_coarse_the_model_is() -> None:
    sure = np.array([[0.0, 1.0]])
    assert scaled(sure, np.array([1]), 0.01)[0] == pytest.approx(np.log(1.01 / 0.01))


@given(st.sampled_from([2, 4, 6, 16]), st.integers(2, 40), st.integers(0, 50))
def test_every_row_is_in_half_of_the_shadows_and_of_any_even_number_of_them(count: int, rows: int, seed: int) -> None:
    inside = balanced(count, rows, seed)
    for some in range(2, count + 1, 2):
        assert (inside[:some].sum(axis=0) == some // 2).all()
    assert set(inside.sum(axis=1)) <= {rows // 2, rows - rows // 2}


def test_too_few_shadows_are_refused() -> None:
    for attempt in (
        lambda: lira.online(np.zeros(12), shadows(0, 2), Spread.GLOBAL),
        lambda: lira.online(np.zeros(12), shadows(0, 2), Spread.ROW),
        lambda: rmia.relative(np.zeros(12), shadows(0, 2), 12, online=True),
        lambda: lira.offline(np.zeros(12), Shadows(np.zeros((2, 12)), np.ones((2, 12), bool)), Spread.GLOBAL),
    ):
        with pytest.raises(UsageError) as caught:
            attempt()
        assert caught.value.code == "HF-PRV-003"
