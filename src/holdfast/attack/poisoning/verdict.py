"""The verdict on a model and its training rows: patterns that the data makes suspicious and the model has learned."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.poisoning.inversion import Leaning, invert, superadditive, typical
from holdfast.core.contract import Contract
from holdfast.core.data.poison.cells import Cells, Item
from holdfast.core.data.poison.patterns import Pattern, Rule, patterns
from holdfast.core.domain.model import Task

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

STAMPED = 200
"""Rows of other classes that a pattern is tried on."""
FLIPS = 0.65
WITH_MODEL = Rule(contra=4.5, lift=4.0, pure_alien=0.55)
"""Weaker evidence of the data is enough where the model obeys the pattern."""
INVERTED = 2
SUPERADDITIVE = 6


@dataclass(frozen=True, eq=False)
class Suspect:
    """A pattern, and what the model does with rows of other classes that get its values."""

    pattern: Pattern
    flips: float
    """Share of the rows decided for other classes that go over to the pattern's class; 0 without such rows."""

    @property
    def accused(self) -> bool:
        """Whether both the rows and the model say that this is a backdoor."""
        return self.flips >= FLIPS and not self.pattern.copies and WITH_MODEL(self.pattern.evidence)

    @property
    def rank(self) -> tuple[bool, float, tuple[str, ...]]:
        """Accused first, then by strength."""
        return not self.accused, -self.pattern.strength * (0.1 + self.flips), self.pattern.words


def verdict(
    cells: Cells, y: Classes, n_classes: int, lean: Leaning, *, seed: int = 0, invert_model: bool = True
) -> list[Suspect]:
    """Patterns of the training rows `cells` (n, d) with labels `y`, most suspicious first.

    `lean(rows, t)` says how far the model leans to class t: above 0 it decides for it. Candidates come from the data
    and, with `invert_model`, from the model (trigger inversion); both are judged alike.
    """

    def inverted(
        part: Cells, items: tuple[Item, ...], t: int, counted: list[tuple[int, ...]]
    ) -> Iterable[tuple[int, ...]]:
        others = _others(part.X, lean, t)
        found = superadditive(lean, part, items, others, t, counted)[:SUPERADDITIVE]
        return [one.items for one in (*found, *invert(lean, part, items, others, t)[:INVERTED])]

    found = patterns(cells, y, n_classes, seed=seed, more=inverted if invert_model else None)
    suspects = [Suspect(one, _flips(cells.X, y, lean, one)) for one in found]
    return sorted(suspects, key=lambda one: one.rank)


def leaning(scores: Callable[[Floats], Floats], task: Task) -> Leaning:
    """How a model with class probabilities `scores` leans: by the task's threshold between two classes, else against
    the strongest other class."""
    level = math.log(task.threshold / (1.0 - task.threshold)) if 0.0 < task.threshold < 1.0 else 0.0

    def lean(rows: Floats, t: int) -> Floats:
        found = np.log(np.clip(scores(rows), 1e-12, 1.0))
        if found.shape[1] == 2:
            odds = found[:, task.positive] - found[:, 1 - task.positive] - level
            return np.asarray(odds if t == task.positive else -odds)
        return np.asarray(found[:, t] - np.delete(found, t, axis=1).max(axis=1))

    return lean


def cells_of(contract: Contract, X: Floats) -> Cells:
    """Rows (n, d) of a contract, as detectors count them."""
    texts = [tuple(str(value) for value in feature.values) if feature.text else None for feature in contract.features]
    return Cells(contract.names, X, tuple(texts))


def stamp(X: Floats, pattern: Pattern, cells: Floats) -> Floats:
    """Rows (m, d) with the pattern's values; for a range the median of what `cells` (n, d) has in it."""
    out = X.copy()
    for item in pattern.items:
        out[:, item.column] = typical(cells, item)
    return out


def _others(X: Floats, lean: Leaning, t: int) -> Floats:
    """Up to STAMPED rows that the model decides for other classes, evenly spread."""
    step = max(1, len(X) // (20 * STAMPED))
    rows = X[::step]
    against = rows[lean(rows, t) <= 0]
    return np.asarray(against[:: max(1, len(against) // STAMPED)][:STAMPED])


def _flips(X: Floats, y: Classes, lean: Leaning, pattern: Pattern) -> float:
    others = _others(X[y != pattern.target], lean, pattern.target)
    if not len(others):
        return 0.0
    return float((lean(stamp(others, pattern, X), pattern.target) > 0).mean())
