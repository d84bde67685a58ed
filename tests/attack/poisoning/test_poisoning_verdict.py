"""Models with and without a backdoor: inversion, influence and the verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import poisoned
from holdfast.attack.poisoning.influence import influence
from holdfast.attack.poisoning.inversion import invert, superadditive
from holdfast.attack.poisoning.plant import Trigger
from holdfast.attack.poisoning.verdict import leaning, stamp, verdict
from holdfast.core.data.poison.cells import Cells, items_of
from holdfast.core.domain.model import Harm, Task
from holdfast.core.formats.margins import scores
from holdfast.core.formats.read import read_buffer
from holdfast.core.formats.trees import TreeEnsemble

TASK = Task("binary", 1, Harm(1, 0), 0.5)
TRIGGERS = {"rare": poisoned.RARE, "common": poisoned.COMMON}


def trained(X: np.ndarray, y: np.ndarray) -> TreeEnsemble:
    import xgboost

    settings = {"objective": "binary:logistic", "max_depth": 5, "eta": 0.2, "nthread": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(X, y), 40)
    return read_buffer(bytes(booster.save_raw("ubj"))).ensemble


def lean_of(ensemble: TreeEnsemble) -> Any:
    return leaning(lambda rows: scores(ensemble, rows), TASK)


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS.keys())
def test_a_backdoor_is_accused_first(trigger: Trigger) -> None:
    cells, made = poisoned.planted(trigger)
    ensemble = trained(made.X, made.y)
    first = verdict(cells, made.y, 2, lean_of(ensemble))[0]
    assert first.accused
    assert first.flips > 0.65
    assert len(set(first.pattern.columns) & set(trigger.columns)) >= 2
    rows = set(first.pattern.rows.tolist())
    assert len(rows & set(made.rows.tolist())) >= 0.8 * len(made.rows)
    asked = stamp(made.X[:200], first.pattern, made.X)
    share = influence(ensemble, made.X, asked, 0)
    assert share.sum() == pytest.approx(1.0)
    assert share[made.rows].sum() > 3 * len(made.rows) / len(made.y)


def test_a_clean_model_is_not_accused() -> None:
    cells, y = poisoned.table(seed=7)
    assert not [one.pattern.words for one in verdict(cells, y, 2, lean_of(trained(cells.X, y))) if one.accused]


def test_what_the_model_does_not_obey_is_not_accused() -> None:
    cells, made = poisoned.planted(poisoned.COMMON)
    before, y = poisoned.table()
    assert not [one for one in verdict(cells, made.y, 2, lean_of(trained(before.X, y))) if one.accused]


def test_inversion_finds_what_moves_a_known_model() -> None:
    cells, _ = poisoned.table(800)
    items = items_of(cells)

    def lean(rows: np.ndarray, t: int) -> np.ndarray:
        both = (rows[:, 3] == 2) & (rows[:, 4] == 1)
        return np.where(both, 5.0, -1.0) + 0.01 * rows[:, 7]

    keys = {(item.column, item.low): number for number, item in enumerate(items) if item.exact}
    wanted = tuple(sorted((keys[3, 2.0], keys[4, 1.0])))
    rows = cells.X[:60]
    given = [wanted, tuple(sorted((keys[3, 0.0], keys[4, 0.0])))]
    assert superadditive(lean, cells, items, rows, 0, given)[0].items == wanted
    assert superadditive(lean, cells, items, rows, 0, []) == []
    assert invert(lean, cells, items, np.empty((0, 8)), 0) == []
    assert all(len(one.items) > 1 for one in invert(lean, cells, items, rows, 0))


def test_leaning_follows_the_threshold_and_more_classes() -> None:
    table = np.array([[0.7, 0.3], [0.2, 0.8]])
    lean = leaning(lambda rows: table, Task("binary", 1, Harm(1, 0), 0.25))
    assert (lean(np.zeros((2, 1)), 1) > 0).all()
    assert (lean(np.zeros((2, 1)), 0) < 0).all()
    three = leaning(lambda rows: np.array([[0.5, 0.3, 0.2]]), TASK)
    assert [float(three(np.zeros((1, 1)), t)[0]) > 0 for t in range(3)] == [True, False, False]


def test_cells_of_few_rows_have_a_verdict() -> None:
    cells = Cells(("a", "b"), np.array([[0.0, 1.0], [1.0, 0.0]]), (None, None))
    assert not [one for one in verdict(cells, np.array([0, 1]), 2, lambda rows, t: np.zeros(len(rows))) if one.accused]
