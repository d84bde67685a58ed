"""The search against exhaustive enumeration, and what must hold for any model, contract and row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forests import every_row, forest, smallest_move, target_of
from grids import ALL, CUTS
from holdfast.attack import Budget, EvasionResult, Goal, TreeTarget, attack, proven_share, robust_share
from holdfast.attack.evasion.goal import compile_goal, reached
from holdfast.core.contract import Contract
from holdfast.core.contract.distance import linf

Floats = NDArray[np.float64]

GRID = """
version: 1
features:
  a: {type: integer, min: 0, max: 6, move: any}
  b: {type: integer, min: 0, max: 6, move: any}
  c: {type: integer, min: 0, max: 6, move: up}
  d: {type: category, values: [0, 1, 2], move: any}
"""
SCALES = np.array([6.0, 6.0, 6.0, 1.0])

RELATIONS = {
    "none": [],
    "budget": ["a + b + c - was(a) - was(b) - was(c) <= 2"],
    "order": ["a <= b"],
    "sum": ["a + b + c == 9"],
    "two sums": ["a + b == 6", "b + c == 7"],
    "ratio": ["a / (b * 1) <= 2"],
    "product": ["a * b >= 4"],
    "if": ["if a >= 4 then c >= 3"],
    "if equal": ["if d == 1 then a + b == 5"],
    "not": ["a != 3", "a + b != was(a) + was(b) + 1"],
    "strict": ["a + b < 8", "c > b - 4"],
}


def run(
    target: TreeTarget, contract: Contract, rows: Floats, scales: Floats, goal: Goal, seed: int = 0
) -> EvasionResult:
    return attack(target, rows, goal=goal, budget=Budget(), contract=contract, scales=scales, seed=seed)


def sound(
    result: EvasionResult, target: TreeTarget, contract: Contract, rows: Floats, scales: Floats, goal: Goal
) -> None:
    """What a result may never get wrong."""
    assert result.valid[result.success].all()
    assert contract.validate(result.adversarial[result.success], rows[result.success]).valid.all()
    assert reached(compile_goal(target.ensemble, goal), target.margins(result.adversarial[result.success])).all()
    np.testing.assert_array_equal(result.adversarial[~result.success], rows[~result.success])
    np.testing.assert_allclose(
        result.linf[result.success], linf(contract, result.adversarial, rows, scales)[result.success]
    )
    assert np.isinf(result.linf[~result.success]).all()
    assert (result.floor <= result.linf).all()


def cases(contract: Contract, seed: int, count: int, **shape: object) -> tuple[TreeTarget, Floats, Goal]:
    """A model and valid rows of class 1."""
    rng = np.random.default_rng(seed)
    target = target_of(forest(rng, CUTS, **shape), contract)  # type: ignore[arg-type]
    goal = Goal(to=0)
    rows = contract.derive(ALL[rng.permutation(len(ALL))])
    rows = rows[contract.validate(rows).valid]
    rows = rows[~reached(compile_goal(target.ensemble, goal), target.margins(rows))]
    return target, rows[:count], goal


@pytest.mark.parametrize("kind", RELATIONS)
def test_against_enumeration(kind: str) -> None:
    rules = "".join(f'  - {{id: r{i}, rule: "{rule}"}}\n' for i, rule in enumerate(RELATIONS[kind]))
    contract = Contract.parse(GRID + ("relations:\n" + rules if rules else ""))
    found, true = [], []
    for seed in range(12):
        target, rows, goal = cases(contract, seed, 6, trees=7, depth=3)
        if not len(rows):
            continue
        result = run(target, contract, rows, SCALES, goal)
        sound(result, target, contract, rows, SCALES, goal)
        best = np.array([smallest_move(target, contract, ALL, row, goal, SCALES) for row in rows])
        assert (result.linf >= best - 1e-12).all(), "better than the true minimum"
        assert (result.floor <= best + 1e-12).all(), "a floor above the true minimum"
        found += result.linf.tolist()
        true += best.tolist()
    equal = np.isclose(found, true)
    assert len(true) >= 30
    assert np.isfinite(true).mean() > 0.2, "the case shows nothing"
    assert equal.mean() >= 0.92, (equal.mean(), [pair for pair in zip(found, true, strict=True) if pair[0] > pair[1]])


DERIVED = """
version: 1
features:
  a: {type: integer, min: 0, max: 6, move: any}
  b: {type: integer, min: 1, max: 6, move: any}
  r: {type: number, derived: a / b}
  s: {type: number, derived: a + b - 1}
relations:
  - {id: cap, rule: "r <= 3"}
