"""How many caught cases slip past a net when an attacker moves what the contract lets him move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.checks.evasion.flagged import Flagged, caught_cases, confirm, robust_recall, unconfirmed
from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Measurement, Observation

if TYPE_CHECKING:
    from holdfast.attack import EvasionResult


@dataclass(frozen=True, slots=True)
class GradientParams:
    """`rows` flagged rows are attacked; `boxes` are L-inf radii in units of each column's training range."""

    rows: int = 300
    boxes: tuple[float, ...] = (0.002, 0.005, 0.01, 0.02, 0.05)
    population: int = 600
    """Candidates that a population may try for a row that gradients leave."""
    seed: int = 0


@check(
    id="evasion.gradient",
    version=1,
    needs=("model", "train_data", "test_data", "contract"),
    requires=("scan.artifact",),
    covers=("AML.T0015", "AML.T0043"),
    kinds=("net",),
)
def observe(target: Target, params: GradientParams, budget: Budget) -> Observation:
    """Robust recall at each box: caught cases that stay caught. Every hit is confirmed by the model's own library."""
    if target.feature_map.opaque:
        return Observation.unknown("the model's preprocessing cannot be described, so its gradients lead nowhere")
    flagged = caught_cases(target, params.rows, budget.rows, params.seed)
    if not len(flagged.rows):
        return Observation.unknown("no test row is of the harmed class and flagged, so there is nothing to attack")
    found = _attack(target, flagged, params)
    confirmed = confirm(target, found)
    measured = robust_recall(found, confirmed, flagged.recall, params.boxes, params.seed)
    proven = _proven(found, params.boxes, params.seed)
    return Observation.of(measured, proven, target.walls, unconfirmed(found, confirmed))


def _attack(target: Target, flagged: Flagged, params: GradientParams) -> EvasionResult:
    from holdfast.attack import Budget as SearchBudget
    from holdfast.attack import Goal, attack

    return attack(
        target.net,
        flagged.rows,
        goal=Goal.of(target.model.task),
        budget=SearchBudget(queries_per_row=params.population),
        contract=target.contract,
        scales=target.contract.scales(target.matrix(target.train)),
        seed=params.seed,
        method="evasion.ensemble",
    )


def _proven(found: EvasionResult, boxes: Sequence[float], seed: int) -> Iterator[Measurement]:
    """The share of flagged rows that provably stay where they are."""
    for box in boxes:
        share = float((found.floor > box).mean())
        yield Measurement("evasion.proven_share", share, "share", {"linf": box}, found.success.size, seed)
