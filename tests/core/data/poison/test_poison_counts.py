"""Counts and their surprise, against exact distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.data.poison.counts import adjusted, draw_tail, poisson_tail, signed_root


@given(st.integers(0, 60), st.floats(0.1, 50))
@settings(max_examples=60, deadline=None)
def test_poisson_tail_is_the_sum_of_its_terms(seen: int, expected: float) -> None:
    below = math.fsum(math.exp(k * math.log(expected) - expected - math.lgamma(k + 1)) for k in range(seen))
    assert math.exp(float(poisson_tail(seen, expected))) == pytest.approx(1 - below, abs=1e-9)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 40), st.data())
@settings(max_examples=60, deadline=None)
def test_draw_tail_is_a_count_of_draws(total: int, marked: int, drawn: int, data: st.DataObject) -> None:
    marked, drawn = min(marked, total), min(drawn, total)
    hits = data.draw(st.integers(0, drawn))
    ways = sum(math.comb(marked, k) * math.comb(total - marked, drawn - k) for k in range(hits, drawn + 1))
    tail = math.exp(float(draw_tail(hits, drawn, marked, total)))
    assert tail == pytest.approx(ways / math.comb(total, drawn), abs=1e-9)


@given(st.integers(5, 200), st.floats(1.0, 100.0))
@settings(max_examples=60, deadline=None)
def test_signed_root_tells_direction_and_tracks_the_tail(seen: int, expected: float) -> None:
    root = float(signed_root(seen, expected))
    assert (root > 0) == (seen > expected) or seen == expected
    if 3 < root < 12:
        from scipy.stats import norm

        assert float(poisson_tail(seen, expected)) == pytest.approx(norm.logsf(root), rel=0.35)


def test_adjusted_is_monotone_and_never_below_the_raw_value() -> None:
    raw = np.log(np.array([1e-8, 0.02, 0.5, 0.03]))
    found = adjusted(raw, 10)
    assert (found >= np.exp(raw) - 1e-15).all()
    assert found[0] == pytest.approx(1e-7)
    assert np.argsort(found, kind="stable").tolist() == np.argsort(raw, kind="stable").tolist()
    assert adjusted(np.empty(0), 5).size == 0


def test_adjusted_is_benjamini_hochbergs() -> None:
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(0).uniform(0, 1, 50) ** 3
    assert adjusted(np.log(p), 50) == pytest.approx(false_discovery_control(p))
