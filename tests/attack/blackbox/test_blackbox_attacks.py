"""The black-box attacks against models small enough to try every row there is."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.attack import BlackBox, Budget, EvasionResult, Goal, attack
from holdfast.attack.blackbox.measure import Measure
from holdfast.attack.interface import ATTACKS, Limit, Norm
from holdfast.core.contract import Contract
from holdfast.core.errors import TargetError, UsageError

Floats = NDArray[np.float64]
CONTRACT = Contract.parse("""\
version: 1
features:
  a: {type: integer, min: 0, max: 10, move: any}
  b: {type: integer, min: 0, max: 10, move: up, cost: 3.0}
  c: {type: integer, min: 0, max: 10, move: any}
  f: {type: integer, min: 0, max: 9, move: never}
  s: {type: integer, derived: a + b}
  x: {type: integer, min: 0, max: 1, move: any}
  y: {type: integer, min: 0, max: 1, move: any}
groups:
  - {one_hot: [x, y]}
relations:
  - {id: order, rule: a <= c + 5}
  - {id: budget, rule: b - was(b) <= 4}
""")
SCALES = np.array([10.0, 10.0, 10.0, 9.0, 20.0, 1.0, 1.0])
GOAL = Goal(0)
BUDGET = Budget(queries_per_row=300)


def steps(seed: int) -> Callable[[Floats], Floats]:
    """Probabilities of a piecewise constant model: sums of random steps, as trees are."""
    rng = np.random.default_rng(seed)
    columns, cuts = rng.integers(0, 7, (24, 2)), rng.uniform(0, 10, (24, 2))
    cuts = np.where(columns >= 5, 0.5, cuts)
    ways, leaves = rng.choice([-1.0, 1.0], (24, 2)), rng.normal(0, 1, 24)

    def predict(X: Floats) -> Floats:
        both = ((X[:, columns] - cuts) * ways > 0).all(axis=2)
        return np.asarray(1 / (1 + np.exp(-np.round((both * leaves).sum(axis=1), 6)))).round(9)

    return predict


def everything(row: Floats) -> Floats:
    """Every row that the contract lets `row` become."""
    a, b, c = np.arange(11.0), np.arange(11.0), np.arange(11.0)
    grid = np.array([(i, j, k, row[3], 0.0, x, 1 - x) for i, j, k, x in itertools.product(a, b, c, (0.0, 1.0))])
    grid = CONTRACT.derive(grid)
    return grid[CONTRACT.validate(grid, np.repeat(row[None], len(grid), axis=0)).valid]


def rows_of(seed: int, n: int) -> Floats:
    rng = np.random.default_rng(seed)
    raw = np.column_stack(
        [rng.integers(0, 6, n), rng.integers(0, 7, n), rng.integers(0, 11, n), rng.integers(0, 10, n)]
    )
    x = rng.integers(0, 2, n)
    return CONTRACT.derive(np.column_stack([raw, np.zeros(n), x, 1 - x]).astype(np.float64))


class Strict:
    """A predict function that accepts possible rows only, and counts them."""

    def __init__(self, predict: Callable[[Floats], Floats]) -> None:
        self.predict, self.rows = predict, 0

    def __call__(self, X: Floats) -> Floats:
        assert CONTRACT.validate(X).broken in (
            (),
            *[(b,) for b in CONTRACT.validate(X).broken if b.constraint_id == "budget"],
        )
        self.rows += len(X)
        return self.predict(X)


def run(
    predict: Callable[[Floats], Floats], rows: Floats, method: str, goal: Goal = GOAL, budget: Budget = BUDGET
) -> EvasionResult:
    if method == "blackbox.scores":
        target = BlackBox.of_scores(CONTRACT, predict, background=rows_of(99, 60))
    else:
        target = BlackBox.of_decisions(CONTRACT, lambda X: predict(X) >= 0.5, background=rows_of(99, 60))
    return attack(target, rows, goal=goal, budget=budget, contract=CONTRACT, scales=SCALES, method=method, seed=3)


def truth(predict: Callable[[Floats], Floats], row: Floats, goal: Goal) -> float:
    reachable = everything(row)
    measure = Measure(CONTRACT, SCALES, goal)
    distances, _, inside = measure.of(reachable, np.repeat(row[None], len(reachable), axis=0))
    crossing = (predict(reachable) < 0.5) & inside
    return float(distances[crossing].min(initial=np.inf))


@pytest.mark.parametrize(
    ("method", "norm"),
    [*(("blackbox.decisions", norm) for norm in Norm), ("blackbox.scores", Norm.LINF), ("blackbox.scores", Norm.L1)],
)
def test_against_every_row_there_is(method: str, norm: Norm) -> None:
    """Never better than the truth, and seldom worse."""
    ratios: list[float] = []
    goal = Goal(0, minimise=norm)
    for seed in range(3):
        predict = steps(seed)
        rows = rows_of(seed, 6)
        found = run(predict, rows, method, goal)
        for row, distance in zip(rows, found.distance, strict=True):
            best = truth(predict, row, goal)
            assert distance >= best - 1e-12
            if np.isfinite(best):
                ratios.append(1.0 if distance == best else best / distance)
    assert len(ratios) > 10
    assert np.mean([ratio >= 1 - 1e-9 for ratio in ratios]) >= 0.75
    assert np.mean(ratios) >= 0.9


@pytest.mark.parametrize("method", ["blackbox.decisions", "blackbox.scores"])
def test_results_are_possible_crossing_and_within_the_budget(method: str) -> None:
    predict, rows = steps(1), rows_of(1, 20)
    asked = Strict(predict)
    found = run(asked, rows, method)
    hits = found.success
    assert hits.any()
    assert found.valid.all()
    assert (predict(found.adversarial[hits]) < 0.5).all()
    np.testing.assert_array_equal(found.adversarial[~hits], rows[~hits])
    assert found.queries.sum() == asked.rows
    assert (found.queries <= BUDGET.queries_per_row).all()
    assert (found.floor == 0).all()
    crossed = predict(rows) < 0.5
    assert (found.linf[crossed] == 0).all()
    assert (found.queries[crossed] == 1).all()


@pytest.mark.parametrize("method", ["blackbox.decisions", "blackbox.scores"])
def test_rows_do_not_see_each_other(method: str) -> None:
    predict, rows = steps(2), rows_of(2, 4)
    together = run(predict, rows, method)
    for i, row in enumerate(rows):
        alone = run(predict, row[None], method)
        np.testing.assert_array_equal(alone.adversarial[0], together.adversarial[i])
        assert alone.queries[0] == together.queries[i]


def test_few_large_requests() -> None:
    predict, rows = steps(4), rows_of(4, 25)
    target = BlackBox.of_decisions(CONTRACT, lambda X: predict(X) >= 0.5, background=rows)
    attack(target, rows, goal=Goal(0), budget=BUDGET, contract=CONTRACT, scales=SCALES, method="blackbox.decisions")
    assert target.queries / target.requests > 5


def test_limits_are_kept() -> None:
    predict, rows = steps(5), rows_of(5, 20)
    free = run(predict, rows, "blackbox.decisions")
    bound = Goal(0, within=(Limit(Norm.LINF, 0.2), Limit(Norm.L0, 2)))
    found = run(predict, rows, "blackbox.decisions", bound)
    assert 0 < found.success.sum() < free.success.sum()
    moved = (found.adversarial != rows)[:, [0, 1, 2, 3, 5]].sum(axis=1)
    assert (found.linf[found.success] <= 0.2).all()
    assert (moved <= 2).all()


def test_a_budget_of_one_question_finds_nothing() -> None:
    predict, rows = steps(1), rows_of(1, 5)
    found = run(predict, rows, "blackbox.decisions", budget=Budget(queries_per_row=1))
    assert (found.queries == 1).all()
    assert (found.success == (predict(rows) < 0.5)).all()


def test_a_row_that_breaks_the_contract_is_not_asked_about() -> None:
    broken = rows_of(1, 2)
    broken[0, 4] = 99.0
    found = run(steps(1), broken, "blackbox.decisions")
    assert found.queries[0] == 0
    assert not found.success[0]
    assert not found.valid[0]


def test_without_background_it_starts_from_drawn_values() -> None:
    predict, rows = steps(1), rows_of(1, 10)
    target = BlackBox.of_decisions(CONTRACT, lambda X: predict(X) >= 0.5)
    found = attack(
        target, rows, goal=Goal(0), budget=BUDGET, contract=CONTRACT, scales=SCALES, method="blackbox.decisions"
    )
    assert found.success.sum() >= run(predict, rows, "blackbox.decisions").success.sum() - 1


def test_decisions_alone_do_not_serve_an_attack_on_scores() -> None:
    target = BlackBox.of_decisions(CONTRACT, lambda X: np.zeros(len(X)))
    with pytest.raises(UsageError) as caught:
        attack(
            target,
            rows_of(1, 1),
            goal=Goal(0),
            budget=BUDGET,
            contract=CONTRACT,
            scales=SCALES,
            method="blackbox.scores",
        )
    assert caught.value.code == "HF-ATK-007"
    assert "blackbox.decisions" in caught.value.fix


def test_answers_that_are_not_one_per_row_are_refused() -> None:
    target = BlackBox.of_decisions(CONTRACT, lambda X: np.zeros(len(X) + 1))
    with pytest.raises(TargetError) as caught:
        target.margins(rows_of(1, 3), Goal(0))
    assert caught.value.code == "HF-ATK-008"


def test_margins_have_the_sign_of_the_decision() -> None:
    scores = np.array([[0.5, 0.5], [0.6, 0.4], [0.49999, 0.50001]])
    two = BlackBox.of_scores(CONTRACT, lambda X: scores)
    assert (two.margins(rows_of(1, 3), Goal(1)) > 0).tolist() == [True, False, True]
    assert (two.margins(rows_of(1, 3), Goal(0)) > 0).tolist() == [False, True, False]
    one = BlackBox.of_scores(CONTRACT, lambda X: scores[:, 1])
    np.testing.assert_array_equal(one.margins(rows_of(1, 3), Goal(0)), two.margins(rows_of(1, 3), Goal(0)))
    three = BlackBox.of_scores(CONTRACT, lambda X: np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]), classes=(7, 8, 9))
    assert (three.margins(rows_of(1, 2), Goal(8)) > 0).tolist() == [True, False]
    with pytest.raises(UsageError) as caught:
        three.margins(rows_of(1, 2), Goal(0))
    assert caught.value.code == "HF-ATK-003"


def test_missing_values_and_texts_are_moved_as_whole_steps() -> None:
    contract = Contract.parse("""\
version: 1
features:
  n: {type: number, min: 0, max: 10, move: any, missing: true}
  t: {type: category, values: [red, green, blue], move: any}
""")

    def decide(X: Floats) -> NDArray[np.bool_]:
        return ~(np.isnan(X[:, 0]) | (X[:, 1] == 2))

    rows = np.array([[4.0, 0.0], [np.nan, 1.0]])
    background = np.array([[np.nan, 0.0], [5.0, 2.0]])
    target = BlackBox.of_decisions(contract, decide, background=background)
    found = attack(
        target,
        rows,
        goal=Goal(0),
        budget=BUDGET,
        contract=contract,
        scales=np.array([10.0, 1.0]),
        method="blackbox.decisions",
    )
    assert found.success.all()
    assert found.linf.tolist() == [1.0, 0.0]


def test_both_are_registered() -> None:
    assert dict(ATTACKS)["blackbox.scores"].needs == ("scores",)
    assert dict(ATTACKS)["blackbox.decisions"].needs == ("decisions",)
