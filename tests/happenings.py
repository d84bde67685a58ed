"""Events for tests of taking them in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from holdfast.watch.schema import make_events

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def events(
    numbers: Iterable[int], *, model: str | Sequence[str] = "m", producer: str = "p", **columns: Any
) -> pa.Table:
    """Events e<n> of one producer; a text column says otherwise."""
    known = list(numbers)
    count = len(known)
    return make_events(
        {
            "event_id": [f"e{n}" for n in known],
            "time": [NOON] * count,
            "model": [model] * count if isinstance(model, str) else list(model),
            "client": ["c"] * count,
            "producer": [producer] * count,
            "epoch": [1] * count,
            "sequence": known,
            **columns,
        },
        {"amount": [float(n) for n in known], "kind": ["x"] * count},
    )


def stream(table: pa.Table, compression: str | None = None) -> bytes:
    """A table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema, options=ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def row(number: int, **changes: Any) -> dict[str, Any]:
    """One event as JSON says it."""
    said = {
        "event_id": f"e{number}",
        "time": "2026-01-05T12:00:00Z",
        "model": "m",
        "client": "c",
        "features": {"amount": float(number), "kind": "x"},
        "producer": "p",
        "epoch": 1,
        "sequence": number,
    }
    return {**said, **changes}
