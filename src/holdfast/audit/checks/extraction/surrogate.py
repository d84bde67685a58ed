"""How much of a model somebody takes along who only asks it questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.observation import Measurement, Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.attack.extraction.surrogate import Copy, Ground

    Matrix = NDArray[np.float64]

FEWEST = 50
"""Held-out rows below which a share says nothing."""


@dataclass(frozen=True, slots=True)
class SurrogateParams:
    """`queries` questions for each attacker, and `few` for one of them; copies are judged on `judged` test rows."""

    queries: int = 1_000
    few: int = 200
    owned: int = 5_000
    judged: int = 2_000
    seed: int = 0


@check(
    id="extraction.surrogate",
    version=1,
    needs=("model", "train_data", "test_data", "contract"),
    requires=("scan.artifact",),
    covers=("AML.T0024.002", "AML.T0005.001"),
    depth=Depth.FULL,
)
def observe(target: Target, params: SurrogateParams, budget: Budget) -> Observation:  # noqa: ARG001
    """Fidelity of copies by what was asked, and by what was told, beside the best constant."""
    ground = _ground(target, params)
    if min(len(ground.owned), len(ground.held_out)) < FEWEST:
        return Observation.unknown(f"fewer than {FEWEST} rows of training or of test data: a share would say nothing")
    return Observation.of(_measurements(target, ground, params), target.walls)


def _ground(target: Target, params: SurrogateParams) -> Ground:
    from holdfast.attack.extraction.surrogate import Ground

    owned = _sample(target.matrix(target.train), params.owned, params.seed)
    return Ground(target.contract, owned, _sample(target.matrix(target.test), params.judged, params.seed + 1))


def _sample(rows: Matrix, most: int, seed: int) -> Matrix:
    import numpy as np

    chosen = np.random.default_rng(seed).permutation(len(rows))[:most]
    return np.asarray(rows[np.sort(chosen)])


def _measurements(target: Target, ground: Ground, params: SurrogateParams) -> Iterator[Measurement]:
    from holdfast.attack.extraction.surrogate import Access, Strategy, extract

    labels = Access.LABELS
    for strategy in Strategy:
        copy = extract(
            target.decided, ground, strategy=strategy, access=labels, queries=params.queries, seed=params.seed
        )
        yield from _told(f"extraction.{strategy}", copy, ground, params.seed)
    copy = extract(
        target.decided, ground, strategy=Strategy.NATURAL, access=labels, queries=params.few, seed=params.seed
    )
    yield from _told("extraction.natural", copy, ground, params.seed)
    if _tells_probabilities(target, ground):
        copy = extract(
            _scores(target),
            ground,
            strategy=Strategy.NATURAL,
            access=Access.SCORES,
            queries=params.queries,
            threshold=target.model.task.threshold,
            seed=params.seed,
        )
        yield from _told("extraction.scores", copy, ground, params.seed)
    yield Measurement("extraction.base", copy.base, "share", {}, len(ground.held_out), params.seed)


def _told(name: str, copy: Copy, ground: Ground, seed: int) -> Iterator[Measurement]:
    n, at = len(ground.held_out), {"queries": float(copy.queries)}
    yield Measurement(f"{name}.fidelity", copy.fidelity, "share", at, n, seed)
    yield Measurement(f"{name}.learned", copy.learned, "share", at, n, seed)
    yield Measurement(f"{name}.auc", copy.auc, "share", at, n, seed)


def _tells_probabilities(target: Target, ground: Ground) -> bool:
    """Whether the model has two classes and answers with a probability of each."""
    said = target.predict(target.contract.decode(ground.held_out[:1])).scores
    return said.shape[1] == 2 and bool((said >= 0).all() and (said <= 1).all())


def _scores(target: Target) -> Callable[[Matrix], Matrix]:
    """Raw contract rows to the probability of the positive class (n,)."""
    import numpy as np

    def ask(rows: Matrix) -> Matrix:
        said = target.predict(target.contract.decode(rows))
        classes, positive = [str(label) for label in said.classes], str(target.model.task.positive)
        return np.asarray(said.scores[:, classes.index(positive) if positive in classes else 1], np.float64)

    return ask
