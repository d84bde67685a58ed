"""A table of named columns in memory: immutable, typed, and identified by what it says, not by how it was stored."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.documents import suggest
from holdfast.core.domain import digest
from holdfast.core.errors import DataError

Column = NDArray[Any]

MAX_EXACT_INT = 2**53
"""Integers up to here are the same number in float64, which every model library computes with."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length, by name, in order.

    A column is float64 (NaN = missing), int64, bool, or an object array of `str | None`. Arrays are read-only.
    """

    columns: Mapping[str, Column]
    n_rows: int
    _digests: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Table:
        """Make a table of arrays or lists. Raises DataError on unequal lengths, foreign types, huge integers."""
        typed = {str(name): _typed(str(name), values) for name, values in columns.items()}
        lengths = {len(values) for values in typed.values()}
        if len(lengths) > 1:
            raise DataError(
                "the columns do not fit together",
                cause=f"they have {', '.join(str(n) for n in sorted(lengths))} rows",
                fix="give every column the same number of rows",
                code="HF-DAT-010",
            )
        return cls(MappingProxyType(typed), lengths.pop() if lengths else 0)

    @classmethod
    def read(cls, path: Path, *, columns: Sequence[str] | None = None, drop: Iterable[str] = ()) -> Table:
        """Read a Parquet, Arrow or CSV file; only `columns` if given, never those in `drop` (which may hold anything).

        Raises DataError: HF-DAT-001 to -009 (see the error pages).
        """
        from holdfast.core.data.files import read_columns

        return cls.of(read_columns(path, columns, frozenset(drop)))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def __getitem__(self, name: str) -> Column:
        """The column `name`. Raises DataError HF-DAT-006 with the nearest name."""
        if name not in self.columns:
            raise unknown_column(name, self.names, "the table")
        return self.columns[name]

    def take(self, indexes: Sequence[int] | NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Table:
        """The rows at `indexes` (or where a boolean mask is true), in that order."""
        rows = np.asarray(indexes) if len(indexes) else np.empty(0, np.int64)
        taken = {name: _frozen(values[rows]) for name, values in self.columns.items()}
        return Table(MappingProxyType(taken), int(rows.sum()) if rows.dtype == np.bool_ else len(rows))

    def select(self, names: Iterable[str]) -> Table:
        """Only the columns `names`, in that order."""
        return self._with(tuple(names))

    def drop(self, names: Iterable[str]) -> Table:
        """Without the columns `names`; a name that is not there is fine."""
        dropped = frozenset(names)
        return self._with(tuple(name for name in self.columns if name not in dropped))

    def sample(self, n: int, seed: int) -> Table:
        """`n` rows drawn without replacement, in their old order; all of them where there are fewer."""
        if n >= self.n_rows:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(self.n_rows, n, replace=False)))

    def digest(self) -> str:
        """Identity of the content: names, order and values; the same from CSV, Parquet or memory."""
        return digest(["table/1", self.n_rows, [[name, self.column_digest(name)] for name in self.columns]])

    def column_digest(self, name: str) -> str:
        """Identity of one column's values: 1 is 1.0, -0.0 is 0.0, any NaN is the same NaN; True is not 1."""
        if name not in self._digests:
            self._digests[name] = _column_digest(self[name])
        return self._digests[name]

    def _with(self, names: tuple[str, ...]) -> Table:
        chosen = MappingProxyType({name: self[name] for name in names})
        return Table(chosen, self.n_rows, {name: self._digests[name] for name in names if name in self._digests})


def unknown_column(name: str, known: Iterable[str], where: str) -> DataError:
    """The error for a column that is not there."""
    names = list(known)
    return DataError(
        f"there is no column '{name}' in {where}",
        cause=f"it has {len(names)} columns: {', '.join(names[:8])}{', …' if len(names) > 8 else ''}",
        fix=suggest(name, names),
        code="HF-DAT-006",
    )


def huge_integer(name: str, where: str = "") -> DataError:
    """The error for integers that float64, and so every model library, would round."""
    return DataError(
        f"column '{name}'{where} holds integers too large to keep exactly",
        cause=f"a value lies beyond ±2^53 = {MAX_EXACT_INT:,}; as a number it would be rounded",
        fix="store identifiers as text, or list the column under `drop:` in holdfast.yaml",
        code="HF-DAT-008",
    )


def unsupported(name: str, what: str) -> DataError:
    """The error for a column that is neither numbers, truth values nor text."""
    return DataError(
        f"column '{name}' cannot be used",
        cause=f"it holds {what}; Holdfast reads numbers, booleans, dates, categories and text",
        fix="convert the column to one of these, or list it under `drop:` in holdfast.yaml",
        code="HF-DAT-009",
    )


def _typed(name: str, values: Any) -> Column:
    """Bring an array to one of the four column types, without ever changing a value."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise unsupported(name, f"an array of {array.ndim} dimensions")
    if array.dtype.kind in "iu":
        if array.size and (int(array.max()) > MAX_EXACT_INT or int(array.min()) < -MAX_EXACT_INT):
            raise huge_integer(name)
        return _frozen(array.astype(np.int64))
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        return _frozen(array.astype(np.float64))
    if array.dtype.kind == "b":
        return _frozen(array.copy())
    if array.dtype.kind == "U":
        return _frozen(array.astype(object))
    if array.dtype.kind == "O":
        return _frozen(_texts(name, array))
    raise unsupported(name, f"values of type {array.dtype}")


def _texts(name: str, array: Column) -> Column:
    """Text with None for missing; pandas' NaN among text means missing too."""
    if not all(type(value) is str or value is None for value in array):
        array = np.array([None if _is_nan(value) else value for value in array], dtype=object)
        for value in array:
            if not isinstance(value, str | None):
                raise unsupported(name, f"values of type {type(value).__name__} among text")
    return array.copy()


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _frozen(array: Column) -> Column:
    array.setflags(write=False)
    return array


def _column_digest(values: Column) -> str:
    """Numbers are hashed as float64, whole or not: CSV writes 20000.0 as 20000, and both mean the same."""
    kind = {"O": "text", "b": "bool"}.get(values.dtype.kind, "number")
    state = hashlib.sha256(f"column/1 {kind} {len(values)}\n".encode())
    if kind == "text":
        for start in range(0, len(values), 65536):
            state.update(b"".join(_framed(text) for text in values[start : start + 65536]))
    elif kind == "number":
        numbers = values.astype(np.float64)
        state.update(np.where(np.isnan(numbers), np.nan, numbers + 0.0).astype("<f8").tobytes())
    else:
        state.update(values.tobytes())
    return "sha256:" + state.hexdigest()


def _framed(text: str | None) -> bytes:
    """A value with its length in front, so that no two columns run together into the same bytes."""
    if text is None:
        return b"\xff\xff\xff\xff"
    encoded = text.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(4, "little") + encoded
