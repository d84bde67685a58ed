"""What speaks against one pattern: would rows without it have been labelled like that, and whose rows are these?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.poison.counts import signed_root
from holdfast.core.data.poison.forests import CONTRAST, learn
from holdfast.core.data.poison.screen import MAX_WEIGHT

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int16]

MAX_LEARN = 8_000
ERROR = 10.0
"""A model of n rows is wrong by about ERROR / sqrt(n) in log-odds, in the same direction for similar rows."""
TOO_ALIEN = 0.6
SHARED = 0.9
"""A column belongs to a pattern where this share of its rows has one and the same value."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of the rows that have a pattern and class t."""

    contra: float
    """How far the labels contradict a model of all other rows, in standard deviations of labels and of that model."""
    left: float
    """Rows of other classes among those with the pattern, as a share of what that model expects; 0: none is left."""
    believed: float
    """Mean probability that the rows of class t would be of another class."""
    strange: float
    """Distance (mean total variation over the other columns, sampling noise taken off) from rows of other classes:
    0 where these rows could be drawn at random from them."""
    own: float
    """The same from the other rows of class t."""
    lift: float
    """Frequency against what the parts explain; as in `screen`, against the best of all ways to divide the pattern."""

    @property
    def alien(self) -> float:
        """0: the rows look like other classes; 1: like their own class. Labels are not judged above TOO_ALIEN."""
        return alien(self.strange, self.own)


def examine(
    X: Floats, codes: Codes, y: NDArray[np.integer], t: int, has: tuple[Bools, ...], columns: frozenset[int], seed: int
) -> Evidence:
    """Evidence against rows that have all of `has` (each (n,)), a pattern over `columns`, for class `t`."""
    rows = np.logical_and.reduce(has)
    mine = rows & (y == t)
    free = [column for column in range(codes.shape[1]) if column not in columns and not _fixed(codes[mine, column])]
    looks = (_distance(codes, mine, y != t, free), _distance(codes, mine, (y == t) & ~rows, free))
    labels = _contradicted(X, y, t, rows, seed) if alien(*looks) <= TOO_ALIEN else (0.0, 1.0, 0.0)
    return Evidence(*labels, *looks, _lift(has, y == t))


def alien(strange: float, own: float) -> float:
    """0 where rows look like other classes, 1 where they look like their own."""
    strange, own = max(strange, 0.0), max(own, 0.0)
    return strange / max(strange + own, 1e-9)


def _contradicted(X: Floats, y: NDArray[np.integer], t: int, rows: Bools, seed: int) -> tuple[float, float, float]:
    """The first three fields of Evidence."""
    other = _unknowing(X, y, t, rows, seed)
    found = (y[rows] != t).astype(np.float64)
    weight = np.minimum(other / np.maximum(1.0 - other, 1e-9), MAX_WEIGHT)
    noise = float((weight**2 * other * (1.0 - other)).sum())
    error = ERROR / np.sqrt(len(y)) * float((weight * other * (1.0 - other)).sum())
    contra = float((weight * (other - found)).sum()) / float(np.sqrt(noise + error**2 + 1.0))
    left = float((weight * found).sum() / max(float((weight * other).sum()), 1e-9))
    return contra, left, float(other[found == 0].mean()) if (found == 0).any() else 0.0


def _unknowing(X: Floats, y: NDArray[np.integer], t: int, rows: Bools, seed: int) -> Floats:
    """(rows,) P(not t), by a model that has seen none of them."""
    rest = np.flatnonzero(~rows)
    if rest.size > MAX_LEARN:
        rest = np.sort(np.random.default_rng(seed).choice(rest, MAX_LEARN, replace=False))
    return learn(X[rest], (y[rest] != t).astype(np.int64), 2, CONTRAST, seed)(X[rows])[:, 1]


def _fixed(codes: Codes) -> bool:
    return bool(codes.size) and int(np.bincount(codes).max()) >= SHARED * codes.size and int(codes.max()) > 1


def _distance(codes: Codes, mine: Bools, theirs: Bools, columns: list[int]) -> float:
    n, m = int(mine.sum()), int(theirs.sum())
    if not n or not m or not columns:
        return 0.0
    return float(np.mean([_variation(codes[mine, column], codes[theirs, column], n, m) for column in columns]))


def _variation(mine: Codes, theirs: Codes, n: int, m: int) -> float:
    """Total variation distance less what n rows drawn from `theirs` would show."""
    size = 1 + max(int(mine.max()), int(theirs.max()))
    p, q = np.bincount(mine, minlength=size) / n, np.bincount(theirs, minlength=size) / m
    chance = float(np.sqrt(q * (1.0 - q) / n).sum() / np.sqrt(2.0 * np.pi))
    return float(np.abs(p - q).sum() / 2.0 - chance)


def _lift(has: tuple[Bools, ...], t: Bools) -> float:
    """The least lift over all ways to see the pattern as one item joining the others."""
    whole = np.logical_and.reduce(has)
    lifts = []
    for number, item in enumerate(has):
        rest = np.logical_and.reduce([other for place, other in enumerate(has) if place != number])
        expected = _joined(rest & t, item & t, t) * max(1.0, _tied(rest & ~t, item & ~t, whole & ~t, ~t))
        lifts.append(float(signed_root(int((whole & t).sum()), expected)))
    return min(lifts) if lifts else 0.0


def _joined(a: Bools, b: Bools, among: Bools) -> float:
    return float(a.sum()) * float(b.sum()) / max(float(among.sum()), 1.0)


def _tied(a: Bools, b: Bools, both: Bools, among: Bools) -> float:
    """How much more often two items meet in other classes than by chance, drawn towards 1 where there are few."""
    return (float(both.sum()) + 1.0) / (_joined(a, b, among) + 1.0)
