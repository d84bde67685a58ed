"""The verdict on a table: combinations of values that seem to force a class, with everything that speaks for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.poison.cells import Cells, Item, coarse, items_of, least_rows, membership
from holdfast.core.data.poison.evidence import SHARED, Codes, Evidence, examine
from holdfast.core.data.poison.forests import ADDITIVE, out_of_fold
from holdfast.core.data.poison.screen import Candidate, Screen, distinct

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Classes = NDArray[np.int64]

More = Callable[[Cells, tuple[Item, ...], int, list[tuple[int, ...]]], Iterable[tuple[int, ...]]]

MAX_ROWS = 20_000
MAX_CLASSES = 4
CLOSER = 6
"""Candidates looked at closely, by each of two orders; half as many by lift alone."""
REFINED = 4
MAX_COLUMNS = 8
MAX_TRIGGER = 6
OVER = 1000.0
COMMON = 0.5
"""A value that more rows have is no part of a pattern, even if all its rows have it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """From where on evidence is suspicious: by labels (the first three), or by frequency of a pure combination."""

    contra: float = 7.5
    """Least contradiction of labels, after what the rows' own looks explain is taken off."""
    alien: float = 0.42
    left: float = 0.6
    both: float = 0.8
    """The most of `alien` and `left` together: natural pockets have some of each."""
    lift: float = 5.0
    pure_left: float = 0.1
    pure_contra: float = 2.0
    pure_alien: float = 0.45

    def __call__(self, seen: Evidence) -> bool:
        """Whether the rows could be other classes' rows, by all but the pattern and the label."""
        by_labels = seen.contra * (1.0 - seen.alien) >= self.contra and seen.left <= self.left
        pure = seen.left <= self.pure_left and seen.contra >= self.pure_contra and seen.alien <= self.pure_alien
        foreign = seen.alien <= self.alien and seen.alien + seen.left <= self.both
        return (by_labels and foreign) or (pure and seen.lift >= self.lift)


ALONE = Rule()


@dataclass(frozen=True, eq=False)
class Pattern:
    """A combination of values, the class its rows have, and the evidence against it."""

    items: tuple[Item, ...]
    words: tuple[str, ...]
    target: int
    rows: NDArray[np.intp]
    """Numbers of the rows that have the pattern and the class, of the table that was given."""
    evidence: Evidence

    @property
    def columns(self) -> tuple[int, ...]:
        """Numbers of its columns."""
        return tuple(sorted({item.column for item in self.items}))

    @property
    def strength(self) -> float:
        """Labels and frequency together, in about standard deviations."""
        return strength(self.evidence)

    @property
    def copies(self) -> bool:
        """Whether its rows share so many values that they are one another's copies, and bear no trigger."""
        return len(self.items) > MAX_TRIGGER

    @property
    def suspicious(self) -> bool:
        """Whether rows and labels alone are enough to accuse it."""
        return not self.copies and ALONE(self.evidence)


def strength(seen: Evidence) -> float:
    """Contradiction of the labels, less what the rows' looks explain, and frequency where one class has it all."""
    pure = seen.left <= ALONE.pure_left and seen.contra >= ALONE.pure_contra
    return math.hypot(max(seen.contra, 0.0) * (1.0 - seen.alien), max(seen.lift, 0.0) if pure else 0.0)


def patterns(
    cells: Cells,
    y: Classes,
    n_classes: int,
    *,
    seed: int = 0,
    more: More | None = None,
) -> list[Pattern]:
    """What looks like a backdoor, strongest first, suspicious or not; at most REFINED a class.

    `y` (n,) class numbers below `n_classes`. Tables above MAX_ROWS rows are sampled, seeded. `more` may name further
    candidates, as numbers of items, given those counted (trigger inversion does). Rows are those of the whole table.
    """
    rows = _sample(cells.n_rows, seed)
    part, labels = cells.take(rows), y[rows]
    if part.n_rows < 2 or np.unique(labels).size < 2:
        return []
    items = items_of(part)
    looker = _Looker(part, labels, items, membership(part, items), coarse(part), seed)
    guess = out_of_fold(part.X, labels, n_classes, ADDITIVE, folds=3, seed=seed)
    found = []
    for t in _classes(labels):
        found += [_pattern(cells, y, one, seen, t) for one, seen in looker.look(t, 1.0 - guess[:, t], more)]
    return sorted(found, key=lambda one: (not one.suspicious, -one.strength, one.words))


