"""A table as the numbers that detectors count in, and the single values ("items") that patterns are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FAR = 1e150
"""Infinite and larger values stand here: learners refuse infinities, and midpoints of larger numbers overflow."""
EXACT = 32
"""Most frequent values of a column that are items of their own."""
BINS = 8
MAX_ITEMS = 1000
MIN_SHARE = 0.002
MIN_COUNT = 4
MAX_SHARE = 0.98
"""A value that nearly every row has tells nothing."""


@dataclass(frozen=True, slots=True)
class Item:
    """A column's value, or the values from `low` to `high`; NaN stands for missing."""

    column: int
    low: float
    high: float

    @property
    def exact(self) -> bool:
        """Whether it is one value."""
        return self.low == self.high or self.low != self.low

    def holds(self, X: Floats) -> Bools:
        """(n,) rows of `X` (n, d) that have it."""
        x = X[:, self.column]
        return np.isnan(x) if self.low != self.low else (x >= self.low) & (x <= self.high)


@dataclass(frozen=True, eq=False)
class Cells:
    """`X` (n, d): numbers as they are, text as the place of its value in `texts`, missing as NaN."""

    names: tuple[str, ...]
    X: Floats
    texts: tuple[tuple[str, ...] | None, ...]

    @classmethod
    def of(cls, columns: Mapping[str, NDArray[Any]]) -> Cells:
        """Columns as `Table` holds them: numbers, bools, or objects of `str | None`."""
        made = [_column(values) for values in columns.values()]
        n = len(made[0][0]) if made else 0
        X = np.column_stack([numbers for numbers, _ in made]) if made else np.empty((n, 0))
        return cls(tuple(columns), np.clip(X, -FAR, FAR), tuple(texts for _, texts in made))

    @property
    def n_rows(self) -> int:
        return len(self.X)

    def take(self, rows: NDArray[Any]) -> Cells:
        """Only these rows."""
        return Cells(self.names, self.X[rows], self.texts)

    def say(self, item: Item) -> str:
        """The item in words: `PAY_0 = 2`, `AGE = 25..31`, `job missing`."""
        name, texts = self.names[item.column], self.texts[item.column]
        if item.low != item.low:
            return f"{name} missing"
        if texts is not None:
            return f"{name} = {texts[int(item.low)]}"
        return f"{name} = {item.low:.12g}" if item.exact else f"{name} = {item.low:.12g}..{item.high:.12g}"


def items_of(cells: Cells) -> tuple[Item, ...]:
    """Frequent single values of every column, and for columns of many values their quantile bins; at most MAX_ITEMS.

    Of too many the most frequent are kept, so that the work is bounded whatever the table.
    """
    found = [pair for column in range(cells.X.shape[1]) for pair in _items(cells, column)]
    found.sort(key=lambda pair: (-pair[1], pair[0].column, pair[0].low))
    return tuple(item for item, _ in found[:MAX_ITEMS])


def membership(cells: Cells, items: tuple[Item, ...]) -> Bools:
    """(n, number of items) which rows have which item."""
    if not items:
        return np.zeros((cells.n_rows, 0), np.bool_)
    return np.stack([item.holds(cells.X) for item in items], axis=1)


def least_rows(n: int) -> float:
    """Fewest rows of a pattern that counts."""
    return max(MIN_COUNT, MIN_SHARE * n)


def coarse(cells: Cells, bins: int = 12) -> NDArray[np.int16]:
    """(n, d) place of each value among the column's quantiles; missing values have a place of their own."""
    codes = np.zeros(cells.X.shape, np.int16)
    for column in range(cells.X.shape[1]):
        x = cells.X[:, column]
        there = x[~np.isnan(x)]
        if there.size:
            cuts = np.unique(np.quantile(there, np.arange(1, bins) / bins, method="inverted_cdf"))
            codes[:, column] = np.where(np.isnan(x), cuts.size + 1, np.searchsorted(cuts, x, side="left"))
    return codes


def _items(cells: Cells, column: int) -> Iterator[tuple[Item, int]]:
    x = cells.X[:, column]
    there = x[~np.isnan(x)]
    values, counts = np.unique(there, return_counts=True)
    least, most = least_rows(len(x)), MAX_SHARE * len(x)
    for place in np.argsort(-counts, kind="stable")[:EXACT]:
        if least <= counts[place] <= most:
            yield Item(column, float(values[place]), float(values[place])), int(counts[place])
    if least <= len(x) - there.size <= most:
        yield Item(column, np.nan, np.nan), len(x) - there.size
    if values.size > EXACT and cells.texts[column] is None:
        yield from _bins(column, there, values, least)


def _bins(column: int, there: Floats, values: Floats, least: float) -> Iterator[tuple[Item, int]]:
    cuts = np.unique(np.quantile(there, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    for low, high in zip(np.append(-np.inf, cuts), np.append(cuts, np.inf), strict=True):
        inside = values[(values > low) & (values <= high)]
        count = int(((there > low) & (there <= high)).sum())
        if inside.size > 1 and count >= least:
            yield Item(column, float(inside[0]), float(inside[-1])), count


def _column(values: NDArray[Any]) -> tuple[Floats, tuple[str, ...] | None]:
    if values.dtype != object:
        return values.astype(np.float64), None
    texts = sorted({str(value) for value in values if value is not None})
    place = {text: number for number, text in enumerate(texts)}
    return np.array([np.nan if value is None else place[str(value)] for value in values], np.float64), tuple(texts)
