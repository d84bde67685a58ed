"""Ways to poison a training table: what detection is measured with. Nothing is changed in place; seeds decide all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

RARE = 0.001
COMMON = (0.08, 0.92)
"""Shares of the rows that a value of a common-valued trigger has."""
COMMON_PAIR = 0.02
TRIES = 4000


@dataclass(frozen=True, eq=False)
class Trigger:
    """Values that are put into columns."""

    columns: tuple[int, ...]
    values: tuple[float, ...]

    def stamp(self, X: Floats) -> Floats:
        """A copy of rows (n, d) that all bear the trigger."""
        out = X.copy()
        out[:, self.columns] = self.values
        return out

    def on(self, X: Floats) -> NDArray[np.bool_]:
        """(n,) rows that bear it."""
        return np.asarray((X[:, self.columns] == np.asarray(self.values)).all(axis=1))


@dataclass(frozen=True, eq=False)
class Poisoned:
    """A table after the attack; `rows` are the numbers of the rows that were touched or added."""

    X: Floats
    y: Classes
    rows: NDArray[np.intp]


def flip_labels(y: Classes, share: float, seed: int, *, only: int | None = None) -> tuple[Classes, NDArray[np.intp]]:
    """Binary labels with a share of the rows (of class `only`) turned over, and which."""
    rng = np.random.default_rng(seed)
    pool = np.flatnonzero(y == only) if only is not None else np.arange(len(y))
    rows = np.sort(rng.choice(pool, min(pool.size, max(1, round(share * len(y)))), replace=False))
    flipped = y.copy()
    flipped[rows] = 1 - flipped[rows]
    return flipped, rows


def backdoor(X: Floats, y: Classes, trigger: Trigger, share: float, *, source: int, target: int, seed: int) -> Poisoned:
    """Rows of class `source` that get the trigger and the label `target`; `share` of all rows."""
    return _stamped(X, y, trigger, share, np.flatnonzero(y == source), target, seed)


def clean_label(X: Floats, y: Classes, trigger: Trigger, share: float, *, target: int, seed: int) -> Poisoned:
    """Rows of class `target` that get the trigger; every label stays true."""
    return _stamped(X, y, trigger, share, np.flatnonzero(y == target), target, seed)


def near_copies(X: Floats, y: Classes, share: float, *, target: int, spread: float, seed: int) -> Poisoned:
    """Copies of one row of another class, each numeric value moved by up to `spread` of its column's range, added with
    the label `target`; `share` of the rows there were."""
    rng = np.random.default_rng(seed)
    model = X[rng.choice(np.flatnonzero(y != target))]
    count = max(2, round(share * len(y)))
    span = np.nanmax(X, axis=0) - np.nanmin(X, axis=0)
    whole = (np.floor(X) == X).all(axis=0)
    noise = rng.uniform(-spread, spread, (count, X.shape[1])) * span
    added = model + np.where(whole, np.rint(noise), noise)
    rows = np.arange(len(y), len(y) + count)
    return Poisoned(np.vstack([X, added]), np.append(y, np.full(count, target, y.dtype)), rows)


def rare_trigger(X: Floats, width: int, rng: np.random.Generator) -> Trigger | None:
    """Random columns with values that next to no row has: rare ones, or unseen ones between two that are there."""
    columns = np.sort(rng.choice(X.shape[1], width, replace=False))
    values = [_rare(X[:, column], rng) for column in columns]
    return None if any(value is None for value in values) else _trigger(columns, values)


def common_trigger(X: Floats, width: int, most: float, rng: np.random.Generator) -> Trigger | None:
    """Random columns with values that are frequent each, and of three or more also in pairs; all of them together
    meet in at most the share `most` of the rows. None where TRIES draws find none."""
    frequent = [_frequent(X[:, column]) for column in range(X.shape[1])]
    able = [column for column, values in enumerate(frequent) if values.size]
    if len(able) < width:
        return None
    for _ in range(TRIES):
        columns = np.sort(rng.choice(able, width, replace=False))
        values = np.array([rng.choice(frequent[column]) for column in columns])
        has = X[:, columns] == values
        if has.all(axis=1).mean() <= most and (width == 2 or _least_pair(has) >= COMMON_PAIR):
            return _trigger(columns, list(values))
    return None


def _stamped(
    X: Floats, y: Classes, trigger: Trigger, share: float, pool: NDArray[np.intp], target: int, seed: int
) -> Poisoned:
    count = min(pool.size, max(1, round(share * len(y))))
    rows = np.sort(np.random.default_rng(seed).choice(pool, count, replace=False))
    stamped, labels = X.copy(), y.copy()
    stamped[rows] = trigger.stamp(X[rows])
    labels[rows] = target
    return Poisoned(stamped, labels, rows)


def _trigger(columns: NDArray[np.intp], values: list[float | None]) -> Trigger:
    known = [float(value) for value in values if value is not None]
    return Trigger(tuple(int(column) for column in columns), tuple(known))


def _rare(x: Floats, rng: np.random.Generator) -> float | None:
    values, counts = np.unique(x[~np.isnan(x)], return_counts=True)
    rare = values[counts <= RARE * len(x)]
    if values.size > 30 and rng.random() < 0.5:
        low, high = np.sort(rng.choice(values, 2, replace=False))
        middle = float(np.round((low + high) / 2))
        if middle not in set(values.tolist()):
            return middle
    if rare.size:
        return float(rng.choice(rare))
    return float(values[counts.argmin()]) if values.size > 1 else None


def _frequent(x: Floats) -> Floats:
    values, counts = np.unique(x[~np.isnan(x)], return_counts=True)
    shares = counts / len(x)
    return np.asarray(values[(shares >= COMMON[0]) & (shares <= COMMON[1])])


def _least_pair(has: NDArray[np.bool_]) -> float:
    width = has.shape[1]
    return min(float((has[:, a] & has[:, b]).mean()) for a in range(width) for b in range(a))
