"""Attribute inference: a model that uses the column gives it away, one that does not gives nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from holdfast.attack.privacy.attribute import Hidden, Side, infer, paired_gain


def people(n: int, seed: int) -> Side:
    """Columns: a category 0-2 that nothing else tells, a twin pair (one-hot) of another, an amount."""
    draw = np.random.default_rng(seed)
    sex = draw.integers(0, 2, n)
    X = np.column_stack([draw.integers(0, 3, n), sex, 1 - sex, draw.normal(size=n)]).astype(float)
    return Side(X, (X[:, 3] > 0).astype(np.int64))


def uses_the_first(X: np.ndarray) -> np.ndarray:
    p = 1 / (1 + np.exp(-X[:, 3] - 0.5 * X[:, 0]))
    return np.column_stack([1 - p, p])


def test_a_model_that_uses_a_column_betrays_it_and_no_other() -> None:
    known = people(800, 2)
    hidden = [Hidden.seen_in(known.X, (0,)), Hidden.seen_in(known.X, (1, 2))]
    assert [len(one.values) for one in hidden] == [3, 2]
    told, rounded, silent, _ = infer(people(800, 1), known, hidden, uses_the_first, digits=(None, 1), seed=0)
    assert told.with_model > 0.95
    assert told.imputed < 0.45
    assert told.gain.low > 0.5
    assert rounded.gain.value < told.gain.value
    assert silent.gain.low <= 0 <= silent.gain.high
    assert told.threat.population


def test_values_of_a_group_are_filled_in_together() -> None:
    side = people(50, 3)
    what = Hidden.seen_in(side.X, (1, 2))
    filled = what.filled(side.X).reshape(2, 50, 4)
    assert (filled[:, :, 1] + filled[:, :, 2] == 1).all()
    assert (filled[:, :, [0, 3]] == side.X[:, [0, 3]]).all()
    assert what.without(side.X).shape == (50, 2)


def test_rare_and_missing_values_are_one_other_value() -> None:
    X = np.array([[1.0]] * 500 + [[2.0]] * 499 + [[7.0], [np.nan]])
    what = Hidden.seen_in(X, (0,))
    assert what.values.tolist() == [[1.0], [2.0]]
    assert what.codes(X)[[0, 500, 999, 1000]].tolist() == [0, 1, 2, 2]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 100))
def test_the_gain_is_the_difference_and_lies_in_its_interval(won: int, lost: int, same: int) -> None:
    n = won + lost + same + 1
    after, before = np.zeros(n, bool), np.zeros(n, bool)
    after[:won] = True
    before[won : won + lost] = True
    found = paired_gain(after, before)
    assert found.value == after.mean() - before.mean() or abs(found.value - (won - lost) / n) < 1e-12
    assert found.low <= found.value <= found.high
    assert found.low < found.high


def test_the_interval_covers_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(300):
        draw = np.random.default_rng(seed)
        after, before = draw.random(400) < 0.6, draw.random(400) < 0.5
        found = paired_gain(after, before)
        held += found.low <= 0.1 <= found.high
    assert 274 <= held <= 297
