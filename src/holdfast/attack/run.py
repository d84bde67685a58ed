"""The one way to attack: any target, any method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from holdfast.attack.interface import ATTACKS, AttackSpec, Budget, EvasionResult, Goal, Target
from holdfast.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from holdfast.core.contract import Contract, Feature

    Floats = NDArray[np.float64]


def attack(
    target: Target,
    rows: Floats,
    *,
    goal: Goal,
    budget: Budget,
    contract: Contract,
    scales: Floats,
    seed: int = 0,
    method: str = "evasion.search",
) -> EvasionResult:
    """Move `rows` (n, d), raw contract values, to class `goal.to` by the smallest changes the contract allows.

    `scales` (d,) are the units of distance (`contract.scales(X_train)`). Equal arguments give equal results, on any
    machine and for any split of the rows. Raises UsageError where the goal does not fit (HF-ATK-003), the rows are
    no rows of the contract (HF-ATK-004), or the target lacks what the method needs (HF-ATK-007).
    """
    spec = ATTACKS.get(method)
    _refuse_lacking(target, spec)
    matrix = np.ascontiguousarray(rows, dtype=np.float64)
    _check(matrix, np.asarray(scales, dtype=np.float64), contract, target)
    return spec.run(target, matrix, goal=goal, budget=budget, contract=contract, scales=scales, seed=seed)


def robust_share(result: EvasionResult, boxes: Sequence[float]) -> dict[float, float]:
    """Per box (greatest L-inf an attacker may move a row) the share of rows not moved across inside it.

    One search answers for all boxes. A share is an upper bound on the truth: a search may miss, never invent.
    """
    return _shares(result.linf, boxes)


def proven_share(result: EvasionResult, boxes: Sequence[float]) -> dict[float, float]:
    """Per box the share of rows that provably cannot be moved across inside it: a lower bound on the truth."""
    return _shares(result.floor, boxes)


def _shares(distances: Floats, boxes: Sequence[float]) -> dict[float, float]:
    return {box: float((distances > box).mean()) for box in boxes} if distances.size else {}


def _check(rows: Floats, scales: Floats, contract: Contract, target: Target) -> None:
    width = len(contract.features)
    if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
        raise _unfit(f"their shape is {rows.shape}; the contract has {width} features")
    if scales.shape != (width,) or not (np.isfinite(scales) & (scales > 0)).all():
        raise _unfit(f"the units of distance must be {width} positive numbers, one per feature")
    if [_space(feature) for feature in contract.features] != [_space(feature) for feature in target.contract.features]:
        raise _unfit("the target was lifted for a contract with other columns, types or categories")


def _refuse_lacking(target: Target, spec: AttackSpec) -> None:
    lacking = [face for face in spec.needs if face not in target.faces]
    if lacking:
        offers = set(target.faces)
        fitting = [name for name, other in ATTACKS if offers.issuperset(other.needs)]
        raise UsageError(
            f"'{spec.id}' cannot attack this target",
            cause=f"it needs {', '.join(lacking)}; the target offers {', '.join(target.faces) or 'nothing'}",
            fix=f"use one of {', '.join(fitting)}" if fitting else "wrap its predict function in a BlackBox",
            code="HF-ATK-007",
        )


def _space(feature: Feature) -> tuple[object, ...]:
    """What a lifted target depends on; limits, moves and relations may differ."""
    return feature.name, feature.type, feature.values


def _unfit(cause: str) -> UsageError:
    fix = "make the rows with contract.encode(columns), at least one; the units with contract.scales(X_train)"
    return UsageError("the rows cannot be attacked", cause=cause, fix=fix, code="HF-ATK-004")
