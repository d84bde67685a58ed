"""A table's rows as leaves of a Merkle tree: one canonical encoding, whatever file the rows came from.

A row is its cells in column order, each of fixed width by the column's kind: a number is its float64 (little-endian,
one zero, one NaN), a truth value one byte, text the SHA-256 of its UTF-8 bytes, missing text 32 zero bytes. With fixed
widths there is one way to cut a row into cells, and whole columns are laid out at once. The leaf is SHA-256 of a zero
byte and the row (RFC 6962), so that rows are proven with the same trees as ledger entries.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.merkle import HASH_BYTES
from holdfast.core.data.table import Column, Table

BLOCK_ROWS: Final = 16_384
"""Rows laid out at a time: what sealing needs beyond the table itself."""
WIDTHS: Final = {"number": 8, "bool": 1, "text": HASH_BYTES}
MISSING_TEXT: Final = bytes(HASH_BYTES)
MAX_FLOAT: Final = 2**1023
_NUMBERS: Final[Mapping[Any, float]] = {None: math.nan, "+inf": math.inf, "-inf": -math.inf}

Bytes = NDArray[np.uint8]


def kind_of(values: Column) -> str:
    """`number`, `bool` or `text`: what two files must agree on for their values to be the same."""
    return {"O": "text", "b": "bool"}.get(values.dtype.kind, "number")


def leaves_of(table: Table) -> bytes:
    """The leaf hashes of all rows, 32 bytes each, in order."""
    texts = {name: _text_cells(values) for name, values in table.columns.items() if kind_of(values) == "text"}
    found: list[bytes] = []
    for start in range(0, table.n_rows, BLOCK_ROWS):
        found.extend(_block(table, texts, start, min(start + BLOCK_ROWS, table.n_rows)))
    return b"".join(found)


def leaf_of(kinds: Sequence[str], values: Sequence[Any]) -> bytes:
    """The leaf of one row given as plain values. Raises ValueError where a value is not of its column's kind."""
    cells = b"".join(_cell(kind, value) for kind, value in zip(kinds, values, strict=True))
    return hashlib.sha256(b"\0" + cells).digest()


def row_of(table: Table, index: int) -> dict[str, Any]:
    """One row as plain values: what `leaf_of` takes, and JSON can say."""
    return {name: _plain(values[index]) for name, values in table.columns.items()}


def _block(table: Table, texts: Mapping[str, Bytes], start: int, stop: int) -> Iterator[bytes]:
    cells = [_cells(name, values, texts, start, stop) for name, values in table.columns.items()]
    first = np.zeros((stop - start, 1), np.uint8)
    laid = np.hstack([first, *cells])
    width, whole = laid.shape[1], memoryview(laid.tobytes())
    return (hashlib.sha256(whole[at : at + width]).digest() for at in range(0, len(whole), width))


def _cells(name: str, values: Column, texts: Mapping[str, Bytes], start: int, stop: int) -> Bytes:
    if name in texts:
        return texts[name][start:stop]
    part = values[start:stop]
    if part.dtype == np.bool_:
        return part.astype(np.uint8)[:, None]
    return canonical_numbers(part).view(np.uint8).reshape(-1, 8)


def canonical_numbers(values: Column) -> NDArray[np.float64]:
    """(n,) little-endian float64 with one zero and one NaN, so that equal numbers are equal bytes."""
    numbers = values.astype("<f8")
    found: NDArray[np.float64] = np.where(np.isnan(numbers), np.nan, numbers + 0.0).astype("<f8")
    return found


def _text_cells(values: Column) -> Bytes:
    """(n, 32); each distinct text is hashed once."""
    codes: dict[str | None, int] = {}
    places = np.fromiter((codes.setdefault(text, len(codes)) for text in values), np.int64, len(values))
    hashed = b"".join(_text(text) for text in codes)
    distinct = np.frombuffer(hashed, np.uint8).reshape(-1, HASH_BYTES)
    return distinct[places] if len(values) else np.empty((0, HASH_BYTES), np.uint8)


def _text(text: str | None) -> bytes:
    return MISSING_TEXT if text is None else hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _cell(kind: str, value: Any) -> bytes:
    if kind == "text" and (value is None or isinstance(value, str)):
        return _text(value)
    if kind == "bool" and isinstance(value, bool):
        return bytes([value])
    if kind == "number" and _is_number(value):
        return canonical_numbers(np.array([_NUMBERS.get(value, value)], np.float64)).tobytes()
    raise ValueError(f"{str(value)[:80]!r} is no {kind}")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str | None):
        return False
    return value in _NUMBERS or (isinstance(value, int | float) and abs(value) < MAX_FLOAT)


def _plain(value: Any) -> Any:
    """A cell for JSON, which has no word for missing numbers and infinities."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not math.isfinite(plain):
        return None if math.isnan(plain) else f"{plain:+}"
    return plain
