"""What training data shows of each column by itself: type, bounds, categories, missing values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.matrix import MAX_EXACT, Floats, unusable
from holdfast.core.contract.mining.words import CODE_WORDS, words
from holdfast.core.contract.schema import MAX_TEXT
from holdfast.core.contract.syntax import show_name

MAX_TEXT_CATEGORIES = 200
MAX_CODES = 30
MIN_CODE_SHARE = 0.01
MAX_GAPPED_CODES = 10


@dataclass(frozen=True, eq=False)
class Column:
    """One column: `values` (n,) as the contract would encode them, `distinct` the present ones, sorted."""

    name: str
    type: str
    values: Floats
    distinct: Floats
    counts: NDArray[np.int64]
    texts: tuple[str, ...] = ()

    @cached_property
    def missing(self) -> int:
        return int(np.isnan(self.values).sum())

    @property
    def constant(self) -> bool:
        return len(self.distinct) <= 1

    @property
    def integral(self) -> bool:
        return self.type == "integer"

    @property
    def bit(self) -> bool:
        """0 or 1 in every row."""
        return self.integral and not self.missing and self.distinct.tolist() == [0.0, 1.0]

    @property
    def fraction(self) -> bool:
        """A share: between 0 and 1 and not whole."""
        return self.type == "number" and bool(self.distinct[0] >= 0 and self.distinct[-1] <= 1)

    @property
    def sign(self) -> str:
        """The name as rules write it."""
        return show_name(self.name)

    def share(self, value: float) -> float:
        """The share of rows that hold exactly `value`."""
        at = np.searchsorted(self.distinct, value)
        found = at < len(self.distinct) and self.distinct[at] == value
        return float(self.counts[at]) / len(self.values) if found else 0.0


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns that can be features, in order, and why the others cannot."""

    found: tuple[Column, ...]
    omitted: Mapping[str, str]

    @cached_property
    def n_rows(self) -> int:
        return len(self.found[0].values) if self.found else 0

    @cached_property
    def matrix(self) -> Floats:
        """All columns side by side (n, d)."""
        return np.column_stack([column.values for column in self.found])


def read_columns(columns: Mapping[str, NDArray[Any]], skip: Iterable[str]) -> Columns:
    """Profile every column but `skip`. Raises ContractError (HF-CON-010) on infinite values."""
    skipped = set(skip)
    found: list[Column] = []
    omitted: dict[str, str] = {}
    for name, values in columns.items():
        if name not in skipped:
            column = _read(name, np.asarray(values))
            if isinstance(column, Column):
                found.append(column)
            else:
                omitted[name] = column
    return Columns(tuple(found), omitted)


def _read(name: str, values: NDArray[Any]) -> Column | str:
    """The column, or why it cannot be a feature."""
    if values.dtype.kind in "iu" and len(values) and (values.max() > MAX_EXACT or values.min() < -MAX_EXACT):
        return "its integers are beyond 2**53: an identifier"
    if values.dtype.kind in "biuf":
        return _numeric(name, values.astype(np.float64))
    if values.dtype.kind not in "OUT":
        return f"its type {values.dtype} is neither number nor text: derive numbers from it"
    present = [value for value in values.tolist() if value is not None and value == value]  # noqa: PLR0124
    if all(isinstance(value, str) for value in present):
        return _text(name, values, present) if present else "it has no values"
    if all(isinstance(value, int | float) and abs(value) <= MAX_EXACT for value in present):
        numbers = [np.nan if value is None else value for value in values.tolist()]
        return _numeric(name, np.array(numbers, dtype=np.float64))
    return "it mixes texts, numbers or other things"


def _text(name: str, values: NDArray[Any], present: list[str]) -> Column | str:
    texts = tuple(sorted(set(present)))
    if len(texts) > MAX_TEXT_CATEGORIES or len(texts) > max(2, len(present) / 2):
        return f"it holds {len(texts):,} different texts: an identifier or free text"
    if max(map(len, texts)) > MAX_TEXT:
        return f"it holds texts of more than {MAX_TEXT} characters"
    codes = {text: float(code) for code, text in enumerate(texts)}
    encoded = np.array([codes.get(value, np.nan) for value in values.tolist()], dtype=np.float64)
    return _column(name, "category", encoded, texts)


def _numeric(name: str, values: Floats) -> Column | str:
    if np.isinf(values).any():
        raise unusable(name, "it holds infinite values", "store a missing value instead")
    present = values[~np.isnan(values)]
    if not present.size:
        return "it has no values"
    integral = bool((present == np.rint(present)).all()) and np.abs(present).max() <= MAX_EXACT
    column = _column(name, "integer" if integral else "number", values)
    return _column(name, "category", values) if _is_code(column) else column


def _column(name: str, kind: str, values: Floats, texts: tuple[str, ...] = ()) -> Column:
    distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return Column(name, kind, values, distinct, counts.astype(np.int64), texts)


def _is_code(column: Column) -> bool:
    """Whether the integers of a column name things: its name says so, or few, frequent values lie far apart."""
    if not column.integral or not 2 <= len(column.distinct) <= MAX_CODES or column.bit or column.distinct[0] < 0:
        return False
    if words(column.name) & CODE_WORDS:
        return True
    gaps = bool((np.diff(column.distinct) > 1).any())
    frequent = bool((column.counts >= MIN_CODE_SHARE * len(column.values)).all())
    return gaps and frequent and len(column.distinct) <= MAX_GAPPED_CODES and int(column.counts.min()) >= 20
