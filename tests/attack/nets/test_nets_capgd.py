"""Moves found by gradients are valid, confirmed, near the least, and never below the proven floor."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from holdfast.attack import Budget, Goal, NetTarget, attack
from holdfast.attack.interface import Limit, Norm
from holdfast.attack.nets.aim import aim_at
from holdfast.attack.nets.slopes import outputs_and_slopes
from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.errors import TargetError, UsageError
from holdfast.core.formats.nets import Curve, NetModel, net_margins
from holdfast.core.formats.nets_build import assemble
from smallnets import CONTRACT, SCALES, applicant_target, applicants, flagged, layers, smallest

METHODS = ["evasion.capgd", "evasion.ensemble"]


def run(target: NetTarget, rows: np.ndarray, goal: Goal = Goal(to=0), method: str = "evasion.capgd", **budget: int):  # type: ignore[no-untyped-def]  # noqa: B008
    return attack(
        target,
        rows,
        goal=goal,
        budget=Budget(**budget),
        contract=target.contract,
        scales=SCALES[: rows.shape[1]],
        method=method,
    )


@pytest.mark.parametrize("method", [*METHODS, "evasion.population"])
@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_every_answer_is_valid_and_confirmed(outputs: int, method: str) -> None:
    target = applicant_target(outputs, outputs)
    for goal in (Goal(to=0), Goal(to=1, threshold=0.49)):
        rows = flagged(target, applicants(60), goal)
        found = run(target, rows, goal, method, queries_per_row=480)
        assert found.valid.all()
        assert CONTRACT.validate(found.adversarial, rows).valid.all()
        assert (CONTRACT.round(found.adversarial, rows) == found.adversarial).all()
        assert (aim_at(target.net, goal).gaps(target.raw(found.adversarial))[found.success] > 0).all()
        assert (found.floor <= found.distance).all()
        assert (found.adversarial[~found.success] == rows[~found.success]).all()
        assert found.success_share > 0.3
        assert np.isinf(found.distance[~found.success]).all()


def grid_target(seed: int, curve: Curve) -> NetTarget:
    """Four integers from 0 to 8: few enough rows to try them all."""
    names = "".join(
        f"  c{i}: {{type: integer, min: 0, max: 8, move: {m}}}\n" for i, m in enumerate(("any", "up", "any", "down"))
    )
    contract = Contract.parse(f"version: 1\nfeatures:\n{names}relations:\n  - {{id: r, rule: c0 + c1 <= 13}}\n")
    rng = np.random.default_rng(seed)
    net = assemble(layers(rng, [4, 10, 6, 1], curve), n_features=4, dtype="float32", source="test", kind="test")
    return NetTarget.of(NetModel(net), contract, FeatureMap.of(contract, ()))


@pytest.mark.parametrize("curve", [Curve.RELU, Curve.GELU, Curve.SILU, Curve.ELU])
def test_against_every_row_there_is(curve: Curve) -> None:
    everything = np.array(list(itertools.product(range(9), repeat=4)), np.float64)
    ours, truth = [], []
    for seed in range(5):
        target = grid_target(seed, curve)
        middle = float(np.median(target.raw(everything)))
        goal = Goal(to=0, threshold=float(1 / (1 + np.exp(-middle))))
        valid = everything[target.contract.validate(everything).valid]
        rows = flagged(target, valid, goal)[:: max(1, len(valid) // 16)][:12]
        found = attack(
            target, rows, goal=goal, budget=Budget(), contract=target.contract, scales=np.full(4, 8.0),
            method="evasion.capgd",
        )  # fmt: skip
        least = np.array([smallest(target, everything, row, goal, np.full(4, 8.0)) for row in rows])
        assert (found.distance >= least - 1e-12).all()
        assert (found.floor <= least + 1e-12).all()
        ours += found.distance.tolist()
        truth += least.tolist()
    same = np.array(ours) <= np.array(truth) + 1e-12
    assert same.mean() > 0.8


def test_gradients_are_those_of_the_outputs() -> None:
    target = applicant_target(3, 3, Curve.SILU)
    wide = target.wide
    X = np.random.default_rng(0).normal(size=(20, 9))
    pull = np.random.default_rng(1).normal(size=(20, 3))
    _, slopes = outputs_and_slopes(wide, X, lambda raw: pull)
    for column in range(9):
        step = np.zeros(9)
        step[column] = 1e-6
        rise = ((net_margins(wide, X + step) - net_margins(wide, X - step)) * pull).sum(axis=1) / 2e-6
        np.testing.assert_allclose(slopes[:, column], rise, atol=1e-5)


@pytest.mark.parametrize("method", [*METHODS, "evasion.population"])
def test_equal_questions_get_equal_answers(method: str) -> None:
    target, goal = applicant_target(4), Goal(to=0)
    rows = flagged(target, applicants(40), goal)
    one, two = (run(target, rows, goal, method, queries_per_row=240) for _ in range(2))
    assert np.array_equal(one.adversarial, two.adversarial)


@pytest.mark.parametrize("norm", [Norm.L1, Norm.L0, Norm.L2])
def test_other_norms_are_smaller_in_their_own(norm: Norm) -> None:
    target = applicant_target(5)
    rows = flagged(target, applicants(60), Goal(to=0))
    near, own = run(target, rows), run(target, rows, Goal(to=0, minimise=norm))
    both = near.success & own.success
    assert (own.floor == 0).all()
    assert both.any()
    of = {Norm.L1: near.cost, Norm.L0: ((near.adversarial != rows) & (np.arange(6) != 5)).sum(axis=1)}
    if norm in of:
        assert (own.distance[both] <= of[norm][both] * (1 + 1e-9)).all()
    assert own.success.sum() == near.success.sum()


def test_limits_are_kept() -> None:
    target = applicant_target(5)
    rows = flagged(target, applicants(60), Goal(to=0))
    free = run(target, rows)
    least = float(np.median(free.linf[free.success]))
    bound = run(target, rows, Goal(to=0, within=(Limit(Norm.LINF, least), Limit(Norm.L0, 2.0))))
    assert bound.success.any()
    assert (bound.linf[bound.success] <= least).all()
    moved = ((bound.adversarial != rows) & (np.arange(6) != 5)).sum(axis=1)
    assert (moved <= 2).all()


def test_the_floor_holds_against_random_rows() -> None:
    target, goal = applicant_target(6), Goal(to=0)
    rows = flagged(target, applicants(30), goal)
    found = run(target, rows, goal)
    rng = np.random.default_rng(0)
    assert (found.floor > 0).mean() > 0.5
    for row, floor in zip(rows, found.floor, strict=True):
        radius = min(floor, 0.999)
        many = row + rng.uniform(-1, 1, size=(400, 6)) * radius * SCALES * [1, 1, 0, 0, 1, 0]
        many[:200] = row + np.sign(many[:200] - row) * radius * SCALES * [1, 1, 0, 0, 1, 0]
        assert smallest(target, CONTRACT.round(many, np.tile(row, (400, 1))), row, goal, SCALES) >= floor - 1e-9


def test_rows_that_break_the_contract_are_left_alone() -> None:
    target = applicant_target(4)
    rows = applicants(6)
    rows[:, 1] = 99.5
    found = run(target, rows)
    assert not found.success.any()
    assert (found.adversarial == rows).all()


def test_rows_that_stand_there_already_have_distance_0() -> None:
    target, goal = applicant_target(4), Goal(to=0)
    rows = applicants(40)
    there = rows[target.margins(rows, goal) > 0.01]
    found = run(target, there, goal)
    assert found.success.all()
    assert (found.distance == 0).all()
    assert (found.floor == 0).all()


def test_goals_and_targets_that_do_not_fit_are_refused() -> None:
    target = applicant_target(4)
    with pytest.raises(UsageError) as caught:
        run(target, applicants(3), Goal(to=5))
    assert caught.value.code == "HF-ATK-003"
    with pytest.raises(TargetError) as refused:
        NetTarget.of(NetModel(replace(target.net, n_features=3)), CONTRACT, target.feature_map)
    assert refused.value.code == "HF-ATK-002"
