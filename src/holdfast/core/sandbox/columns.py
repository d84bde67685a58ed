"""Columns on their way to a sandboxed process: numbers as they lie in memory, text as codes into its values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from holdfast.core.data.table import Column, Table
from holdfast.core.sandbox.faults import sandbox_error

MAX_BYTES = 2 * 2**30


def encode_columns(table: Table) -> tuple[list[dict[str, Any]], list[bytes]]:
    """How each column is laid out, and the blobs, in order (a text column has two)."""
    described, blobs = [], []
    for name, values in table.columns.items():
        text = values.dtype == object
        parts = _text(values) if text else [np.ascontiguousarray(values).tobytes()]
        described.append({"name": name, "text": text, "type": "<i4" if text else values.dtype.str})
        blobs += parts
    size = sum(len(blob) for blob in blobs)
    if size > MAX_BYTES:
        raise sandbox_error(
            "request",
            "there are too many rows to score at once",
            f"they take {size:,} bytes; the limit is {MAX_BYTES:,}",
            "score them in parts",
        )
    return described, blobs


def _text(values: Column) -> list[bytes]:
    codes: dict[str, int] = {}
    coded = [-1 if value is None else codes.setdefault(value, len(codes)) for value in values]
    return [np.array(coded, dtype="<i4").tobytes(), json.dumps(list(codes)).encode()]
