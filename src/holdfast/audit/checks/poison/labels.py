"""Which training labels the other rows contradict, and how many are likely wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.observation import Fact, Measurement, Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.core.data.poison.labels import LabelNoise

    Classes = NDArray[np.int64]
    Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class LabelParams:
    """At most `rows` rows are judged, a seeded sample; at most `named` suspects are named."""

    rows: int = 20_000
    named: int = 20
    seed: int = 0


@check(id="poison.labels", version=1, needs=("train_data",), covers=("AML.T0020", "AML.T0019"), depth=Depth.FULL)
def observe(target: Target, params: LabelParams, budget: Budget) -> Observation:
    """Estimated share of turned labels, and the rows whose labels are most likely wrong."""
    import numpy as np

    from holdfast.core.data.poison.cells import Cells
    from holdfast.core.data.poison.labels import label_noise

    labels = target.labels(target.train)
    classes, y = np.unique(labels, return_inverse=True)
    rows = sample(len(y), min(params.rows, budget.rows), params.seed)
    if classes.size > 20 or np.bincount(y[rows], minlength=classes.size).min() < 5:
        return Observation.unknown("too many classes, or too few rows of a class, to judge labels by other rows")
    X = Cells.of(target.features(target.train)).X[rows]
    noise = label_noise(X, y[rows], int(classes.size), seed=params.seed, repeats=1)
    return Observation.of(_measured(noise, params.seed), _facts(noise, rows, classes, y[rows], params.named))


def sample(n: int, most: int, seed: int) -> Rows:
    """Numbers of at most `most` of `n` rows, in order."""
    import numpy as np

    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def _measured(noise: LabelNoise, seed: int) -> Iterator[Measurement]:
    n = len(noise.score)
    suspects = noise.suspects(n).size
    yield Measurement("poison.label.turned_share", noise.share, "share", {}, n, seed)
    yield Measurement("poison.label.suspect_share", suspects / n, "share", {}, n, seed)
    yield Measurement("poison.label.worst_score", float(noise.score.max()), "probability", {}, n, seed)


def _facts(noise: LabelNoise, rows: Rows, classes: Classes, y: Classes, most: int) -> Iterator[Fact]:
    for row in noise.suspects(most):
        likely = int(classes[noise.probabilities[row].argmax()])
        detail = f"labelled {int(classes[y[row]])}; rows like it are {likely} (wrong with {noise.score[row]:.2f})"
        yield Fact("poison.label", int(rows[row]), member="train", detail=detail)
