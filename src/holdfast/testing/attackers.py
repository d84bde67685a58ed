"""Black-box attackers of a model: they see its answers, nothing else, and want a declined case accepted.

Four ways, from scratch: a walk along the boundary by decisions alone (after the idea of HopSkipJump, Chen et al.
2020), finite differences of the score (after ZOO, Chen et al. 2017), a fraudster who tries one field at a time, and a
random walk that keeps what helps. What leaves the attacker is `raw` (as computed), `free` (any column moved, rounded to
the right types, bounds, groups and derived columns; relations aside) or `projected` (within what the contract says can
be moved).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract
from holdfast.core.contract.distance import moves

Floats = NDArray[np.float64]
Predict = Callable[[Floats], Floats]


class Form(StrEnum):
    """What becomes of a computed row before it is sent."""

    RAW = "raw"
    FREE = "free"
    PROJECTED = "projected"


class SpentError(Exception):
    """The attacker's questions are used up."""


@dataclass
class Oracle:
    """The model as an attacker sees it: every question is counted and kept."""

    predict: Predict
    contract: Contract
    origin: Floats
    units: Floats
    form: Form
    budget: int
    threshold: float = 0.5
    rows: list[Floats] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def score(self, x: Floats) -> float:
        """Ask. Raises SpentError when the budget is used up."""
        if len(self.rows) >= self.budget:
            raise SpentError
        sent = self._sent(x[None, :])
        value = float(self.predict(sent)[0])
        self.rows.append(sent[0])
        self.scores.append(value)
        return value

    def accepted(self, x: Floats) -> bool:
        """Ask, and look only at the decision."""
        return self.score(x) < self.threshold

    def _sent(self, x: Floats) -> Floats:
        if self.form is Form.RAW:
            return x
        if self.form is Form.FREE:
            return self.contract.round(x)
        return self.contract.project(x, self.origin[None, :], self.units).X


@dataclass(frozen=True, eq=False)
class Case:
    """Where an attack begins: a declined row, accepted training rows (the yardstick), accepted rows that the attacker
    knows of, units of the columns, and the columns that are not derived."""

    origin: Floats
    accepted: Floats
    known: Floats
    units: Floats
    own: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Campaign:
    """All questions (q, d) of one attacker with their scores; `success` is the place of the first success, or None.

    Success: accepted, and at most half as far from the origin as the nearest accepted row of the training data.
    """

    kind: str
    form: Form
    X: Floats
    scores: Floats
    success: int | None


Walk = Callable[[Oracle, Case, np.random.Generator], None]


def run(
    kind: str,
    form: Form,
    case: Case,
    *,
    predict: Predict,
    contract: Contract,
    seed: int,
    budget: int = 300,
    threshold: float = 0.5,
) -> Campaign:
    """One attacker at work until its questions are used up."""
    oracle = Oracle(predict, contract, case.origin, case.units, form, budget, threshold)
    random = np.random.default_rng([seed, 11])
    try:
        oracle.score(case.origin)
        ATTACKERS[kind](oracle, case, random)
    except SpentError:
        pass
    X, scores = np.array(oracle.rows), np.array(oracle.scores)
    return Campaign(kind, form, X, scores, first_success(X, scores, case, contract, threshold))


def first_success(X: Floats, scores: Floats, case: Case, contract: Contract, threshold: float) -> int | None:
    """The place of the first accepted question that is near enough to the origin to be worth it."""
    near = distance(contract, case.accepted, case.origin, case.units).min() / 2
    good = (scores < threshold) & (distance(contract, X, case.origin, case.units) <= near)
    return int(good.argmax()) if good.any() else None


def distance(contract: Contract, X: Floats, origin: Floats, units: Floats) -> Floats:
    """Euclidean distance in units (n,), derived columns aside."""
    # What is no category code, as raw attackers send, moved by a whole unit like any other category.
    found: Floats = np.sqrt((moves(contract, X, np.broadcast_to(origin, X.shape), units) ** 2).sum(axis=1))
    return found


