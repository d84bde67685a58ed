"""How many caught cases slip through when an attacker moves what the contract lets him move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Fact, Measurement, Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.attack import EvasionResult

    Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EvasionParams:
    """`rows` flagged rows are attacked; `boxes` are L-inf radii in units of each column's training range."""

    rows: int = 200
    boxes: tuple[float, ...] = (0.002, 0.005, 0.01, 0.02, 0.05)
    seed: int = 0


@dataclass(frozen=True)
class Flagged:
    """The cases an attacker would want to move: of the harmed class, and caught."""

    rows: Matrix
    recall: float


@check(
    id="evasion.search",
    version=1,
    needs=("model", "train_data", "test_data", "contract"),
    requires=("scan.artifact",),
    covers=("AML.T0015", "AML.T0043"),
    kinds=("tree",),
)
def observe(target: Target, params: EvasionParams, budget: Budget) -> Observation:
    """Robust recall at each box: caught cases that stay caught. Every hit is confirmed by the model's own library."""
    if target.feature_map.opaque:
        return Observation.unknown("the model's preprocessing cannot be described, so its trees cannot be searched")
    flagged = _flagged(target, params, budget)
    n = len(flagged.rows)
    if n == 0:
        return Observation.unknown("no test row is of the harmed class and flagged, so there is nothing to attack")
    found = _search(target, flagged.rows, params)
    confirmed = _confirm(target, found)
    measured = _measurements(found, confirmed, flagged.recall, params, n)
    return Observation.of(measured, target.walls, _facts(found, confirmed))


def _flagged(target: Target, params: EvasionParams, budget: Budget) -> Flagged:
    """A seeded sample of the caught cases, and the share of cases that is caught."""
    import numpy as np

    harm = target.model.task.harm
    cases = np.flatnonzero(target.labels(target.test) == harm.from_class)[: budget.rows]
    if cases.size == 0:
        return Flagged(np.empty((0, len(target.contract.names))), 0.0)
    rows = target.matrix(target.test.take(cases))
    caught = np.flatnonzero(target.decided(rows) == harm.from_class)
    sample = np.random.default_rng(params.seed).permutation(caught)[: params.rows]
    return Flagged(rows[np.sort(sample)], caught.size / cases.size)


def _search(target: Target, rows: Matrix, params: EvasionParams) -> EvasionResult:
    from holdfast.attack import Budget as SearchBudget
    from holdfast.attack import Goal, attack, warm_up

    warm_up()
    return attack(
        target.trees,
        rows,
        goal=Goal.of(target.model.task),
        budget=SearchBudget(),
        contract=target.contract,
        scales=target.contract.scales(target.matrix(target.train)),
        seed=params.seed,
    )


def _confirm(target: Target, found: EvasionResult) -> NDArray[np.bool_]:
    """(n,) hits that are valid under the contract and that the model's own library decides as the attacker wants."""
    import numpy as np

    confirmed = np.zeros(found.success.size, dtype=bool)
    hits = np.flatnonzero(found.success & found.valid)
    if hits.size:
        confirmed[hits] = target.decided(found.adversarial[hits]) == target.model.task.harm.to_class
    return confirmed


def _measurements(
    found: EvasionResult, confirmed: NDArray[np.bool_], recall: float, params: EvasionParams, n: int
) -> Iterator[Measurement]:
    seed = params.seed
    for box in params.boxes:
        stays = 1.0 - float((confirmed & (found.linf <= box)).mean())
        yield Measurement("evasion.robust_recall", recall * stays, "share", {"linf": box}, n, seed)
        yield Measurement("evasion.robust_share", stays, "share", {"linf": box}, n, seed)
    yield Measurement("evasion.success_share", float(confirmed.mean()), "share", {}, n, seed)
    yield Measurement("evasion.recall", recall, "share", {}, n, seed)
    if confirmed.any():
        import numpy as np

        yield Measurement("evasion.median_linf", float(np.median(found.linf[confirmed])), "train-range", {}, n, seed)


def _facts(found: EvasionResult, confirmed: NDArray[np.bool_]) -> Iterator[Fact]:
    """Candidates that the model's own library did not confirm: our reading of the model and the library disagree."""
    unconfirmed = int((found.success & found.valid & ~confirmed).sum())
    if unconfirmed:
        yield Fact("evasion.unconfirmed", unconfirmed, detail="candidates the model's own library decides otherwise")
