"""What a table looks like, column by column, in a form small enough to keep and to compare later tables with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.table import Column, Table

MAX_LEVELS = 256
"""A column with at most this many distinct values is kept value by value."""
MAX_TOP = 10
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)

Value = float | bool | str


class Kind(StrEnum):
    """What the values of a column are."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column. Statistics are over the values present, and None where there are none or they are text.

    `missing` is a share of the rows. `levels` are all distinct values with their counts, most frequent first; empty
    where there are more than MAX_LEVELS. `points` and `below` are the distribution function of numbers: `below[i]` is
    the share of values <= `points[i]`; every value is a point where levels are kept, else the percentiles are.
    """

    name: str
    kind: Kind
    n: int
    missing: float
    distinct: int
    top: tuple[tuple[Value, int], ...]
    levels: tuple[tuple[Value, int], ...]
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: tuple[tuple[float, float], ...] = ()
    infinite: int = 0
    points: tuple[float, ...] = ()
    below: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """A table's columns, in order."""

    n_rows: int
    columns: tuple[ColumnProfile, ...]

    @property
    def constant(self) -> tuple[str, ...]:
        """Columns that say nothing: one value, or none, in every row."""
        return tuple(column.name for column in self.columns if column.distinct + (column.missing > 0) <= 1)


def profile(table: Table) -> Profile:
    """Describe every column of `table`."""
    return Profile(table.n_rows, tuple(_column(name, values) for name, values in table.columns.items()))


def present(values: Column) -> Column:
    """The values that are not missing."""
    if values.dtype.kind not in "fO":
        return values
    text = values.dtype == object
    missing = np.array([value is None for value in values], dtype=bool) if text else np.isnan(values)
    there: Column = values[~missing]
    return there


def counts(values: Column) -> tuple[Column, NDArray[np.intp]]:
    """Distinct values, sorted, and how often each occurs. `values` has no missing ones."""
    found = np.unique(values, return_counts=True)
    return found[0], found[1]


def _column(name: str, values: Column) -> ColumnProfile:
    there = present(values)
    distinct, occurs = counts(there)
    levels = _levels(distinct, occurs, MAX_LEVELS) if len(distinct) <= MAX_LEVELS else ()
    missing = 1 - len(there) / len(values) if len(values) else 0.0
    base = ColumnProfile(
        name, _kind(there), len(values), missing, len(distinct), _levels(distinct, occurs, MAX_TOP), levels
    )
    return base if there.dtype == object or not len(there) else _with_numbers(base, there, distinct, occurs)


def _with_numbers(base: ColumnProfile, there: Column, distinct: Column, occurs: NDArray[np.intp]) -> ColumnProfile:
    numbers = there.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    if base.levels:
        points, below = distinct.astype(np.float64), np.cumsum(occurs) / len(numbers)
    else:
        points = np.unique(np.quantile(numbers, np.linspace(0, 1, 101), method="inverted_cdf"))
        below = np.searchsorted(np.sort(numbers), points, side="right") / len(numbers)
    return ColumnProfile(
        *(base.name, base.kind, base.n, base.missing, base.distinct, base.top, base.levels),
        min=float(numbers.min()),
        max=float(numbers.max()),
        mean=float(finite.mean()) if len(finite) else None,
        std=float(finite.std()) if len(finite) else None,
        quantiles=tuple(zip(QUANTILES, np.quantile(numbers, QUANTILES, method="inverted_cdf").tolist(), strict=True)),
        infinite=len(numbers) - len(finite),
        points=tuple(points.tolist()),
        below=tuple(below.tolist()),
    )


def _kind(there: Column) -> Kind:
    if not len(there):
        return Kind.EMPTY
    if there.dtype == object:
        return Kind.TEXT
    if there.dtype == bool:
        return Kind.BOOLEAN
    whole = there.dtype.kind == "i" or bool(np.isfinite(there).all() and (there == np.floor(there)).all())
    return Kind.INTEGER if whole else Kind.NUMBER


def _levels(distinct: Column, occurs: NDArray[np.intp], most: int) -> tuple[tuple[Value, int], ...]:
    """The most frequent values with their counts; ties in the order of the values."""
    order = np.argsort(-occurs, kind="stable")[:most]
    values = distinct[order].tolist()
    return tuple(zip(values, occurs[order].tolist(), strict=True))
