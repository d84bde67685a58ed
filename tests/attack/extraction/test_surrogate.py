"""Copies of models that are known: what can be learned is learned, what cannot is not claimed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("sklearn", reason="copies are scikit-learn's")

from holdfast.attack.extraction.surrogate import Access, Copy, Ground, Strategy, extract
from holdfast.core.contract import Contract
from holdfast.core.errors import UsageError

CONTRACT = Contract.parse("""\
version: 1
features:
  a: {type: number, min: 0, max: 1, move: any}
  b: {type: number, min: 0, max: 1, move: any}
  c: {type: integer, min: 0, max: 9, move: any}
""")


def rows(seed: int, n: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.beta(2, 5, n), rng.beta(2, 5, n), rng.integers(0, 10, n)])


GROUND = Ground(CONTRACT, rows(1, 1500), rows(2, 800))


def chance(X: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-(8 * X[:, 0] - 6 * X[:, 1] + 0.2 * X[:, 2] - 1.2)))


class Counted:
    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, X: NDArray[np.float64]) -> NDArray[np.int64]:
        assert CONTRACT.validate(X).valid.all()
        self.asked += len(X)
        return (chance(X) >= 0.5).astype(np.int64)


def copy(strategy: Strategy, queries: int = 400) -> Copy:
    return extract(Counted(), GROUND, strategy=strategy, access=Access.LABELS, queries=queries, seed=5)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_what_can_be_learned_is_learned_within_the_budget(strategy: Strategy) -> None:
    ask = Counted()
    found = extract(ask, GROUND, strategy=strategy, access=Access.LABELS, queries=400, seed=5)
    assert found.fidelity > 0.9 > found.base
    assert found.auc > 0.95
    assert 0.5 < found.learned < 1
    assert found.queries <= 400
    assert ask.asked == found.queries + len(GROUND.held_out)


def test_more_questions_and_better_ones_give_better_copies() -> None:
    assert copy(Strategy.NATURAL).fidelity > copy(Strategy.NATURAL, 40).fidelity
    assert copy(Strategy.ACTIVE, 300).fidelity > copy(Strategy.NATURAL, 300).fidelity


def test_scores_tell_more_than_labels() -> None:
    told = extract(chance, GROUND, strategy=Strategy.NATURAL, access=Access.SCORES, queries=100, seed=5)
    assert told.fidelity > copy(Strategy.NATURAL, 100).fidelity


def test_a_coin_cannot_be_copied() -> None:
    rng = np.random.default_rng(0)

    def coin(X: NDArray[np.float64]) -> NDArray[np.int64]:
        return rng.integers(0, 2, len(X))

    found = extract(coin, GROUND, strategy=Strategy.NATURAL, access=Access.LABELS, queries=300)
    assert abs(found.learned) < 0.15
    assert 0.4 < found.auc < 0.6


def test_a_model_that_says_one_thing_is_its_own_base_rate() -> None:
    found = extract(lambda X: np.ones(len(X)), GROUND, strategy=Strategy.ACTIVE, access=Access.LABELS, queries=50)
    assert (found.fidelity, found.base, found.auc, found.learned) == (1.0, 1.0, 0.5, 0.0)


def test_equal_seeds_give_equal_copies() -> None:
    assert copy(Strategy.ACTIVE, 100) == copy(Strategy.ACTIVE, 100)


def test_more_than_two_classes() -> None:
    found = extract(
        lambda X: np.digitize(chance(X), [0.3, 0.6]),
        GROUND,
        strategy=Strategy.ACTIVE,
        access=Access.LABELS,
        queries=400,
    )
    assert found.fidelity > found.base + 0.2


@pytest.mark.parametrize(("queries", "ground"), [(9, GROUND), (50, Ground(CONTRACT, GROUND.owned, GROUND.owned[:0]))])
def test_without_questions_or_rows_it_is_refused(queries: int, ground: Ground) -> None:
    with pytest.raises(UsageError) as caught:
        extract(Counted(), ground, strategy=Strategy.NATURAL, access=Access.LABELS, queries=queries)
    assert caught.value.code == "HF-ATK-009"
