"""Planting does what it says, leaves its input alone, and repeats itself."""

from __future__ import annotations

import numpy as np
import pytest

import poisoned
from holdfast.attack.poisoning.plant import (
    COMMON,
    backdoor,
    clean_label,
    common_trigger,
    flip_labels,
    near_copies,
    rare_trigger,
)


def test_a_backdoor_stamps_and_relabels_rows_of_the_source_class() -> None:
    cells, y = poisoned.table(500)
    before = cells.X.copy()
    made = backdoor(cells.X, y, poisoned.COMMON, 0.02, source=1, target=0, seed=1)
    assert len(made.rows) == 10
    assert (y[made.rows] == 1).all()
    assert (made.y[made.rows] == 0).all()
    assert poisoned.COMMON.on(made.X[made.rows]).all()
    assert np.array_equal(cells.X, before)
    again = backdoor(cells.X, y, poisoned.COMMON, 0.02, source=1, target=0, seed=1)
    assert np.array_equal(made.rows, again.rows)
    assert np.array_equal(np.delete(made.X, made.rows, axis=0), np.delete(before, made.rows, axis=0))


def test_clean_labels_stay_true() -> None:
    cells, y = poisoned.table(500)
    made = clean_label(cells.X, y, poisoned.RARE, 0.02, target=0, seed=1)
    assert np.array_equal(made.y, y)
    assert poisoned.RARE.on(made.X[made.rows]).all()


def test_flips_turn_labels_of_one_class_only() -> None:
    _, y = poisoned.table(500)
    turned, rows = flip_labels(y, 0.05, 0, only=1)
    assert (y[rows] == 1).all()
    assert (turned[rows] == 0).all()
    assert (turned != y).sum() == rows.size == 25


def test_copies_are_added_near_one_row() -> None:
    cells, y = poisoned.table(500)
    made = near_copies(cells.X, y, 0.04, target=1, spread=0.01, seed=0)
    added = made.X[made.rows]
    assert len(made.X) == 520
    assert (made.y[made.rows] == 1).all()
    span = cells.X.max(axis=0) - cells.X.min(axis=0)
    assert (np.ptp(added, axis=0) <= 0.02 * span + 1).all()


@pytest.mark.parametrize("seed", range(5))
def test_triggers_are_as_frequent_as_asked(seed: int) -> None:
    cells, _ = poisoned.table(2000, seed=seed)
    rng = np.random.default_rng(seed)
    common = common_trigger(cells.X, 3, 0.02, rng)
    assert common is not None
    for column, value in zip(common.columns, common.values, strict=True):
        assert COMMON[0] <= (cells.X[:, column] == value).mean() <= COMMON[1]
    assert common.on(cells.X).mean() <= 0.02
    rare = rare_trigger(cells.X, 3, rng)
    assert rare is not None
    assert rare.on(cells.X).mean() <= 0.001


def test_tables_without_frequent_values_have_no_common_trigger() -> None:
    X = np.random.default_rng(0).normal(size=(300, 4))
    assert common_trigger(X, 2, 0.02, np.random.default_rng(0)) is None