"""


def test_derived_columns_follow_exactly() -> None:
    contract = Contract.parse(DERIVED)
    options = contract.derive(every_row([range(7), range(1, 7), [0], [0]]))
    options = options[contract.validate(options).valid]
    scales, goal = np.array([6.0, 5.0, 1.0, 1.0]), Goal(to=0)
    equal = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        cuts = [np.arange(1.0, 7), np.arange(2.0, 7), [0.3, 0.5, 0.75, 1.0, 1.5, 2.5], np.arange(1.0, 11)]
        target = target_of(forest(rng, cuts, trees=7), contract)
        flagged = options[~reached(compile_goal(target.ensemble, goal), target.margins(options))][:5]
        if not len(flagged):
            continue
        result = run(target, contract, flagged, scales, goal)
        sound(result, target, contract, flagged, scales, goal)
        best = [smallest_move(target, contract, options, row, goal, scales) for row in flagged]
        assert (result.floor <= np.array(best) + 1e-12).all()
        equal += np.isclose(result.linf, best).tolist()
    assert len(equal) >= 30
    assert np.mean(equal) >= 0.93


ONE_HOT = """
version: 1
features:
  a: {type: integer, min: 0, max: 6, move: any}
  web: {type: integer, min: 0, max: 1, move: any}
  app: {type: integer, min: 0, max: 1, move: any}
  shop: {type: integer, min: 0, max: 1, move: any}
groups:
  - {one_hot: [web, app, shop]}
"""


def test_a_one_hot_group_swaps_its_member() -> None:
    contract = Contract.parse(ONE_HOT)
    options = every_row([range(7), [0, 1], [0, 1], [0, 1]])
    options = options[contract.validate(options).valid]
    scales, goal = np.array([6.0, 1.0, 1.0, 1.0]), Goal(to=0)
    equal, swapped = [], 0
    for seed in range(15):
        target = target_of(forest(np.random.default_rng(seed), [np.arange(1.0, 7), [0.5], [0.5], [0.5]]), contract)
        flagged = options[~reached(compile_goal(target.ensemble, goal), target.margins(options))][:5]
        if not len(flagged):
            continue
        result = run(target, contract, flagged, scales, goal)
        sound(result, target, contract, flagged, scales, goal)
        swapped += int((result.adversarial[:, 1:] != flagged[:, 1:]).any(axis=1).sum())
        best = [smallest_move(target, contract, options, row, goal, scales) for row in flagged]
        assert (result.floor <= np.array(best) + 1e-12).all()
        equal += np.isclose(result.linf, best).tolist()
    assert swapped > 5
    assert np.mean(equal) >= 0.95


MISSING = """
version: 1
features:
  a: {type: integer, min: 0, max: 4, move: any, missing: true}
  b: {type: integer, min: 0, max: 4, move: up, missing: true}
  c: {type: category, values: [0, 1, 2], move: any, missing: true}
