"""What the checks of this area ask of a model: probabilities of the classes in its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.audit.target import Target
    from holdfast.core.sandbox.answer import Prediction

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]

REASONS = frozenset({"HF-PRV-001", "HF-PRV-002", "HF-PRV-003"})
"""Errors after which a check does not know, rather than fails: training was not possible here."""


def classes_of(*labels: Labels) -> Labels:
    """(k,) class numbers that occur, rising."""
    import numpy as np

    return np.unique(np.concatenate(labels))


def probabilities(target: Target, rows: Floats, classes: Labels) -> Floats | None:
    """(n, k) for raw contract rows, a column per class; None where the model answers with something else."""
    import numpy as np

    said = target.predict(target.contract.decode(rows))
    columns = _columns(said, classes)
    if columns is None:
        return None
    scores = _as_shares(said.scores)
    return np.asarray(scores[:, columns], np.float64)


def _columns(said: Prediction, classes: Labels) -> list[int] | None:
    """Where each class stands in the scores: by the model's own labels where they are numbers, else by position."""
    width = max(said.scores.shape[1], 2)
    try:
        own = [int(float(label)) for label in said.classes]
    except (TypeError, ValueError):
        own = []
    order = own if len(own) == width else list(range(width))
    wanted = classes.tolist()
    return [order.index(one) for one in wanted] if said.classes and set(wanted) <= set(order) else None


def _as_shares(scores: Floats) -> Floats:
    """Margins become probabilities: a single column by the logistic function, several by softmax."""
    import numpy as np

    if scores.shape[1] == 1:
        positive = 1.0 / (1.0 + np.exp(-np.clip(scores, -700, 700)))
        return np.hstack([1.0 - positive, positive])
    if scores.min() >= 0.0 and scores.max() <= 1.0 + 1e-9:
        return scores
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)
