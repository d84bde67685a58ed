"""New rows that look planted are told from new rows that do not."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.core.data.table import Table
from holdfast.seal.suspects import look

N, NEW = 1500, 60


def rows(n: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=n), rng.normal(size=n), rng.normal(size=n)
    return {"a": a, "b": b, "c": c, "y": (a + b > 0).astype(np.int64)}


def joined(new: dict[str, np.ndarray]) -> tuple[Table, np.ndarray]:
    old = rows(N, 1)
    table = Table.of({name: np.concatenate([old[name], new[name]]) for name in old})
    return table, np.arange(N, table.n_rows)


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_rows_of_the_same_source_are_not_suspected(seed: int) -> None:
    seen = look(*_args(rows(NEW, seed)))
    assert seen.words == (f"{NEW} new rows: no sign of poisoning seen",)
    assert len(seen.rows) <= NEW // 10


def _args(new: dict[str, np.ndarray]) -> tuple[Table, str, np.ndarray]:
    table, fresh = joined(new)
    return table, "y", fresh


def test_copies_with_another_class_are_named() -> None:
    old = rows(N, 1)
    new = {name: values[:5].copy() for name, values in old.items()}
    new["y"] = 1 - new["y"]
    seen = look(*_args(new))
    assert seen.signs["contradict_sealed_rows"] == 5
    assert set(seen.rows) == set(range(N, N + 5))
    assert "copy a sealed row" in seen.words[0]


def test_honest_copies_are_not_suspected() -> None:
    old = rows(N, 1)
    seen = look(*_args({name: values[:5].copy() for name, values in old.items()}))
    assert seen.rows == ()


def test_one_row_many_times_is_named() -> None:
    one = {name: np.repeat(values[:1], 30) for name, values in rows(1, 9).items()}
    seen = look(*_args(one))
    assert seen.signs["largest_copies"] == [30]
    assert set(range(N, N + 30)) <= set(seen.rows)


def test_turned_labels_are_seen_by_models_that_have_not_seen_them() -> None:
    new = rows(NEW, 5)
    new["y"] = np.where(new["a"] + new["b"] < 0, 1, new["y"])
    seen = look(*_args(new))
    assert any("beyond what their values explain" in word for word in seen.words)
    planted = {N + int(row) for row in np.flatnonzero(new["a"] + new["b"] < 0)}
    named = set(seen.rows)
    assert len(planted & named) > 0.4 * len(planted)
    assert len(named - planted) <= 0.1 * len(named)


def test_the_same_question_has_the_same_answer() -> None:
    assert look(*_args(rows(NEW, 6)), seed=3).to_json() == look(*_args(rows(NEW, 6)), seed=3).to_json()
