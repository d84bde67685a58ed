"""Attribute inference: do the model's answers tell a hidden column better than the other columns do without them?

A column that the others give away is no leak of the model. So the figure is the gain over imputation: the same learner,
on the same rows, with the same columns, once without and once with what the model says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.privacy.roc import Estimate
from holdfast.attack.privacy.threat import ATTRIBUTE, Threat
from holdfast.attack.privacy.trainer import Task, Trained, train
from holdfast.core.learn.design import Design, Library

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Labels = NDArray[np.int64]
Ask = Callable[[Floats], Floats]
"""Raw rows (n, d) to what the model answers (n, k)."""
LEARNER = Design(Library.HISTOGRAM, trees=40, depth=0, leaves=8, rate=0.1, min_rows=20, l2=5.0, bins=63)
MAX_VALUES = 8
LEAST_SHARE = 0.01
"""Values told apart; rarer ones count as one."""


@dataclass(frozen=True, eq=False)
class Hidden:
    """What an attacker does not know: a category, or a one-hot group as one. `values` (v, c) fill its c columns in."""

    columns: tuple[int, ...]
    values: Floats

    @classmethod
    def seen_in(cls, X: Floats, columns: tuple[int, ...]) -> Hidden:
        """Its values in rows (n, d), the most frequent first, without missing ones."""
        held = X[:, columns]
        values, count = np.unique(held[~np.isnan(held).any(axis=1)], axis=0, return_counts=True)
        common = np.argsort(-count, kind="stable")[: int((count >= LEAST_SHARE * len(X)).sum())]
        return cls(columns, values[common[:MAX_VALUES]])

    def codes(self, X: Floats) -> Labels:
        """(n,) the number of each row's value; one more than the last for any other."""
        same = (X[:, self.columns][:, None, :] == self.values[None]).all(axis=2)
        return np.where(same.any(axis=1), same.argmax(axis=1), len(self.values)).astype(np.int64)

    def filled(self, X: Floats) -> Floats:
        """(v * n, d) the rows with each value in turn."""
        found = np.tile(X, (len(self.values), 1))
        found[:, self.columns] = np.repeat(self.values, len(X), axis=0)
        return found

    def without(self, X: Floats) -> Floats:
        """(n, d - c) what the attacker knows."""
        return np.delete(X, self.columns, axis=1)


@dataclass(frozen=True, slots=True)
class Inference:
    """How often the hidden value is named, of `n` people, with and without the model."""

    columns: tuple[int, ...]
    with_model: float
    imputed: float
    gain: Estimate
    n: int
    digits: int | None
    """Decimals of the model's answers; None: as it gives them."""

    @property
    def threat(self) -> Threat:
        return ATTRIBUTE


@dataclass(frozen=True, eq=False)
class Side:
    """Rows (n, d) with their labels (n,)."""

    X: Floats
    y: Labels

    def __len__(self) -> int:
        return len(self.y)

    def first(self, count: int) -> Side:
        """Only `count` of them."""
        return Side(self.X[:count], self.y[:count])


def infer(
    victims: Side,
    known: Side,
    hidden: Sequence[Hidden],
    ask: Ask,
    *,
    digits: Sequence[int | None] = (None,),
    seed: int = 0,
) -> tuple[Inference, ...]:
    """Attack `victims` with what can be learned from `known`: one answer per hidden column and per precision.

    `ask` is called once. Raises as `trainer.train` does.
    """
    both = Side(np.concatenate([victims.X, known.X]), np.concatenate([victims.y, known.y]))
    inside = (np.arange(len(both)) >= len(victims))[None]
    answers = _Answers.of(both.X, hidden, ask)
    tasks = [
        Task(LEARNER, seen, what.codes(both.X), inside, len(victims), len(what.values) + 1, seed=seed)
        for number, what in enumerate(hidden)
        for seen in _views(both, what, answers, number, digits)
    ]
    return tuple(_inferences(hidden, digits, train(tasks), len(victims)))


@dataclass(frozen=True, eq=False)
class _Answers:
    """What the model says of all rows, and of the rows with each hidden column filled in."""

    own: Floats
    filled: tuple[Floats, ...]
    """Per hidden column (v, n, k)."""

    @classmethod
    def of(cls, X: Floats, hidden: Sequence[Hidden], ask: Ask) -> _Answers:
        said = ask(np.concatenate([X, *(what.filled(X) for what in hidden)]))
        ends = np.cumsum([len(X), *(len(X) * len(what.values) for what in hidden)])
        own, *rest = np.split(said, ends[:-1])
        return cls(own, tuple(part.reshape(-1, len(X), said.shape[1]) for part in rest))


def _views(both: Side, what: Hidden, answers: _Answers, number: int, digits: Sequence[int | None]) -> Iterator[Floats]:
    """What is known without the model, then with it at each precision."""
    base = np.column_stack([what.without(both.X), both.y])
    yield base
    for places in digits:
        yield np.column_stack([base, _evidence(answers.own, answers.filled[number], places)])


def _evidence(own: Floats, filled: Floats, digits: int | None) -> Floats:
    """(n, k + 2v) the answer, how far each filled-in answer is from it, and which of these are nearest."""
    if digits is not None:
        own, filled = np.round(own, digits), np.round(filled, digits)
    away = np.abs(filled - own[None]).sum(axis=2).T
    nearest = away <= away.min(axis=1, keepdims=True)
    return np.column_stack([own, away, nearest.astype(np.float64)])


def _inferences(
    hidden: Sequence[Hidden], digits: Sequence[int | None], trained: Sequence[Trained], n: int
) -> Iterator[Inference]:
    step = 1 + len(digits)
    for number, what in enumerate(hidden):
        without, *informed = (one.hit[0] for one in trained[number * step : (number + 1) * step])
        for places, hits in zip(digits, informed, strict=True):
            yield Inference(
                what.columns, float(hits.mean()), float(without.mean()), paired_gain(hits, without), n, places
            )


def paired_gain(after: Bools, before: Bools) -> Estimate:
    """The difference of two shares on the same rows, with Agresti and Min's interval (2005): wide enough at none."""
    won, lost, n = int((after & ~before).sum()), int((before & ~after).sum()), after.size
    value = (won - lost) / n
    b, c, total = won + 0.5, lost + 0.5, n + 2.0
    middle = (b - c) / total
    width = 1.959963984540054 * math.sqrt(max(b + c - (b - c) ** 2 / total, 0.0)) / total
    return Estimate(value, min(value, middle - width), max(value, middle + width))
