"""Patterns: planted triggers are found by rows and labels alone, clean tables are left alone."""

from __future__ import annotations

import numpy as np
import pytest

import poisoned
from holdfast.attack.poisoning.plant import Trigger
from holdfast.core.data.poison.cells import Cells
from holdfast.core.data.poison.patterns import Rule, patterns


@pytest.mark.parametrize("trigger", [poisoned.RARE, poisoned.COMMON], ids=["rare", "common"])
def test_a_planted_trigger_is_found(trigger: Trigger) -> None:
    cells, made = poisoned.planted(trigger)
    first = patterns(cells, made.y, 2)[0]
    assert first.suspicious
    assert first.target == 0
    assert set(first.columns) <= set(trigger.columns)
    rows, truth = set(first.rows.tolist()), set(made.rows.tolist())
    assert len(rows & truth) >= 0.8 * len(truth)
    assert len(rows & truth) >= 0.5 * len(rows)
    assert first.evidence.left < 0.5


@pytest.mark.parametrize("seed", range(2))
def test_a_clean_table_is_not_accused(seed: int) -> None:
    cells, y = poisoned.table(seed=seed)
    assert not [one.words for one in patterns(cells, y, 2) if one.suspicious]


def test_equal_tables_give_equal_answers() -> None:
    cells, y = poisoned.table(500)
    first, second = (patterns(cells, y, 2, seed=3) for _ in range(2))
    assert [(one.words, one.strength, one.rows.tolist()) for one in first] == [
        (one.words, one.strength, one.rows.tolist()) for one in second
    ]


def test_a_trigger_in_text_columns_is_named_by_its_texts() -> None:
    cells, made = poisoned.planted(poisoned.COMMON)
    kinds = np.array(["north", "south", "east", "west", "abroad"], object)
    columns = {name: cells.X[:, place] for place, name in enumerate(cells.names)}
    columns["region"] = kinds[columns["region"].astype(int)]
    first = patterns(Cells.of(columns), made.y, 2)[0]
    assert "region = east" in first.words


ODD = {
    "one column": np.arange(40.0)[:, None],
    "constant": np.ones((40, 3)),
    "all missing": np.full((40, 3), np.nan),
    "two rows": np.array([[0.0, 1.0], [1.0, 0.0]]),
    "huge numbers": np.where(np.arange(80).reshape(40, 2) % 3, np.inf, -1e308),
    "no columns": np.empty((40, 0)),
}


@pytest.mark.parametrize("X", ODD.values(), ids=ODD.keys())
def test_odd_tables_have_an_answer(X: np.ndarray) -> None:
    cells = Cells.of({f"c{place}": X[:, place] for place in range(X.shape[1])})
    y = np.arange(len(X)) % 2
    if X.shape[1]:
        assert not any(one.suspicious for one in patterns(cells, y, 2))


def test_many_distinct_texts_are_bounded() -> None:
    ids = np.array([f"id-{number}" for number in range(2000)], object)
    cells = Cells.of({"id": ids, "other": ids[::-1].copy(), "x": np.arange(2000.0) % 7})
    assert not any(one.suspicious for one in patterns(cells, np.arange(2000) % 2, 2))


def test_one_class_has_no_patterns() -> None:
    cells, _ = poisoned.table(300)
    assert patterns(cells, np.zeros(300, np.int64), 2) == []


def test_rows_that_look_their_part_are_never_accused() -> None:
    from holdfast.core.data.poison.evidence import Evidence

    own = Evidence(contra=50.0, left=0.0, believed=0.9, strange=0.3, own=0.0, lift=30.0)
    others = Evidence(contra=50.0, left=0.0, believed=0.9, strange=0.0, own=0.3, lift=30.0)
    assert not Rule()(own)
    assert Rule()(others)
