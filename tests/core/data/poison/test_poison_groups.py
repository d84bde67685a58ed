"""Copies and slices: planted ones come first, chance ones are not likely."""

from __future__ import annotations

import numpy as np

import poisoned
from holdfast.attack.poisoning.plant import near_copies as plant_copies
from holdfast.core.data.poison.cells import Cells
from holdfast.core.data.poison.copies import near_copies
from holdfast.core.data.poison.labels import judge
from holdfast.core.data.poison.slices import compare, new_rows, slices_of


def test_near_copies_with_one_label_come_first() -> None:
    cells, y = poisoned.table(2000, seed=1)
    made = plant_copies(cells.X, y, 0.02, target=1, spread=0.001, seed=0)
    found = near_copies(Cells(cells.names, made.X, cells.texts), made.y)
    first = found[0]
    assert len(set(first.rows.tolist()) & set(made.rows.tolist())) >= 0.9 * len(made.rows)
    assert first.label == 1
    assert first.log_p < np.log(1e-3)
    assert not first.identical


def test_equal_rows_are_called_equal_and_clean_tables_have_none() -> None:
    cells, y = poisoned.table(1000, seed=2)
    assert not [one for one in near_copies(cells, y) if one.log_p < np.log(1e-6)]
    X = np.vstack([cells.X, np.repeat(cells.X[:1], 30, axis=0)])
    found = near_copies(Cells(cells.names, X, cells.texts), np.append(y, np.full(30, 1 - y[0])))
    assert found[0].identical


def test_tables_without_columns_that_vary_have_no_copies() -> None:
    for X in (np.ones((50, 4)), np.full((50, 4), np.nan), np.arange(50.0)[:, None], np.ones((2, 5))):
        cells = Cells.of({str(place): X[:, place] for place in range(X.shape[1])})
        assert near_copies(cells, np.zeros(len(X), np.int64)) == []


def _noise(y: np.ndarray, share: float):  # type: ignore[no-untyped-def]
    return judge(np.tile([1 - share, share], (len(y), 1)), y, 2)


def test_a_slice_with_labels_that_values_do_not_explain_is_found() -> None:
    cells, y = poisoned.table(2000, seed=3)
    bad = np.arange(2000) % 10 == 3
    turned = np.where(bad, 1, y)
    found = new_rows(cells, turned, _noise(y, float(y.mean())), bad)
    assert found is not None
    assert found.p < 1e-12
    assert found.label_rate == 1.0
    assert found.unexplained > 0.4


def test_random_slices_are_no_news() -> None:
    cells, y = poisoned.table(2000, seed=3)
    parts = {str(k): np.random.default_rng(k).random(2000) < 0.1 for k in range(20)}
    found = compare(cells, y, _noise(y, float(y.mean())), parts)
    assert len(found) == 20
    assert min(one.p for one in found) > 1e-3
    assert max(one.drift for one in found) < 0.25


def test_new_rows_that_look_different_drift() -> None:
    cells, y = poisoned.table(1000, seed=5)
    X = cells.X.copy()
    new = np.arange(1000) >= 900
    X[new, 1] += 5000
    found = new_rows(Cells(cells.names, X, cells.texts), y, _noise(y, 0.3), new)
    assert found is not None
    assert found.drifted == "balance"
    assert found.drift > 1.0


def test_too_few_new_rows_say_nothing() -> None:
    cells, y = poisoned.table(300)
    assert new_rows(cells, y, _noise(y, 0.3), np.arange(300) < 5) is None
    assert new_rows(cells, y, _noise(y, 0.3), np.ones(300, bool)) is None


def test_columns_become_slices() -> None:
    texts = slices_of("source", np.array(["a", "b", None, "a"], object))
    assert {name: rows.tolist() for name, rows in texts.items()} == {
        "source = a": [True, False, False, True],
        "source = b": [False, True, False, False],
        "source missing": [False, False, True, False],
    }
    times = slices_of("day", np.arange(1000.0))
    assert len(times) == 10
    assert sum(rows.sum() for rows in times.values()) == 1000
    assert slices_of("empty", np.full(5, np.nan)) == {}