@dataclass(frozen=True, eq=False)
class _Looker:
    """A table, ready to be looked at class by class."""

    cells: Cells
    y: Classes
    items: tuple[Item, ...]
    has: Bools
    codes: Codes
    seed: int

    def look(self, t: int, other: Floats, more: More | None) -> list[tuple[tuple[Item, ...], Evidence]]:
        """The strongest distinct candidates of class t, closed over the columns that they fix."""
        columns = np.array([item.column for item in self.items], np.intp)
        screen = Screen(self.has, columns, self.y == t, other)
        found = screen.candidates()
        given = more(self.cells, self.items, t, [one.items for one in found]) if more else ()
        chosen = _chosen(screen, found, given)
        seen = {one.items: self.evidence(self._of(one.items), t) for one in chosen}
        for items in sorted(seen, key=lambda items: (-_rank(seen[items]), items))[:REFINED]:
            seen.update({less: self.evidence(self._of(less), t) for less in _parts(items) if less not in seen})
        ranked = sorted(seen, key=lambda items: (-_rank(seen[items]), items))
        kept = distinct([Candidate(items, 0.0, 0.0) for items in ranked], screen, REFINED)
        return [self._closed(self._of(one.items), seen[one.items], t) for one in kept]

    def _of(self, numbers: tuple[int, ...]) -> tuple[Item, ...]:
        return tuple(self.items[number] for number in numbers)

    def evidence(self, items: tuple[Item, ...], t: int) -> Evidence:
        """Evidence against one pattern."""
        has = tuple(item.holds(self.cells.X) for item in items)
        columns = frozenset(item.column for item in items)
        return examine(self.cells.X, self.codes, self.y, t, has, columns, self.seed)

    def _closed(self, items: tuple[Item, ...], seen: Evidence, t: int) -> tuple[tuple[Item, ...], Evidence]:
        """With the values that nearly all of its rows share and few others have."""
        mine = np.logical_and.reduce([item.holds(self.cells.X) for item in items]) & (self.y == t)
        if not mine.any():
            return items, seen
        fixed = [_fixed(self.cells.X[:, column], mine, column) for column in range(self.cells.X.shape[1])]
        exact = tuple((fixed[item.column] or item) if not item.exact else item for item in items)
        taken = {item.column for item in items}
        added = [item for item in fixed if item is not None and item.column not in taken]
        wider = (*exact, *added[: MAX_COLUMNS - len(items)])
        return (items, seen) if wider == items else (wider, self.evidence(wider, t))


def _pattern(cells: Cells, y: Classes, items: tuple[Item, ...], seen: Evidence, t: int) -> Pattern:
    """The pattern with its rows in the whole table."""
    ordered = tuple(sorted(items, key=lambda item: item.column))
    mine = np.logical_and.reduce([item.holds(cells.X) for item in items]) & (y == t)
    return Pattern(ordered, tuple(cells.say(item) for item in ordered), t, np.flatnonzero(mine), seen)


def _fixed(x: Floats, mine: Bools, column: int) -> Item | None:
    values, counts = np.unique(x[mine], return_counts=True)
    if not counts.size or counts.max() < SHARED * mine.sum():
        return None
    value = float(values[counts.argmax()])
    there = np.isnan(x) if math.isnan(value) else x == value
    return Item(column, value, value) if there.mean() <= COMMON else None


def _rank(seen: Evidence) -> float:
    """What is looked at first: suspicious ones, then the strongest."""
    return OVER * ALONE(seen) + strength(seen)


def _parts(items: tuple[int, ...]) -> list[tuple[int, ...]]:
    """A pattern of three or more without one of its items: what it is a part of may be the whole."""
    return [(*items[:i], *items[i + 1 :]) for i in range(len(items))] if len(items) > 2 else []


def _chosen(screen: Screen, found: list[Candidate], given: Iterable[tuple[int, ...]]) -> list[Candidate]:
    by_odd = sorted(found, key=lambda one: (-one.odd, one.items))
    by_contra = sorted(found, key=lambda one: (-one.contra, one.items))
    by_lift = sorted((one for one in found if one.contra > 0), key=lambda one: (-one.lift, one.items))
    best = [*distinct(by_odd, screen, CLOSER), *distinct(by_contra, screen, CLOSER)]
    best += distinct(by_lift, screen, CLOSER // 2)
    least = least_rows(len(screen.t))
    best += [Candidate(one, 0.0, 0.0) for one in given if (screen.rows(one) & screen.t).sum() >= least]
    return list({one.items: one for one in best}.values())


def _classes(y: Classes) -> list[int]:
    """The most frequent classes: they are what an attacker would want to be."""
    values, counts = np.unique(y, return_counts=True)
    return sorted(int(values[place]) for place in np.argsort(-counts, kind="stable")[:MAX_CLASSES])


def _sample(n: int, seed: int) -> NDArray[np.intp]:
    if n <= MAX_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MAX_ROWS, replace=False))