"""


def test_values_go_missing_only_where_they_may() -> None:
    contract = Contract.parse(MISSING)
    options = every_row([[0, 1, 2, 3, 4, np.nan]] * 2 + [[0, 1, 2, np.nan]])
    scales, goal = np.array([2.0, 2.0, 1.0]), Goal(to=0)
    equal, gone = [], 0
    for seed in range(12):
        target = target_of(forest(np.random.default_rng(seed), [np.arange(1.0, 5)] * 2 + [[0.5, 1.5]]), contract)
        flagged = options[~reached(compile_goal(target.ensemble, goal), target.margins(options))][:8]
        result = run(target, contract, flagged, scales, goal)
        sound(result, target, contract, flagged, scales, goal)
        changed = np.isnan(result.adversarial) & ~np.isnan(flagged)
        assert not changed[:, 1].any()
        gone += int(changed.sum())
        best = [smallest_move(target, contract, options, row, goal, scales) for row in flagged]
        assert (result.floor <= np.array(best) + 1e-12).all()
        equal += np.isclose(result.linf, best).tolist()
    assert gone > 0
    assert np.mean(equal) >= 0.95


@pytest.mark.parametrize("vector", [False, True])
def test_many_classes(vector: bool) -> None:
    contract = Contract.parse(GRID)
    equal = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        target = target_of(forest(rng, CUTS, trees=9, outputs=3, vector=vector), contract)
        goal = Goal(to=2)
        rows = ALL[rng.permutation(len(ALL))]
        rows = rows[target.scores(rows).argmax(axis=1) != 2][:5]
        result = run(target, contract, rows, SCALES, goal)
        sound(result, target, contract, rows, SCALES, goal)
        assert (target.scores(result.adversarial[result.success]).argmax(axis=1) == 2).all()
        best = [smallest_move(target, contract, ALL, row, goal, SCALES) for row in rows]
        assert (result.floor <= np.array(best) + 1e-12).all()
        equal += np.isclose(result.linf, best).tolist()
    assert np.mean(equal) >= 0.93


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kinds=st.sets(st.sampled_from(sorted(RELATIONS)), max_size=3),
    dtype=st.sampled_from(["float32", "float64"]),
    operator=st.sampled_from(["<", "<="]),
)
def test_a_reported_success_is_always_one(seed: int, kinds: set[str], dtype: str, operator: str) -> None:
    rules = [rule for kind in sorted(kinds) for rule in RELATIONS[kind]]
    lines = "".join(f'  - {{id: r{i}, rule: "{rule}"}}\n' for i, rule in enumerate(rules))
    text = GRID.replace("b: {type: integer", "b: {type: number") + ("relations:\n" + lines if lines else "")
    contract = Contract.parse(text)
    target, rows, goal = cases(contract, seed, 8, trees=10, depth=4, dtype=dtype, operator=operator)
    if len(rows):
        sound(run(target, contract, rows, SCALES, goal), target, contract, rows, SCALES, goal)


def test_equal_arguments_give_equal_results_for_any_split_of_the_rows() -> None:
    contract = Contract.parse(GRID)
    target, rows, goal = cases(contract, 3, 40, trees=20, depth=5)
    whole = run(target, contract, rows, SCALES, goal, seed=5)
    again = run(target, contract, rows, SCALES, goal, seed=5)
    parts = [run(target, contract, part, SCALES, goal, seed=5) for part in (rows[:7], rows[7:])]
    np.testing.assert_array_equal(whole.adversarial, again.adversarial)
    np.testing.assert_array_equal(whole.nodes, again.nodes)
    np.testing.assert_array_equal(whole.adversarial, np.concatenate([part.adversarial for part in parts]))


def test_a_small_budget_ends_the_search_and_says_so() -> None:
    contract = Contract.parse(GRID)
    target, rows, goal = cases(contract, 4, 10, trees=40, depth=5)
    free = run(target, contract, rows, SCALES, goal)
    tight = attack(
        target, rows, goal=goal, budget=Budget(nodes_per_row=50, restarts=0), contract=contract, scales=SCALES, seed=0
    )
    assert not free.exhausted.any()
    assert tight.exhausted.all()
    assert tight.nodes.max() < free.nodes.max() / 5
    sound(tight, target, contract, rows, SCALES, goal)


def test_a_row_that_already_stands_there_is_left_alone() -> None:
    contract = Contract.parse(GRID)
    rng = np.random.default_rng(1)
    target, goal = target_of(forest(rng, CUTS), contract), Goal(to=0)
    rows = ALL[reached(compile_goal(target.ensemble, goal), target.margins(ALL))][:5]
    result = run(target, contract, rows, SCALES, goal)
    assert result.success.all()
    assert (result.linf == 0).all()
    np.testing.assert_array_equal(result.adversarial, rows)


def test_a_row_that_breaks_the_contract_before_the_attack_is_no_success() -> None:
    contract = Contract.parse(GRID)
    target, rows, goal = cases(contract, 2, 3)
    rows[1, 0] = 99.0
    result = run(target, contract, rows, SCALES, goal)
    assert not result.success[1]
    assert not result.valid[1]
    assert result.success[[0, 2]].all()


def test_what_may_not_move_holds_the_row() -> None:
    contract = Contract.parse(GRID.replace("move: any", "move: never").replace("move: up", "move: never"))
    target, rows, goal = cases(contract, 2, 10)
    result = run(target, contract, rows, SCALES, goal)
    assert not result.success.any()
    assert np.isinf(result.floor).all(), "it is proven: nothing can move"
    assert robust_share(result, [0.1, 1.0]) == proven_share(result, [0.1, 1.0]) == {0.1: 1.0, 1.0: 1.0}


def test_shares_bracket_the_truth_at_every_box() -> None:
    contract = Contract.parse(GRID)
    target, rows, goal = cases(contract, 6, 30, trees=25, depth=4)
    result = run(target, contract, rows, SCALES, goal)
    best = np.array([smallest_move(target, contract, ALL, row, goal, SCALES) for row in rows])
    boxes = [0.0, 0.2, 0.4, 0.7, 1.0]
    found, proven = robust_share(result, boxes), proven_share(result, boxes)
    for box in boxes:
        assert proven[box] <= (best > box).mean() <= found[box]
    assert list(found.values()) == sorted(found.values(), reverse=True)