def _boundary(oracle: Oracle, case: Case, random: np.random.Generator) -> None:
    """Halve the way to an accepted row; then feel around the boundary, step along it, and halve again."""
    x = case.known[distance(oracle.contract, case.known, case.origin, case.units).argmin()].copy()
    oracle.accepted(x)
    step = 0
    while True:
        x = _halved(oracle, case, x)
        step += 1
        size = 0.05 * _length(case, x - case.origin) / np.sqrt(step)
        ways = _noise(case, random, min(10 + 2 * step, 30))
        votes = np.array([1.0 if oracle.accepted(x + size * way) else -1.0 for way in ways])
        direction = (
            ((votes - votes.mean())[:, None] * ways).sum(axis=0) if abs(votes.mean()) < 1 else votes[0] * ways[0]
        )
        length = _length(case, direction) or 1.0
        reach = _length(case, x - case.origin) / np.sqrt(step)
        for _ in range(6):
            trial = x + reach * direction / length
            if oracle.accepted(trial):
                x = trial
                break
            reach /= 2


def _halved(oracle: Oracle, case: Case, accepted: Floats) -> Floats:
    low, high = 0.0, 1.0
    for _ in range(7):
        middle = (low + high) / 2
        if oracle.accepted(case.origin + middle * (accepted - case.origin)):
            high = middle
        else:
            low = middle
    found: Floats = case.origin + high * (accepted - case.origin)
    return found


def _differences(oracle: Oracle, case: Case, random: np.random.Generator) -> None:
    """Estimate the score's slope one column at a time, and go down it."""
    x, step = case.origin.copy(), 0.02
    while True:
        slope = np.zeros(len(x))
        for column in random.permutation(case.own)[:6]:
            up, down = x.copy(), x.copy()
            up[column] += step * case.units[column]
            down[column] -= step * case.units[column]
            slope[column] = oracle.score(up) - oracle.score(down)
        size = np.abs(slope).max()
        if size == 0:
            step = min(step * 1.8, 0.5)
            continue
        trial = x - 2 * step * case.units * slope / size
        if oracle.score(trial) <= oracle.scores[0]:
            x = trial


def _greedy(oracle: Oracle, case: Case, random: np.random.Generator) -> None:
    """Try other values for one field at a time, from easiest to boldest, and keep the best."""
    x, best = case.origin.copy(), oracle.scores[0]
    while True:
        for column in random.permutation(case.own):
            for size in (0.02, -0.02, 0.08, -0.08, 0.25, -0.25):
                trial = x.copy()
                trial[column] += size * case.units[column]
                value = oracle.score(trial)
                if value < best:
                    x, best = trial, value
                    break


def _walk(oracle: Oracle, case: Case, random: np.random.Generator) -> None:
    """Small random steps of a few columns; a step that does not make it worse is kept."""
    x, best = case.origin.copy(), oracle.scores[0]
    while True:
        chosen = random.random(len(case.own)) < 0.4
        trial = x.copy()
        trial[case.own] += chosen * 0.04 * case.units[case.own] * random.standard_normal(len(case.own))
        value = oracle.score(trial)
        if value <= best:
            x, best = trial, value


def _noise(case: Case, random: np.random.Generator, count: int) -> Floats:
    ways = np.zeros((count, len(case.origin)))
    ways[:, case.own] = random.standard_normal((count, len(case.own))) * case.units[case.own]
    lengths = np.array([_length(case, way) for way in ways])
    scaled: Floats = ways / lengths[:, None]
    return scaled


def _length(case: Case, way: Floats) -> float:
    inside = np.nan_to_num(way[case.own] / case.units[case.own])
    return float(np.sqrt((inside**2).sum()))


ATTACKERS: dict[str, Walk] = {
    "boundary": _boundary,
    "differences": _differences,
    "greedy": _greedy,
    "walk": _walk,
}
