"""Guard bands: cuts keep apart, cells are what the model tests, and a box crosses few of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bank
from holdfast.core.contract import Contract
from holdfast.core.learn.interface import Growth
from holdfast.core.learn.learners import LightGBM, LightGBMFitted, learner_of
from holdfast.harden.cuts import APART, LEAST_ROWS, Guard, Guarded, guard_of, robust_gains

CONTRACT = Contract.parse(bank.CONTRACT)
COLUMNS = bank.rows(1500, 5)
LABELS = COLUMNS["y"].astype(float)
X = CONTRACT.encode({name: values for name, values in COLUMNS.items() if name != "y"})
SCALES = CONTRACT.scales(X)
WIDTH = len(CONTRACT.names)
TREES = Growth(trees=15, depth=3)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.001, 0.05), st.sampled_from([0.0, 0.5, 1.0]))
def test_only_columns_that_move_are_guarded_and_their_cuts_keep_apart(reach: float, care: float) -> None:
    guard = guard_of(CONTRACT, X, LABELS == 1, SCALES, reach, care)
    assert {CONTRACT.names[column] for column in guard.cuts} <= {"paid", "left"}
    for column, cuts in guard.cuts.items():
        apart = APART if CONTRACT.names[column] == "left" else APART / 2  # a payment only rises
        assert (np.diff(cuts) >= apart * reach * SCALES[column] * (1 - 1e-6)).all()


def test_whole_numbers_that_cannot_move_inside_the_box_stay_free() -> None:
    assert not guard_of(CONTRACT, X, LABELS == 1, SCALES, 0.5 / SCALES[:4].max(), 0.5).cuts


def test_a_cut_that_every_case_can_cross_is_worth_nothing() -> None:
    values, cases = np.arange(200.0), np.arange(200) >= 100
    places = np.array([99.5])
    assert robust_gains(values, cases, places, down=0.0, up=0.0)[0] == pytest.approx(0.25)
    half = robust_gains(values, cases, places, down=50.0, up=50.0)[0]
    assert 0 < half < 0.25
    assert robust_gains(values, cases, places, down=150.0, up=150.0)[0] == 0
    # Cases on the right that may only rise lose nothing.
    assert robust_gains(values, cases, places, down=0.0, up=150.0)[0] == pytest.approx(0.25)


def test_few_rows_make_no_cut() -> None:
    values, cases = np.arange(200.0), np.arange(200) >= 200 - LEAST_ROWS + 1
    assert robust_gains(values, cases, np.array([200 - LEAST_ROWS + 0.5]), down=0.0, up=0.0)[0] == 0


def test_snapping_keeps_what_is_missing() -> None:
    snapped = Guard({0: np.array([1.0, 3.0])}).snap(
        np.array([[0.5, 7.0], [1.0, 7.0], [2.9, 7.0], [9.0, 7.0], [np.nan, 7.0]])
    )
    assert np.isnan(snapped[4, 0])
    assert len(set(snapped[:4, 0])) == 3
    assert snapped[1, 0] == snapped[2, 0] == 1.0
    assert (snapped[:, 1] == 7.0).all()


@pytest.mark.parametrize("source", ["xgboost-ubj", "lightgbm-text"])
def test_the_model_tests_raw_values_at_the_cuts_and_nowhere_else(source: str) -> None:
    learner = learner_of(source, tuple(range(WIDTH)), ())
    guard = guard_of(CONTRACT, X, LABELS == 1, SCALES, 0.02, 0.5)
    assert set(guard.cuts) == {2, 3}
    fitted = Guarded(learner, guard).fit(X, LABELS, np.ones(len(X)), TREES, (0,) * WIDTH, 1)
    assert np.array_equal(fitted.margins(X), fitted.margins(guard.snap(X)))
    found = fitted.cuts()
    for column, cuts in guard.cuts.items():
        assert np.isin(np.float32(found[column]), np.float32(np.append(cuts, np.nextafter(cuts, -np.inf)))).all()
    assert np.ptp(fitted.margins(X)) > 0.5
    edge = X[:1].repeat(2, axis=0)
    edge[:, 2] = [np.nextafter(np.float32(guard.cuts[2][0]), np.float32(-np.inf)), guard.cuts[2][0]]
    assert np.array_equal(fitted.margins(edge), fitted.margins(guard.snap(edge)))


def test_a_recut_lightgbm_ranks_as_the_one_trained_on_cells() -> None:
    learner = LightGBM(tuple(range(WIDTH)), ())
    guard = guard_of(CONTRACT, X, LABELS == 1, SCALES, 0.02, 0.5)
    cells = learner.fit(guard.snap(X), LABELS, np.ones(len(X)), TREES, (0,) * WIDTH, 1)
    raw = Guarded(learner, guard).fit(X, LABELS, np.ones(len(X)), TREES, (0,) * WIDTH, 1)
    assert isinstance(raw, LightGBMFitted)
    assert np.array_equal(cells.margins(guard.snap(X)), raw.margins(X))
    assert np.allclose(raw.shifted(0.5).margins(X), raw.margins(X) + 0.5)
