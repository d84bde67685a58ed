"""How well the model does its work, measured with its own library in the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.audit.interface import Budget, NoParams, check
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Fact, Measurement, Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@check(
    id="quality.performance",
    version=1,
    needs=("model", "train_data", "test_data"),
    requires=("scan.artifact",),
    covers=(),
)
def observe(target: Target, params: NoParams, budget: Budget) -> Observation:  # noqa: ARG001
    """AUC, accuracy, recall, precision and flag rate on the test rows."""
    labels = target.labels(target.test)[: budget.rows]
    table = target.test.take(range(labels.size))
    prediction = target.predict(target.features(table))
    decided = target.decide(prediction)
    n = int(labels.size)
    numbers = {"quality.auc": _auc(labels, prediction.scores, target.model.task.positive)}
    numbers |= _rates(labels, decided, target.model.task.positive)
    return Observation.of(
        [Measurement(name, float(value), "share", n=n) for name, value in numbers.items()],
        target.walls,
        [Fact("data.same-rows", True, detail="measured on training data")] if target.test_is_train else [],
    )


def _auc(labels: NDArray[np.int64], scores: NDArray[np.float64], positive: int) -> float:
    """Area under the ROC curve; for more than two classes the unweighted mean of one against the rest."""
    from sklearn.metrics import roc_auc_score

    if scores.shape[1] == 2:
        return float(roc_auc_score(labels == positive, scores[:, positive]))
    return float(roc_auc_score(labels, scores, multi_class="ovr", labels=range(scores.shape[1])))


def _rates(labels: NDArray[np.int64], decided: NDArray[np.int64], positive: int) -> dict[str, float]:
    """Shares over the test rows; precision is 0 where nothing was flagged."""
    hit, flagged = labels == positive, decided == positive
    found = float((hit & flagged).sum())
    return {
        "quality.accuracy": float((labels == decided).mean()),
        "quality.recall": found / max(float(hit.sum()), 1.0),
        "quality.precision": found / max(float(flagged.sum()), 1.0),
        "quality.flag_rate": float(flagged.mean()),
    }
