"""Trigger inversion: which few values, put into rows of another class, make the model decide for class t?

A beam over single values that occur in the training rows: each is stamped on a handful of rows, the model's margins say
how far it moves them, the best are joined with every other value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.poison.cells import Cells, Item

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]
Leaning = Callable[[Floats, int], Floats]
"""(n,) how far the model leans to a class for raw rows (n, d): above 0 it decides for it."""

ROWS = 12
FRONT = 6
WIDTH = 3
MAX_STAMPED = 120_000
"""Rows the model is asked about, for each class: bounds the work."""


@dataclass(frozen=True, slots=True)
class Inverted:
    """Numbers of items, the share of rows that they move to the class, and how far the rows lean to it on average."""

    items: tuple[int, ...]
    flips: float
    leaning: float


def invert(lean: Leaning, cells: Cells, items: tuple[Item, ...], rows: Floats, t: int) -> list[Inverted]:
    """The patterns of up to WIDTH items that move `rows` (m, d) furthest to class t, best first."""
    if not items or not len(rows):
        return []
    values = np.array([typical(cells.X, item) for item in items])
    columns = np.array([item.column for item in items], np.intp)
    rows = rows[:: max(1, len(rows) // ROWS)][:ROWS]
    front = [Inverted((), 0.0, 0.0)]
    found: dict[tuple[int, ...], Inverted] = {}
    turns = min(WIDTH, max(2, MAX_STAMPED // (FRONT * len(items) * len(rows))))
    for _ in range(turns):
        grown = {one.items: one for parent in front for one in _grown(lean, rows, t, parent, columns, values)}
        front = sorted(grown.values(), key=lambda one: (-one.leaning, one.items))[:FRONT]
        found.update({one.items: one for one in front})
    return sorted((one for one in found.values() if len(one.items) > 1), key=lambda one: (-one.flips, one.items))


def superadditive(
    lean: Leaning, cells: Cells, items: tuple[Item, ...], rows: Floats, t: int, given: list[tuple[int, ...]]
) -> list[Inverted]:
    """Of the patterns `given` those that move `rows` (m, d) further to class t than their values do one by one; the
    greatest excess first. Values that work by themselves are no trigger; a trigger is more than its parts."""
    if not given or not len(rows):
        return []
    rows = rows[:: max(1, len(rows) // ROWS)][:ROWS]
    given = given[: MAX_STAMPED // len(rows)]
    single = [(number,) for number in sorted({number for one in given for number in one})]
    leaning = _stamped(lean, cells, items, rows, t, [*single, *given])
    start = float(lean(rows, t).mean())
    gain = {one[0]: float(each.mean()) - start for one, each in zip(single, leaning, strict=False)}
    found = []
    for one, each in zip(given, leaning[len(single) :], strict=True):
        excess = float(each.mean()) - start - sum(max(gain[number], 0.0) for number in one)
        found.append(Inverted(one, float((each > 0).mean()), excess))
    moving = [one for one in found if one.leaning > 0 and one.flips > 0]
    return sorted(moving, key=lambda one: (-one.leaning, one.items))


def _stamped(
    lean: Leaning, cells: Cells, items: tuple[Item, ...], rows: Floats, t: int, given: list[tuple[int, ...]]
) -> Floats:
    """(patterns, rows) how far each row leans to t with each pattern."""
    value = {number: typical(cells.X, items[number]) for number in {number for one in given for number in one}}
    out = np.repeat(rows[None], len(given), axis=0)
    for place, one in enumerate(given):
        for number in one:
            out[place, :, items[number].column] = value[number]
    return lean(out.reshape(-1, rows.shape[1]), t).reshape(len(given), len(rows))


def typical(X: Floats, item: Item) -> float:
    """The value that stands for an item: itself, or the median of a range."""
    return item.low if item.exact else float(np.median(X[item.holds(X), item.column]))


def _grown(
    lean: Leaning, rows: Floats, t: int, parent: Inverted, columns: NDArray[np.intp], values: Floats
) -> Iterator[Inverted]:
    """The best FRONT children of a pattern."""
    taken = list(parent.items)
    base = rows.copy()
    base[:, columns[taken]] = values[taken]
    free = np.flatnonzero(~np.isin(columns, columns[taken]))
    stamped = np.repeat(base[None], free.size, axis=0)
    for place, item in enumerate(free):
        stamped[place, :, columns[item]] = values[item]
    leaning = lean(stamped.reshape(-1, rows.shape[1]), t).reshape(free.size, len(rows))
    means = leaning.mean(axis=1)
    for place in np.argsort(-means, kind="stable")[:FRONT]:
        key = tuple(sorted((*parent.items, int(free[place]))))
        yield Inverted(key, float((leaning[place] > 0).mean()), float(means[place]))
