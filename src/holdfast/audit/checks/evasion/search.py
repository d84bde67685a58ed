"""How many caught cases slip through when an attacker moves what the contract lets him move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.checks.evasion.flagged import caught_cases, confirm, robust_recall, unconfirmed
from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Measurement, Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.attack import EvasionResult

    Matrix = NDArray[np.float64]

NODES_PER_ROW = 2_000_000
"""Several times what a row of 100 trees needs; bounds what 500 rows of a deep forest cost."""


@dataclass(frozen=True, slots=True)
class EvasionParams:
    """`rows` flagged rows are attacked; `boxes` are L-inf radii in units of each column's training range."""

    rows: int = 500
    boxes: tuple[float, ...] = (0.002, 0.005, 0.01, 0.02, 0.05)
    seed: int = 0


@check(
    id="evasion.search",
    version=2,
    needs=("model", "train_data", "test_data", "contract"),
    requires=("scan.artifact",),
    covers=("AML.T0015", "AML.T0043"),
    kinds=("tree",),
)
def observe(target: Target, params: EvasionParams, budget: Budget) -> Observation:
    """Robust recall at each box: caught cases that stay caught. Every hit is confirmed by the model's own library."""
    if target.feature_map.opaque:
        return Observation.unknown("the model's preprocessing cannot be described, so its trees cannot be searched")
    flagged = caught_cases(target, params.rows, budget.rows, params.seed)
    if len(flagged.rows) == 0:
        return Observation.unknown("no test row is of the harmed class and flagged, so there is nothing to attack")
    found = _search(target, flagged.rows, params)
    confirmed = confirm(target, found)
    measured = [
        *robust_recall(found, confirmed, flagged.recall, params.boxes, params.seed),
        *_proven(found, params),
    ]
    return Observation.of(measured, target.walls, unconfirmed(found, confirmed))


def _search(target: Target, rows: Matrix, params: EvasionParams) -> EvasionResult:
    from holdfast.attack import Budget as SearchBudget
    from holdfast.attack import Goal, attack, warm_up

    warm_up()
    return attack(
        target.trees,
        rows,
        goal=Goal.of(target.model.task),
        budget=SearchBudget(nodes_per_row=NODES_PER_ROW),
        contract=target.contract,
        scales=target.contract.scales(target.matrix(target.train)),
        seed=params.seed,
    )


def _proven(found: EvasionResult, params: EvasionParams) -> Iterator[Measurement]:
    """Shares that no move at all inside the box carries across: lower bounds beside the upper bounds of the search."""
    for box in params.boxes:
        held = float((found.floor > box).mean())
        yield Measurement("evasion.proven_share", held, "share", {"linf": box}, found.floor.size, params.seed)
