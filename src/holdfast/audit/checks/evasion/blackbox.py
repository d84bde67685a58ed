"""How far somebody gets who can only ask the model, and how often he has to ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.observation import Measurement, Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.attack import EvasionResult

    Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BlackBoxParams:
    """`rows` flagged rows are attacked with `queries` questions each; the attacker owns `background` training rows."""

    rows: int = 40
    queries: int = 400
    background: int = 1_000
    boxes: tuple[float, ...] = (0.005, 0.01, 0.05)
    seed: int = 0


@check(
    id="evasion.blackbox",
    version=1,
    needs=("model", "train_data", "test_data", "contract"),
    requires=("scan.artifact",),
    covers=("AML.T0015", "AML.T0040", "AML.T0043"),
    depth=Depth.FULL,
)
def observe(target: Target, params: BlackBoxParams, budget: Budget) -> Observation:
    """Caught cases that decisions alone are enough to move across, asked of the model's own library."""
    rows, cases = _caught(target, params, budget)
    if not len(rows):
        return Observation.unknown("no test row is of the harmed class and flagged, so there is nothing to attack")
    found = _attack(target, rows, params)
    return Observation.of(_measurements(found, cases, params), target.walls)


def _caught(target: Target, params: BlackBoxParams, budget: Budget) -> tuple[Matrix, float]:
    """A seeded sample of the caught cases, and the share of the sampled cases that is caught."""
    import numpy as np

    harm = target.model.task.harm
    cases = np.flatnonzero(target.labels(target.test) == harm.from_class)[: budget.rows]
    order = np.random.default_rng(params.seed).permutation(cases)[: 50 * params.rows]
    if not order.size:
        return np.empty((0, len(target.contract.names))), 0.0
    rows = target.matrix(target.test.take(np.sort(order)))
    caught = np.flatnonzero(target.decided(rows) == harm.from_class)
    sample = np.random.default_rng(params.seed).permutation(caught)[: params.rows]
    return rows[np.sort(sample)], caught.size / order.size


def _attack(target: Target, rows: Matrix, params: BlackBoxParams) -> EvasionResult:
    import numpy as np

    from holdfast.attack import BlackBox, Goal, attack
    from holdfast.attack import Budget as AttackBudget

    train = target.matrix(target.train)
    own = np.random.default_rng(params.seed).permutation(len(train))[: params.background]
    return attack(
        BlackBox.of_decisions(target.contract, target.decided, background=train[np.sort(own)]),
        rows,
        goal=Goal.of(target.model.task),
        budget=AttackBudget(queries_per_row=params.queries),
        contract=target.contract,
        scales=target.contract.scales(train),
        seed=params.seed,
        method="blackbox.decisions",
    )


def _measurements(found: EvasionResult, recall: float, params: BlackBoxParams) -> Iterator[Measurement]:
    """Success at the budget and at each box; what it took."""
    import numpy as np

    n, seed, at = found.success.size, params.seed, {"queries": float(params.queries)}
    hits = found.success & found.valid
    for box in params.boxes:
        stays = 1.0 - float((hits & (found.linf <= box)).mean())
        yield Measurement("blackbox.robust_recall", recall * stays, "share", {"linf": box} | at, n, seed)
    yield Measurement("blackbox.success_share", float(hits.mean()), "share", at, n, seed)
    yield Measurement("blackbox.queries_per_row", float(found.queries.mean()), "queries", at, n, seed)
    if hits.any():
        per_success = float(found.queries.sum() / hits.sum())
        yield Measurement("blackbox.queries_per_success", per_success, "queries", at, n, seed)
        yield Measurement("blackbox.median_linf", float(np.median(found.linf[hits])), "train-range", at, n, seed)
        yield Measurement("blackbox.median_cost", float(np.median(found.cost[hits])), "train-range", at, n, seed)
