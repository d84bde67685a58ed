"""Preprocessing steps of a fitted pipeline as plain data: what lies between raw columns and the estimator.

`core.formats` reads them out of an artifact, `core.contract` compiles them into a FeatureMap.
A column is named by its position in the step's input. NaN is written as `float("nan")`, strings stay strings.
"""

from __future__ import annotations

from dataclasses import dataclass

Category = float | str


@dataclass(frozen=True, slots=True)
class Scale:
    """z = (x - offset) / factor, in float64, per column (StandardScaler, MinMaxScaler, RobustScaler, MaxAbsScaler)."""

    offset: tuple[float, ...]
    factor: tuple[float, ...]
    multiply: bool = False
    """True where the library computes x * factor + offset instead (MinMaxScaler)."""


@dataclass(frozen=True, slots=True)
class Impute:
    """NaN becomes the column's statistic; columns in `indicators` also add a 0/1 column at the end."""

    statistics: tuple[Category, ...]
    indicators: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class OneHot:
    """One 0/1 column per category, in order; `dropped` category per column (or None) gives no column."""

    categories: tuple[tuple[Category, ...], ...]
    dropped: tuple[int | None, ...] = ()
    unknown: str = "error"


@dataclass(frozen=True, slots=True)
class Ordinal:
    """The position of the category, as a float; `unknown_value` where the category was not seen."""

    categories: tuple[tuple[Category, ...], ...]
    unknown_value: float | None = None
    missing_value: float | None = None


@dataclass(frozen=True, slots=True)
class Passthrough:
    """The column as it is."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A step we cannot describe; the model behind it can only be tested as a black box."""

    name: str


@dataclass(frozen=True, slots=True)
class Branch:
    """Part of a column transformer: these input columns go through these steps."""

    columns: tuple[int | str, ...]
    steps: tuple[Transform, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """A column transformer: the outputs of its branches side by side, in order."""

    branches: tuple[Branch, ...]


Transform = Scale | Impute | OneHot | Ordinal | Passthrough | Opaque | Columns
