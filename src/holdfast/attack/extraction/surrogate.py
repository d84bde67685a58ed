"""A copy of a model, learned from its answers: how often does it decide the same on rows it was never asked about?

Three ways to spend the questions: `uniform` draws values inside the columns' ranges and knows nothing else; `natural`
asks about rows the attacker owns; `active` starts as `natural` and then asks where two copies learned so far disagree
or are least sure. Labels alone are learned by a classifier, scores by a regression of their log-odds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.errors import UsageError

if TYPE_CHECKING:
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Ask = Callable[[Floats], NDArray[Any]]
"""Rows (n, d) to classes (n,), or to the probability of class 1 (n,)."""

ROUNDS = 4
"""Turns in which an active attacker spends what he asks after his first share."""
FIRST_SHARE = 0.4
SPREAD = 3
"""Rows are drawn from so many times the doubtful ones needed: the most doubtful are all alike."""
UNIFORM_SHARE = 0.1
"""Part of an active attacker's candidates that are drawn rather than owned, to see where data is thin."""
EDGE = 1e-4
"""Probabilities are kept this far from 0 and 1 before their log-odds are taken."""


class Strategy(StrEnum):
    """Which rows are asked about."""

    UNIFORM = "uniform"
    NATURAL = "natural"
    ACTIVE = "active"


class Access(StrEnum):
    """What the model says."""

    LABELS = "labels"
    SCORES = "scores"


@dataclass(frozen=True, slots=True)
class Copy:
    """What one attacker got. Shares are of held-out rows."""

    strategy: Strategy
    access: Access
    queries: int
    fidelity: float
    """Share on which copy and model decide the same."""
    base: float
    """The same for the best constant: a copy that learned nothing."""
    auc: float
    """How well the copy's score ranks the model's decisions; 0.5 where the model decides one way only."""

    @property
    def learned(self) -> float:
        """The share of what the constant misses that the copy gets right: 0 nothing, 1 all."""
        return (self.fidelity - self.base) / (1.0 - self.base) if self.base < 1.0 else 0.0


@dataclass(frozen=True, eq=False)
class Ground:
    """What the attacker stands on: the contract, rows he owns (m, d), and rows to judge the copy on (n, d)."""

    contract: Contract
    owned: Floats
    held_out: Floats


def extract(
    ask: Ask, ground: Ground, *, strategy: Strategy, access: Access, queries: int, threshold: float = 0.5, seed: int = 0
) -> Copy:
    """Copy a model with at most `queries` questions, and judge the copy on `ground.held_out`.

    `ask` gives classes where `access` is labels, the probability of class 1 (n,) where it is scores; what it decides is
    that probability against `threshold`. Asking about the held-out rows is the judge's, and not counted. Raises
    UsageError (HF-ATK-009) without rows or with fewer than ten questions.
    """
    _check(ground, queries)
    rng = np.random.default_rng(seed)
    asked, answers = _spend(ask, ground, strategy, access, queries, threshold, rng)
    said = np.asarray(ask(ground.held_out))
    truth = _decided(said, access, threshold)
    copy = _fit(asked, answers, access, threshold, seed)
    classes, counts = np.unique(truth, return_counts=True)
    fidelity = float((copy.decide(ground.held_out) == truth).mean())
    auc = _auc(copy.score(ground.held_out), truth == 1) if classes.size == 2 else 0.5
    return Copy(strategy, access, len(asked), fidelity, float(counts.max() / counts.sum()), auc)


def _check(ground: Ground, queries: int) -> None:
    if queries < 10 or not len(ground.held_out) or not len(ground.owned):
        raise UsageError(
            "a copy cannot be learned",
            cause=f"{queries} questions, {len(ground.owned)} owned rows, {len(ground.held_out)} rows to judge on",
            fix="give at least ten questions, and rows for the attacker and for the judge",
            code="HF-ATK-009",
        )


