"""The exact minimum against exhaustive enumeration: the program by itself, without the search's help."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forests import every_row, forest, target_of
from grids import ALL, CROOKED, GRID, RELATIONS, SCALES, cases, least, written
from holdfast.attack import Budget, Goal, attack
from holdfast.attack.evasion.exact.exact import Answer, Closing
from holdfast.attack.evasion.exact.ground import Ground
from holdfast.attack.evasion.goal import compile_goal, reached
from holdfast.attack.interface import Limit, Norm, Proof
from holdfast.core.contract import Contract

Floats = NDArray[np.float64]


def from_nothing(ground: Ground, row: Floats, budget: Budget | None = None) -> Answer:
    """The program's answer where the search found nothing at all."""
    answer = Answer(row.copy(), float("inf"), 0.0)
    Closing(ground, row, answer, budget or Budget()).run()
    return answer


def agree(ground: Ground, rows: Floats, everything: Floats) -> None:
    for row in rows:
        answer, true = from_nothing(ground, row), least(ground, everything, row)
        assert answer.distance == pytest.approx(true, rel=1e-9)
        assert answer.closed, (answer.floor, true)
        assert answer.floor <= true


@pytest.mark.parametrize("kind", RELATIONS)
def test_the_program_finds_the_minimum_of_every_linear_contract(kind: str) -> None:
    contract = written(RELATIONS[kind])
    for seed in range(3):
        target, rows, goal = cases(contract, seed, 4, trees=8, codes={3: 3})
        agree(Ground.of(target, goal, contract, SCALES), rows, ALL)


@pytest.mark.parametrize("norm", Norm)
@pytest.mark.parametrize("kind", ["none", "budget", "two sums", "if"])
def test_every_norm_has_its_minimum(norm: Norm, kind: str) -> None:
    contract = written(RELATIONS[kind])
    target, rows, goal = cases(contract, 5, 5, trees=8)
    ground = Ground.of(target, replace(goal, minimise=norm), contract, SCALES)
    for row in rows:
        answer, true = from_nothing(ground, row), least(ground, ALL, row)
        assert answer.distance == pytest.approx(true, rel=1e-9)
        assert answer.floor <= true * (1 + 1e-12)
        assert answer.floor >= true * 0.99 or norm is Norm.L2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(RELATIONS)), st.sampled_from(["<", "<="]))
def test_search_and_program_together_are_exact(seed: int, kind: str, operator: str) -> None:
    contract = written(RELATIONS[kind])
    target, rows, goal = cases(contract, seed, 2, trees=6, operator=operator)
    if not len(rows):
        return
    budget = Budget(restarts=1)
    found = attack(
        target, rows, goal=goal, budget=budget, contract=contract, scales=SCALES, seed=seed, method="evasion.exact"
    )
    ground = Ground.of(target, goal, contract, SCALES)
    np.testing.assert_allclose(found.distance, [least(ground, ALL, row) for row in rows], rtol=1e-9)
    assert found.proven.all()
    assert contract.validate(found.adversarial, rows).valid.all()


@pytest.mark.parametrize("kind", CROOKED)
def test_what_is_not_linear_is_left_out_named_and_never_broken(kind: str) -> None:
    contract = written(CROOKED[kind])
    proofs = set()
    for seed in range(6):
        target, rows, goal = cases(contract, seed, 4, trees=10)
        ground = Ground.of(target, goal, contract, SCALES)
        for row in rows:
            answer, true = from_nothing(ground, row), least(ground, ALL, row)
            assert answer.left_out <= {"r0"}
            assert answer.floor <= true + 1e-12
            assert answer.distance >= true - 1e-12
            proofs.add(answer.closed)
    assert True in proofs


def test_a_relaxed_certificate_names_the_relation() -> None:
    contract = written(["a * b * c >= 20"])
    target, rows, goal = cases(contract, 3, 30, trees=12)
    found = attack(
        target,
        rows,
        goal=goal,
        budget=Budget(nodes_per_row=1, restarts=0),
        contract=contract,
        scales=SCALES,
        method="evasion.exact",
    )
    ground = Ground.of(target, goal, contract, SCALES)
    assert found.relaxed == ("r0",)
    for i, row in enumerate(rows):
        assert found.floor[i] <= least(ground, ALL, row) + 1e-12
        if not found.proven[i]:
            assert found.certificate(i).proof is Proof.RELAXED
            assert found.certificate(i).relations == ("r0",)


