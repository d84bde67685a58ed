"""How many caught cases provably stay caught: the least move that evades, with a proof, not only one that was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from holdfast.audit.checks.evasion.flagged import caught_cases, confirm, unconfirmed
from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.observation import Fact, Measurement, Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.attack import EvasionResult

    Matrix = NDArray[np.float64]
    Bools = NDArray[np.bool_]

PART = 10
"""Rows attacked between two looks at what was spent."""


@dataclass(frozen=True, slots=True)
class ExactParams:
    """At most `rows` flagged rows are attacked; `boxes` are L-inf radii in units of each column's training range."""

    rows: int = 100
    boxes: tuple[float, ...] = (0.002, 0.005, 0.01, 0.02, 0.05)
    nodes_per_row: int = 4_000_000
    nodes: int = 150_000_000
    """Work on all rows: where it is used up, the rest is left out, and the figures are of fewer rows."""
    seed: int = 0


@check(
    id="evasion.exact",
    version=1,
    needs=("model", "train_data", "test_data", "contract"),
    requires=("scan.artifact",),
    covers=("AML.T0015", "AML.T0043"),
    kinds=("tree",),
    depth=Depth.FULL,
)
def observe(target: Target, params: ExactParams, budget: Budget) -> Observation:
    """Robust recall between two proven sides. Every hit is confirmed by the model's own library."""
    if target.feature_map.opaque:
        return Observation.unknown("the model's preprocessing cannot be described, so its trees cannot be solved")
    flagged = caught_cases(target, params.rows, budget.rows, params.seed)
    if not len(flagged.rows):
        return Observation.unknown("no test row is of the harmed class and flagged, so there is nothing to attack")
    found = _joined(list(_parts(target, flagged.rows, params)))
    confirmed = confirm(target, found)
    measured = _measurements(found, confirmed, flagged.recall, params)
    return Observation.of(measured, target.walls, unconfirmed(found, confirmed), _relaxed(found))


def _parts(target: Target, rows: Matrix, params: ExactParams) -> Iterator[EvasionResult]:
    """Rows in a seeded order, part by part, until the work allowed is done."""
    import numpy as np

    from holdfast.attack import warm_up

    warm_up()
    spent, mixed = 0, rows[np.random.default_rng(params.seed).permutation(len(rows))]
    for begin in range(0, len(rows), PART):
        found = _attack(target, mixed[begin : begin + PART], params)
        yield found
        spent += int(found.nodes.sum())
        if spent >= params.nodes:
            return


def _joined(parts: list[EvasionResult]) -> EvasionResult:
    """One result for all parts."""
    import numpy as np

    names = ("success", "adversarial", "linf", "floor", "cost", "valid", "nodes", "exhausted", "distance", "queries")
    arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    relaxed = tuple(sorted({name for part in parts for name in part.relaxed}))
    return replace(parts[0], **arrays, relaxed=relaxed)


def _attack(target: Target, rows: Matrix, params: ExactParams) -> EvasionResult:
    from holdfast.attack import Budget as SearchBudget
    from holdfast.attack import Goal, attack

    return attack(
        target.trees,
        rows,
        goal=Goal.of(target.model.task),
        budget=SearchBudget(nodes_per_row=params.nodes_per_row),
        contract=target.contract,
        scales=target.contract.scales(target.matrix(target.train)),
        seed=params.seed,
        method="evasion.exact",
    )


def _measurements(found: EvasionResult, confirmed: Bools, recall: float, params: ExactParams) -> Iterator[Measurement]:
    """Below `low` no attacker inside the contract can bring recall; to `high` one provably can."""
    n, seed = confirmed.size, params.seed
    for box in params.boxes:
        low, high = float((found.floor > box).mean()), 1.0 - float((confirmed & (found.linf <= box)).mean())
        yield Measurement("evasion.robust_recall_low", recall * low, "share", {"linf": box}, n, seed)
        yield Measurement("evasion.robust_recall_high", recall * high, "share", {"linf": box}, n, seed)
    yield Measurement("evasion.exact_share", float(found.proven.mean()), "share", {}, n, seed)
    yield Measurement("evasion.recall", recall, "share", {}, n, seed)


def _relaxed(found: EvasionResult) -> Iterator[Fact]:
    if found.relaxed:
        names = ", ".join(found.relaxed[:20])
        yield Fact(
            "evasion.relaxed", len(found.relaxed), detail=f"left out of the lower side, which stays true: {names}"
        )