def _spend(
    ask: Ask,
    ground: Ground,
    strategy: Strategy,
    access: Access,
    queries: int,
    threshold: float,
    rng: np.random.Generator,
) -> tuple[Floats, NDArray[Any]]:
    """The rows asked about and the answers."""
    owned = ground.owned[rng.permutation(len(ground.owned))]
    if strategy is Strategy.UNIFORM:
        rows = _drawn(ground, queries, rng)
        return rows, np.asarray(ask(rows))
    if strategy is Strategy.NATURAL:
        return owned[:queries], np.asarray(ask(owned[:queries]))
    asked, pool = owned[: int(FIRST_SHARE * queries)], owned[int(FIRST_SHARE * queries) :]
    answers = np.asarray(ask(asked))
    share = (queries - len(asked)) // ROUNDS
    for turn in range(ROUNDS):
        drawn = _drawn(ground, int(UNIFORM_SHARE * len(pool)) + share, rng)
        pool = np.concatenate([pool, drawn])
        order = np.argsort(_doubt(pool, asked, answers, access, threshold, turn), kind="stable")
        order[: SPREAD * share] = rng.permutation(order[: SPREAD * share])
        asked, pool = np.concatenate([asked, pool[order[:share]]]), pool[order[share:]]
        answers = np.concatenate([answers, np.asarray(ask(asked[-share:]))]) if share else answers
    return asked, answers


def _drawn(ground: Ground, count: int, rng: np.random.Generator) -> Floats:
    """Possible rows column by column, drawn inside the ranges of what the attacker owns; relations aside."""
    with np.errstate(all="ignore"):
        low, high = np.nanmin(ground.owned, axis=0), np.nanmax(ground.owned, axis=0)
    rows = rng.uniform(np.nan_to_num(low), np.nan_to_num(high), (count, ground.owned.shape[1]))
    return ground.contract.round(rows)


def _doubt(pool: Floats, asked: Floats, answers: NDArray[Any], access: Access, threshold: float, seed: int) -> Floats:
    """How sure two copies are of each row of the pool (m,), least sure first when sorted; disagreement comes first."""
    halves = np.arange(len(asked)) % 2 == 0
    one = _fit(asked[halves], answers[halves], access, threshold, seed)
    two = _fit(asked[~halves], answers[~halves], access, threshold, seed + 1)
    sure = np.minimum(np.abs(one.score(pool)), np.abs(two.score(pool)))
    return np.asarray(np.where(one.decide(pool) != two.decide(pool), sure - 1e9, sure), np.float64)


class _Constant:
    """A copy of a model that was only seen to decide one way."""

    def __init__(self, label: int) -> None:
        self._label = label

    def decide(self, X: Floats) -> Labels:
        return np.full(len(X), self._label, np.int64)

    def score(self, X: Floats) -> Floats:
        return np.zeros(len(X))


class _Learned:
    """A copy; scores are log-odds of class 1 against the threshold, of more classes the lead of the first."""

    def __init__(self, model: Any, level: float) -> None:
        self._model, self._level = model, level

    def decide(self, X: Floats) -> Labels:
        if hasattr(self._model, "classes_"):
            return np.asarray(self._model.predict(X), np.int64)
        return (self.score(X) >= 0).astype(np.int64)

    def score(self, X: Floats) -> Floats:
        if not hasattr(self._model, "classes_"):
            return np.asarray(self._model.predict(X) - self._level, np.float64)
        scores = np.asarray(self._model.decision_function(X), np.float64)
        if scores.ndim == 1:
            return scores
        top = np.sort(scores, axis=1)
        return np.asarray(top[:, -1] - top[:, -2], np.float64)


def _fit(X: Floats, answers: NDArray[Any], access: Access, threshold: float, seed: int) -> _Constant | _Learned:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    shape = {"max_iter": 100, "max_leaf_nodes": 15, "learning_rate": 0.1, "random_state": seed, "early_stopping": False}
    if access is Access.SCORES:
        model = HistGradientBoostingRegressor(**shape).fit(X, _log_odds(np.asarray(answers, np.float64)))
        return _Learned(model, float(_log_odds(np.full(1, threshold))[0]))
    labels = np.asarray(answers, np.int64)
    if np.unique(labels).size < 2:
        return _Constant(int(labels[0]))
    return _Learned(HistGradientBoostingClassifier(**shape).fit(X, labels), 0.0)


def _decided(answers: NDArray[Any], access: Access, threshold: float) -> Labels:
    if access is Access.SCORES:
        return (np.asarray(answers, np.float64) >= threshold).astype(np.int64)
    return np.asarray(answers, np.int64)


def _log_odds(share: Floats) -> Floats:
    inside = np.clip(share, EDGE, 1.0 - EDGE)
    found: Floats = np.log(inside / (1.0 - inside))
    return found


def _auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """The share of pairs ranked rightly, ties counted half."""
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    many, few = int(positive.sum()), int((~positive).sum())
    if not many or not few:
        return 0.5
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))
