"""Each norm and each limit against enumeration: never beaten, never broken, and rarely missed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forests import every_row, forest, target_of
from grids import ALL, CUTS
from holdfast.attack import Budget, EvasionResult, Goal, TreeTarget, attack
from holdfast.attack.evasion.goal import Measure, compile_goal, reached
from holdfast.attack.interface import Limit, Norm
from holdfast.core.contract import Contract

Floats = NDArray[np.float64]

GRID = """
version: 1
features:
  a: {type: integer, min: 0, max: 6, move: any, cost: 3.0}
  b: {type: integer, min: 0, max: 6, move: any}
  c: {type: integer, min: 0, max: 6, move: up, cost: 0.5}
  d: {type: category, values: [0, 1, 2], move: any, cost: 2.0}
"""
RULES = """relations:
  - {id: order, rule: "a <= b + 2"}
  - {id: sum, rule: "a + b + c - was(a) - was(b) - was(c) <= 4"}
"""
SCALES = np.array([6.0, 6.0, 6.0, 1.0])
LIMITS = [
    (),
    (Limit(Norm.LINF, 0.5),),
    (Limit(Norm.L0, 2),),
    (Limit(Norm.L1, 1.2), Limit(Norm.LINF, 0.7)),
    (Limit(Norm.L2, 0.6), Limit(Norm.L0, 3)),
]


def cases(seed: int, rules: str = "") -> tuple[TreeTarget, Floats, Contract]:
    contract = Contract.parse(GRID + rules)
    rng = np.random.default_rng(seed)
    target = target_of(forest(rng, CUTS, trees=9, depth=3), contract)
    rows = ALL[rng.permutation(len(ALL))]
    rows = rows[contract.validate(rows).valid & ~beyond(target, rows)]
    return target, rows[:5], contract


def beyond(target: TreeTarget, rows: Floats) -> NDArray[np.bool_]:
    return reached(compile_goal(target.ensemble, Goal(0)), target.margins(rows))


def run(target: TreeTarget, rows: Floats, contract: Contract, goal: Goal) -> EvasionResult:
    return attack(target, rows, goal=goal, budget=Budget(), contract=contract, scales=SCALES)


def least(target: TreeTarget, row: Floats, contract: Contract, goal: Goal, singles: bool = False) -> float:
    """The least distance of any allowed row that arrives; of those with one column changed where `singles`."""
    was = np.broadcast_to(row, ALL.shape)
    measure = Measure(contract, SCALES, goal)
    good = contract.validate(ALL, was).valid & beyond(target, ALL) & measure.inside(ALL, was)
    if singles:
        good &= (was != ALL).sum(axis=1) <= 1
    return float(measure.of(ALL[good], was[good]).min(initial=np.inf))


@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("rules", ["", RULES], ids=["free", "rules"])
def test_against_enumeration(norm: Norm, rules: str) -> None:
    found, true = [], []
    for seed in range(10):
        target, rows, contract = cases(seed, rules)
        if len(rows):
            goal = Goal(0, minimise=norm, within=LIMITS[seed % len(LIMITS)])
            result = run(target, rows, contract, goal)
            best = np.array([least(target, row, contract, goal) for row in rows])
            assert (result.distance >= best - 1e-9).all(), "better than the true minimum"
            assert (result.floor <= best + 1e-9).all(), "a floor above the true minimum"
            assert (result.floor <= result.distance + 1e-12).all()
            found += result.distance.tolist()
            true += best.tolist()
    assert np.isfinite(true).mean() > 0.2, "the case shows nothing"
    assert np.isclose(found, true).mean() >= 0.95


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    norm=st.sampled_from(Norm),
    limits=st.sampled_from(LIMITS),
    rules=st.sampled_from(["", RULES]),
)
def test_limits_hold_and_no_single_move_is_nearer(seed: int, norm: Norm, limits: tuple[Limit, ...], rules: str) -> None:
    target, rows, contract = cases(seed, rules)
    if not len(rows):
        return
    goal = Goal(0, minimise=norm, within=limits)
    result = run(target, rows, contract, goal)
    hit = result.success
    measure = Measure(contract, SCALES, goal)
    assert measure.inside(result.adversarial[hit], rows[hit]).all()
    np.testing.assert_allclose(result.distance[hit], measure.of(result.adversarial[hit], rows[hit]))
    assert contract.validate(result.adversarial[hit], rows[hit]).valid.all()
    assert beyond(target, result.adversarial[hit]).all()
    np.testing.assert_array_equal(result.adversarial[~hit], rows[~hit])
    single = np.array([least(target, row, contract, goal, singles=True) for row in rows])
    assert (result.distance <= single + 1e-9).all()


def test_norms_want_different_rows() -> None:
    moved: dict[Norm, list[Floats]] = {norm: [] for norm in Norm}
    for seed in range(8):
        target, rows, contract = cases(seed)
        for norm in Norm:
            moved[norm].append(run(target, rows, contract, Goal(0, minimise=norm)).adversarial)
    assert any((a != b).any() for a, b in zip(moved[Norm.LINF], moved[Norm.L0], strict=True))
    assert any((a != b).any() for a, b in zip(moved[Norm.L1], moved[Norm.L0], strict=True))


def test_a_group_counts_once() -> None:
    contract = Contract.parse(
        "version: 1\nfeatures:\n  a: {type: integer, min: 0, max: 6, move: any}\n"
        "  web: {type: integer, min: 0, max: 1, move: any}\n  app: {type: integer, min: 0, max: 1, move: any}\n"
        "groups:\n  - {one_hot: [web, app]}\n"
    )
    scales = np.array([6.0, 1.0, 1.0])
    measure = Measure(contract, scales, Goal(0, minimise=Norm.L0))
    was = np.array([[3.0, 1.0, 0.0]])
    assert measure.of(np.array([[3.0, 0.0, 1.0]]), was) == 1.0
    assert measure.of(np.array([[4.0, 0.0, 1.0]]), was) == 2.0
    swapped = 0
    for seed in range(12):
        target = target_of(forest(np.random.default_rng(seed), [np.arange(1.0, 7), [0.5], [0.5]]), contract)
        rows = every_row([range(7), [0, 1], [0, 1]])
        rows = rows[contract.validate(rows).valid & ~beyond(target, rows)][:6]
        if not len(rows):
            continue
        goal = Goal(0, minimise=Norm.L0, within=(Limit(Norm.L0, 1),))
        found = attack(target, rows, goal=goal, budget=Budget(), contract=contract, scales=scales)
        assert (found.distance[found.success] == 1.0).all()
        swapped += int((found.adversarial[found.success][:, 1:] != rows[found.success][:, 1:]).any(axis=1).sum())
    assert swapped > 0
