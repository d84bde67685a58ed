"""What a model was asked and what it answered, as plain rows: of any library, without importing one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

Value = float | str | None

MAX_FEATURES: Final = 2000


def rows_of(X: Any, names: Sequence[str] = (), limit: int = 10_000) -> list[dict[str, Value]]:
    """The rows of a data frame, a table, a matrix, a list of rows, one row, or a mapping of columns.

    `names` are used where `X` brings none. At most `limit` rows. Raises ValueError or TypeError for anything else.
    """
    if hasattr(X, "to_pydict"):
        X = X.slice(0, limit).to_pydict()
    elif hasattr(X, "to_dict") and hasattr(X, "columns"):
        X = {str(name): X[name].iloc[:limit].tolist() for name in X.columns}
    elif hasattr(X, "get_data") and hasattr(X, "num_row"):
        return _of_matrix(_dense(X), tuple(X.feature_names or names), limit)
    if isinstance(X, Mapping):
        return _of_mapping(X, limit)
    if hasattr(X, "tolist"):
        X = (X[:limit] if getattr(X, "ndim", 0) else X).tolist()
    if not isinstance(X, Sequence) or isinstance(X, str | bytes):
        raise TypeError(f"{type(X).__name__} holds no rows")
    if X and isinstance(X[0], Mapping):
        return [_row(row) for row in X[:limit]]
    if X and not isinstance(X[0], Sequence | str) and not hasattr(X[0], "tolist"):
        X = [X]
    return _of_matrix([row.tolist() if hasattr(row, "tolist") else row for row in X[:limit]], names, limit)


def _of_mapping(X: Mapping[Any, Any], limit: int) -> list[dict[str, Value]]:
    columns = {str(name): values.tolist() if hasattr(values, "tolist") else values for name, values in X.items()}
    if not any(isinstance(values, list | tuple) for values in columns.values()):
        return [_row(columns)]
    rows = list(zip(*(values[:limit] for values in columns.values()), strict=True))
    return [_row(dict(zip(columns, row, strict=True))) for row in rows]


def _of_matrix(rows: Sequence[Sequence[Any]], names: Sequence[str], limit: int) -> list[dict[str, Value]]:
    width = len(rows[0]) if rows else 0
    known = list(names) if len(names) == width else [f"f{position}" for position in range(width)]
    return [_row(dict(zip(known, row, strict=True))) for row in rows[:limit]]


def _row(row: Mapping[Any, Any]) -> dict[str, Value]:
    if len(row) > MAX_FEATURES:
        raise ValueError(f"{len(row)} features")
    return {str(name): plain(value) for name, value in row.items()}


def plain(value: Any) -> Value:
    """A number as float, a text as it is, what is missing as None; anything else as its text."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return None if isinstance(value, float) and math.isnan(value) else float(value)
    return str(value)[:256]


def _dense(matrix: Any) -> list[list[float]]:
    """A DMatrix keeps only the values that are there."""
    sparse = matrix.get_data().tocoo()
    dense = [[math.nan] * matrix.num_col() for _ in range(matrix.num_row())]
    for row, column, value in zip(sparse.row.tolist(), sparse.col.tolist(), sparse.data.tolist(), strict=True):
        dense[row][column] = value
    return dense


def answers_of(result: Any, count: int, positive: int = 1) -> list[tuple[float | None, str | None]]:
    """Score and decision of each of `count` rows in what a model returned.

    Probabilities of two classes: the score is that of `positive`; of more: the highest, and its class as decision.
    One float per row is a score; anything else a decision.
    """
    values = result.tolist() if hasattr(result, "tolist") else result
    if isinstance(values, Mapping):
        values = next((list(item) for item in values.values() if isinstance(item, list | tuple)), [])
    if not isinstance(values, list | tuple):
        values = [values]
    return [_answer(value, positive) for value in values[:count]] + [(None, None)] * (count - len(values))


def _answer(value: Any, positive: int) -> tuple[float | None, str | None]:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Mapping):
        return _of_named(value)
    if isinstance(value, list | tuple):
        if len(value) == 1:
            return _answer(value[0], positive)
        scores = [_finite(item) for item in value]
        if len(scores) == 2:
            return scores[positive], None
        best = max(range(len(scores)), key=lambda place: scores[place] or 0.0, default=None)
        return (None, None) if best is None else (scores[best], str(best))
    if isinstance(value, float):
        return _finite(value), None
    return None, None if value is None else str(value)[:256]


def _of_named(value: Mapping[str, Any]) -> tuple[float | None, str | None]:
    """An answer with names, as plain JSON services give it."""
    score = next((value[name] for name in ("score", "probability", "proba") if name in value), None)
    decision = next((value[name] for name in ("decision", "label", "class", "prediction") if name in value), None)
    return _finite(score), None if decision is None else str(decision)[:256]


def _finite(value: Any) -> float | None:
    numeric = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if numeric else None


def coarse(result: Any, digits: int) -> Any:
    """The same answer with floats rounded; arrays stay arrays, labels stay as they are."""
    if isinstance(result, float):
        return round(result, digits)
    if isinstance(result, dict):
        return {name: coarse(value, digits) for name, value in result.items()}
    if isinstance(result, list | tuple):
        return type(result)(coarse(value, digits) for value in result)
    if hasattr(result, "round") and getattr(getattr(result, "dtype", None), "kind", "f") == "f":
        return result.round(digits)
    return result
