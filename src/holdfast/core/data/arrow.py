"""Arrow columns as numpy columns: which type becomes which, and what is refused instead of being changed.

| Arrow                                   | here                                                        |
|-----------------------------------------|-------------------------------------------------------------|
| int8 … int64, uint8 … uint64            | int64; float64 with NaN where there are nulls               |
| float16, float32, float64               | float64                                                     |
| decimal                                 | float64; refused beyond 2^53 units of the last place        |
| bool                                    | bool; float64 0/1 with NaN where there are nulls            |
| date                                    | int64 days since 1970-01-01                                 |
| timestamp, time, duration               | int64 microseconds (timestamps since 1970-01-01 UTC)        |
| string, categories of strings           | `str`, None where null                                      |
| null (a column without any value)       | float64, all NaN                                            |
| binary, list, struct, map, …            | refused: HF-DAT-009                                         |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.data.table import MAX_EXACT_INT, Column, huge_integer, unsupported
from holdfast.core.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def to_numpy(name: str, column: pa.ChunkedArray) -> Column:
    """One column. Raises DataError HF-DAT-007 (not UTF-8), -008 (huge integer), -009 (no such type here)."""
    import pyarrow as pa

    types = pa.types
    kind = column.type
    if types.is_dictionary(kind):
        return _categories(name, column)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return _categories(name, column.cast(pa.large_string()).dictionary_encode())
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if types.is_boolean(kind):
        return _numbers(column if column.null_count == 0 else column.cast(pa.uint8()))
    if types.is_integer(kind):
        return _integers(name, column)
    if types.is_floating(kind):
        return _numbers(column.cast(pa.float64()))
    if types.is_decimal(kind):
        return _decimals(name, column)
    if types.is_temporal(kind):
        return _moments(name, column)
    if types.is_binary(kind) or types.is_large_binary(kind):
        raise DataError(
            f"column '{name}' is not UTF-8 text",
            cause="it holds bytes that are no UTF-8 text",
            fix="save the file as UTF-8, or list the column under `drop:` in holdfast.yaml",
            code="HF-DAT-007",
        )
    raise unsupported(name, f"values of type {kind}")


def _categories(name: str, column: pa.ChunkedArray) -> Column:
    """Text or numbers behind a dictionary; each distinct text becomes one object however often it is used."""
    import pyarrow as pa

    whole = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.unify_dictionaries().combine_chunks()
    values = to_numpy_of_categories(name, whole.dictionary)
    if values.dtype != object:
        return to_numpy(name, pa.chunked_array([whole.dictionary_decode()]))
    codes = whole.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    texts: Column = np.append(values, np.array([None], dtype=object))[codes]
    return texts


def to_numpy_of_categories(name: str, dictionary: pa.Array) -> Column:
    """The distinct values of a dictionary column."""
    import pyarrow as pa

    if pa.types.is_string(dictionary.type) or pa.types.is_large_string(dictionary.type):
        try:
            texts = dictionary.to_pylist()
        except UnicodeDecodeError as fault:
            raise DataError(
                f"column '{name}' is not UTF-8 text",
                cause=str(fault),
                fix="save the file as UTF-8",
                code="HF-DAT-007",
            ) from None
        return np.array([*texts, None], dtype=object)[:-1]
    return to_numpy(name, pa.chunked_array([dictionary]))


def _integers(name: str, column: pa.ChunkedArray) -> Column:
    import pyarrow as pa
    import pyarrow.compute as pc

    span = pc.min_max(column).as_py()
    if span["max"] is not None and (span["max"] > MAX_EXACT_INT or span["min"] < -MAX_EXACT_INT):
        raise huge_integer(name)
    return _numbers(column.cast(pa.int64() if column.null_count == 0 else pa.float64()))


def _decimals(name: str, column: pa.ChunkedArray) -> Column:
    """Up to 2^53 units of the last place the nearest float64 still gives the decimal back."""
    import pyarrow as pa
    import pyarrow.compute as pc

    span: dict[str, Any] = pc.min_max(column).as_py()
    if span["max"] is not None and max(abs(span["max"]), abs(span["min"])).scaleb(column.type.scale) > MAX_EXACT_INT:
        raise huge_integer(name)
    return _numbers(column.cast(pa.float64()))


def _moments(name: str, column: pa.ChunkedArray) -> Column:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_date(kind):
        return _integers(name, column.cast(pa.date32()).cast(pa.int32()))
    try:
        return _integers(name, column.cast(_micros(kind)).cast(pa.int64()))
    except pa.ArrowInvalid:
        raise unsupported(name, f"{kind}, finer or further than int64 microseconds can tell") from None


def _micros(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.time64("us") if pa.types.is_time(kind) else pa.duration("us")


def _numbers(column: pa.ChunkedArray) -> Column:
    """Nulls become NaN; what has none keeps its type."""
    array: Column = column.to_numpy()
    return array if column.null_count == 0 else array.astype(np.float64)
