"""A model that answers questions and shows nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.interface import Face, Goal
from holdfast.core.errors import TargetError, UsageError

if TYPE_CHECKING:
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
Predict = Callable[[Floats], NDArray[Any]]
TINY = 1e-12
"""Probabilities are kept this far from 0 and 1 before their logarithm is taken."""


@dataclass(eq=False)
class BlackBox:
    """Any predict function over rows (n, d) in raw contract units; made by `of_scores` or `of_decisions`.

    `background` (m, d) are rows the attacker has himself: what customers look like. Without it he starts from values
    drawn inside the contract's bounds. `queries` and `requests` count what was really asked.
    """

    contract: Contract
    predict: Predict
    faces: tuple[str, ...]
    background: Floats
    classes: tuple[int, ...] = ()
    batch: int = 4096
    """Rows of one request at most."""
    queries: int = field(default=0, init=False)
    requests: int = field(default=0, init=False)

    @classmethod
    def of_scores(
        cls,
        contract: Contract,
        predict: Predict,
        *,
        background: Floats | None = None,
        classes: tuple[int, ...] = (),
        batch: int = 4096,
    ) -> BlackBox:
        """`predict` gives class probabilities (n, k), or (n,) the probability of the goal's positive class.

        `classes` name the k columns; by default they are 0 to k - 1.
        """
        faces = (Face.SCORES.value, Face.DECISIONS.value)
        return cls(contract, predict, faces, _rows(contract, background), classes, batch)

    @classmethod
    def of_decisions(
        cls, contract: Contract, decide: Predict, *, background: Floats | None = None, batch: int = 4096
    ) -> BlackBox:
        """`decide` gives the class of each row (n,), and that is all it gives."""
        return cls(contract, decide, (Face.DECISIONS.value,), _rows(contract, background), (), batch)

    def margins(self, rows: Floats, goal: Goal) -> Floats:
        """(n,) how far beyond the decision each row stands, in log-odds; 1 or -1 where only decisions are given.

        Above 0 stands what the attacker wants; exactly 0 does where the decision itself says so. Raises TargetError
        (HF-ATK-008) where the answers are not one per row, UsageError (HF-ATK-003) where the goal does not fit.
        """
        parts = [self._ask(rows[at : at + self.batch]) for at in range(0, len(rows), self.batch)]
        answers = np.concatenate(parts) if parts else np.zeros(0)
        if Face.SCORES.value not in self.faces:
            return np.where(answers == goal.to, 1.0, -1.0)
        return self._score_margins(answers.astype(np.float64), goal)

    def _ask(self, rows: Floats) -> NDArray[Any]:
        self.requests += 1
        self.queries += len(rows)
        answers = np.asarray(self.predict(rows))
        if answers.ndim == 0 or len(answers) != len(rows) or answers.ndim > 2:
            raise TargetError(
                "the predict function does not answer row by row",
                cause=f"{len(rows)} rows were asked, the answer has the shape {answers.shape}",
                fix="give back one class, one probability or one row of probabilities for each row asked",
                code="HF-ATK-008",
            )
        return answers[:, 0] if answers.ndim == 2 and answers.shape[1] == 1 else answers

    def _score_margins(self, scores: Floats, goal: Goal) -> Floats:
        if scores.ndim == 1:
            return _beyond(scores, goal)
        columns = list(self.classes) or list(range(scores.shape[1]))
        if goal.to not in columns or (len(columns) == 2 and goal.positive not in columns):
            raise UsageError(
                f"the goal names class {goal.to}, which the model does not have",
                cause=f"its scores are those of the classes {', '.join(map(str, columns))}",
                fix="correct task: in holdfast.yaml, or the goal",
                code="HF-ATK-003",
            )
        if len(columns) == 2:
            return _beyond(scores[:, columns.index(goal.positive)], goal)
        own = columns.index(goal.to)
        logs = np.log(np.maximum(scores, TINY))
        gap = logs[:, own] - np.delete(logs, own, axis=1).max(axis=1)
        found: Floats = np.where(scores.argmax(axis=1) == own, np.maximum(gap, TINY), np.minimum(gap, -TINY))
        return found


def _beyond(positive: Floats, goal: Goal) -> Floats:
    """Signed log-odds from the threshold, the sign being that of the decision `positive >= threshold`."""
    gap = _log_odds(positive) - _log_odds(np.full(1, goal.threshold))
    decided = positive >= goal.threshold
    wanted = decided if goal.to == goal.positive else ~decided
    size = np.maximum(np.abs(gap), TINY)
    return np.where(wanted, size, -size)


def _log_odds(share: Floats) -> Floats:
    inside = np.clip(share, TINY, 1.0 - TINY)
    found: Floats = np.log(inside / (1.0 - inside))
    return found


def _rows(contract: Contract, background: Floats | None) -> Floats:
    if background is None:
        return np.empty((0, len(contract.features)))
    return np.ascontiguousarray(background, dtype=np.float64)
