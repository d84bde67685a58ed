"""What checks of evasion have in common: the cases that are caught, what became of them, and how that is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.target import Target
from holdfast.core.domain.observation import Fact, Measurement

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.attack import EvasionResult

    Matrix = NDArray[np.float64]
    Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Flagged:
    """The cases an attacker would want to move: of the harmed class, and caught."""

    rows: Matrix
    recall: float


def caught_cases(target: Target, most: int, looked_at: int, seed: int) -> Flagged:
    """A seeded sample of at most `most` caught cases among the first `looked_at`, and the share that is caught."""
    import numpy as np

    harm = target.model.task.harm
    cases = np.flatnonzero(target.labels(target.test) == harm.from_class)[:looked_at]
    if cases.size == 0:
        return Flagged(np.empty((0, len(target.contract.names))), 0.0)
    rows = target.matrix(target.test.take(cases))
    caught = np.flatnonzero(target.decided(rows) == harm.from_class)
    sample = np.random.default_rng(seed).permutation(caught)[:most]
    return Flagged(rows[np.sort(sample)], caught.size / cases.size)


def confirm(target: Target, found: EvasionResult) -> Bools:
    """(n,) hits that are valid under the contract and that the model's own library decides as the attacker wants."""
    import numpy as np

    confirmed = np.zeros(found.success.size, dtype=bool)
    hits = np.flatnonzero(found.success & found.valid)
    if hits.size:
        confirmed[hits] = target.decided(found.adversarial[hits]) == target.model.task.harm.to_class
    return confirmed


def robust_recall(
    found: EvasionResult, confirmed: Bools, recall: float, boxes: Sequence[float], seed: int
) -> Iterator[Measurement]:
    """Recall and share that stay at each box, what the model lost without one, and how far the median row moved."""
    n = confirmed.size
    for box in boxes:
        stays = 1.0 - float((confirmed & (found.linf <= box)).mean())
        yield Measurement("evasion.robust_recall", recall * stays, "share", {"linf": box}, n, seed)
        yield Measurement("evasion.robust_share", stays, "share", {"linf": box}, n, seed)
    yield Measurement("evasion.success_share", float(confirmed.mean()), "share", {}, n, seed)
    yield Measurement("evasion.recall", recall, "share", {}, n, seed)
    if confirmed.any():
        import numpy as np

        yield Measurement("evasion.median_linf", float(np.median(found.linf[confirmed])), "train-range", {}, n, seed)


def unconfirmed(found: EvasionResult, confirmed: Bools) -> Iterator[Fact]:
    """Candidates that the model's own library did not confirm: our reading of the model and the library disagree."""
    count = int((found.success & found.valid & ~confirmed).sum())
    if count:
        yield Fact("evasion.unconfirmed", count, detail="candidates the model's own library decides otherwise")