def test_classes_beyond_two_and_vector_leaves() -> None:
    contract = written([])
    for to, vector in ((0, False), (2, True)):
        goal = Goal(to=to)
        target, rows, _ = cases(contract, 11, 4, goal=goal, trees=9, outputs=3, vector=vector)
        agree(Ground.of(target, goal, contract, SCALES), rows, ALL)


def test_limits_bind() -> None:
    contract = written([])
    limits = (Limit(Norm.L1, 0.9), Limit(Norm.L0, 2), Limit(Norm.L2, 0.6))
    for seed in range(4):
        target, rows, goal = cases(contract, seed, 4, trees=8)
        agree(Ground.of(target, replace(goal, within=limits), contract, SCALES), rows, ALL)


def test_the_search_may_not_exceed_a_limit() -> None:
    contract = written([])
    target, rows, goal = cases(contract, 1, 6, trees=8)
    tight = replace(goal, within=(Limit(Norm.LINF, 0.01),))
    found = attack(target, rows, goal=tight, budget=Budget(), contract=contract, scales=SCALES, method="evasion.exact")
    assert not found.success.any()
    assert found.proven.all()
    np.testing.assert_array_equal(found.adversarial, rows)


def test_missing_values_come_and_go() -> None:
    features = GRID.replace("move: any, cost: 2", "move: any, missing: true").replace(
        "b: {type: integer,", "b: {missing: true, type: integer,"
    )
    everything = every_row([[*range(7), np.nan], [*range(7), np.nan], range(7), range(3)])
    contract = written(["a <= b + c"], features)
    for seed in range(4):
        target, rows, goal = cases(written([], features), seed, 6, everything, trees=8)
        rows = rows[contract.validate(rows).valid]
        ground = Ground.of(target, goal, contract, SCALES)
        for row in rows:
            answer, true = from_nothing(ground, row), least(ground, everything, row)
            assert answer.floor <= true
            assert answer.distance >= true - 1e-12
            assert answer.closed or answer.left_out == {"r0"}


def test_one_hot_groups_and_linear_derived_columns() -> None:
    features = """
version: 1
features:
  a: {type: integer, min: 0, max: 6, move: any}
  p: {type: integer, min: 0, max: 1, move: any}
  q: {type: integer, min: 0, max: 1, move: any}
  t: {type: number, derived: 2 * a + p}
groups:
  - {one_hot: [p, q]}
"""
    contract = Contract.parse(features)
    everything = contract.derive(every_row([range(7), [0, 1], [0, 1], [0.0]]))
    cuts = [np.arange(1.0, 7.0), [0.5], [0.5], np.arange(1.0, 13.0)]
    scales = np.array([6.0, 1.0, 1.0, 13.0])
    for seed in range(6):
        for norm in (Norm.LINF, Norm.L0, Norm.L1):
            goal = Goal(to=0, minimise=norm)
            target = target_of(forest(np.random.default_rng(seed), cuts, trees=8), contract)
            rows = everything[contract.validate(everything).valid]
            rows = rows[~reached(compile_goal(target.ensemble, goal), target.margins(rows))][:5]
            agree(Ground.of(target, goal, contract, scales), rows, everything)


def test_a_short_budget_leaves_a_true_gap() -> None:
    contract = written(RELATIONS["budget"])
    target, rows, goal = cases(contract, 2, 8, trees=25, depth=5)
    ground = Ground.of(target, goal, contract, SCALES)
    for row in rows:
        answer = from_nothing(ground, row, Budget(nodes_per_row=1_000))
        assert answer.floor <= least(ground, ALL, row) + 1e-12


def test_equal_questions_have_equal_answers() -> None:
    contract = written(RELATIONS["if"])
    target, rows, goal = cases(contract, 4, 6, trees=8)
    whole, part = (
        attack(target, some, goal=goal, budget=Budget(), contract=contract, scales=SCALES, method="evasion.exact")
        for some in (rows, rows[3:])
    )
    np.testing.assert_array_equal(whole.adversarial[3:], part.adversarial)
    np.testing.assert_array_equal(whole.floor[3:], part.floor)
