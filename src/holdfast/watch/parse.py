"""Bytes of a request to a table of events: Arrow IPC streams, NDJSON, one JSON object. All of it is hostile.

JSON goes through msgspec with a typed decoder: as fast as pyarrow.json when columns are wanted, and strict; a line
`null` crashes the process in pyarrow.json 26 (docs/adr/0107).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
import pyarrow as pa
from pyarrow import ipc

from holdfast.core.data.ipcguard import Claims, MalformedError, claims
from holdfast.core.errors import DataError
from holdfast.watch.events import SHOWN, RefusedError, RowFault, check_size, refused
from holdfast.watch.schema import MOMENT, NUMBER, OPTIONAL, REQUIRED, TEXT, check_form
from holdfast.watch.settings import WatchSettings

ARROW: Final = "application/vnd.apache.arrow.stream"
NDJSON: Final = "application/x-ndjson"
JSON: Final = "application/json"
MAX_MESSAGES: Final = 10_000
PIECE_BYTES: Final = 1 << 20

Value = float | str | bool | None


class Event(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One event as JSON says it. A name that comes twice in an object has its last value."""

    event_id: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    model: str
    client: str
    features: dict[str, Value]
    producer: str
    epoch: int
    sequence: int
    version: str | None = None
    subject: str | None = None
    score: float | None = None
    decision: str | None = None
    request_id: str | None = None
    label: str | None = None


_EVENTS = msgspec.json.Decoder(Event)
MISREAD: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def parser(media: str) -> Callable[[bytes, WatchSettings], pa.Table] | None:
    """The parser for a media type, parameters aside."""
    known = {ARROW: read_arrow, NDJSON: read_ndjson, "application/jsonl": read_ndjson, JSON: read_json}
    return known.get(media.partition(";")[0].strip().lower())


def read_arrow(body: bytes, settings: WatchSettings) -> pa.Table:
    """An Arrow IPC stream. Raises DataError (HF-WAT-001, -004), RefusedError (HF-WAT-003)."""
    try:
        _check_claims(claims(body), settings)
        reader = ipc.open_stream(pa.BufferReader(body))
        check_form(reader.schema)
        table = reader.read_all()
        table.validate(full=True)
    except (MalformedError, pa.ArrowException, OSError, UnicodeDecodeError) as fault:
        raise _unreadable("no Arrow IPC stream", fault) from None
    return table


def _check_claims(said: Claims, settings: WatchSettings) -> None:
    if said.unpacked > settings.max_unpacked_bytes:
        raise too_large(f"{said.unpacked:,} bytes when unpacked; the limit is {settings.max_unpacked_bytes:,}")
    if said.rows > settings.max_rows or said.messages > MAX_MESSAGES:
        raise too_large(f"{said.rows:,} events in {said.messages:,} messages; the limit is {settings.max_rows:,}")


def read_json(body: bytes, settings: WatchSettings) -> pa.Table:
    """One event as a JSON object. Raises as `read_ndjson`."""
    try:
        event = _EVENTS.decode(body)
    except MISREAD as fault:
        raise refused([RowFault(0, "event", _reason(fault))]) from None
    return _table([event], settings)


def read_ndjson(body: bytes, settings: WatchSettings) -> pa.Table:
    """One JSON object per line. Raises RefusedError (HF-WAT-002) with the first rows, or for size (HF-WAT-003)."""
    lines = body.count(b"\n") + 1
    if lines > 2 * settings.max_rows + 2:
        raise too_large(f"{lines:,} lines; the limit is {settings.max_rows:,} events")
    try:
        events = _EVENTS.decode_lines(body)
    except MISREAD:
        raise refused(_faults(body)) from None
    return _table(events, settings)


def _faults(body: bytes) -> list[RowFault]:
    """The first lines that are no events. Lines are counted without the blank ones."""
    found: list[RowFault] = []
    rows = (line for line in body.split(b"\n") if line.strip())
    for row, line in enumerate(rows):
        try:
            _EVENTS.decode(line)
        except MISREAD as fault:
            found.append(RowFault(row, "event", _reason(fault)))
            if len(found) == SHOWN:
                break
    return found or [RowFault(0, "event", "an object that spans lines")]


def _table(events: Sequence[Event], settings: WatchSettings) -> pa.Table:
    names: dict[str, None] = {}
    for event in events:
        if event.features.keys() - names.keys():
            names.update(dict.fromkeys(event.features))
        if len(names) > settings.max_features:
            raise too_large(f"more than {settings.max_features:,} features")
    if 8 * len(events) * (len(names) + 14) > settings.max_unpacked_bytes:
        raise too_large(f"{len(events):,} events of {len(names):,} features")
    columns = {name: _column(name, events, kind) for name, kind in {**REQUIRED, **OPTIONAL}.items()}
    struct = _struct([event.features for event in events], names)
    table = pa.table({**columns, "features": struct})
    check_size(table, settings)
    return table


def _column(name: str, events: Sequence[Event], kind: pa.DataType) -> pa.Array:
    values = [getattr(event, name) for event in events]
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, UnicodeEncodeError, OverflowError) as fault:
        raise refused([_misfit(name, values, kind, fault)]) from None


def _struct(rows: Sequence[dict[str, Value]], names: Iterable[str]) -> pa.Array:
    """The features of all rows: at once where each is of one kind, else column by column."""
    firsts = {name: next((row[name] for row in rows if row.get(name) is not None), None) for name in names}
    kinds = {name: TEXT if isinstance(first, str) else NUMBER for name, first in firsts.items()}
    if not any(isinstance(first, bool) for first in firsts.values()):
        with suppress(pa.ArrowException, UnicodeEncodeError, OverflowError):
            return pa.array(rows, pa.struct(list(kinds.items())))
    columns = [_feature(name, rows) for name in kinds]
    return pa.StructArray.from_arrays(columns, names=list(kinds))


def _feature(name: str, rows: Sequence[dict[str, Value]]) -> pa.Array:
    """One feature: text where its first value is text, else numbers."""
    values = [row.get(name) for row in rows]
    first = next((value for value in values if value is not None), None)
    kind = TEXT if isinstance(first, str) else NUMBER
    try:
        if kind == NUMBER:
            values = [float(value) if isinstance(value, bool) else value for value in values]
        return pa.array(values, kind)
    except (pa.ArrowException, UnicodeEncodeError, OverflowError) as fault:
        raise refused([_misfit(f"features.{name[:200]}", values, kind, fault)]) from None


def _misfit(name: str, values: Sequence[Any], kind: pa.DataType, fault: Exception) -> RowFault:
    """The first value that is not of its column's kind."""
    for row, value in enumerate(values):
        try:
            pa.array([value], kind)
        except (pa.ArrowException, UnicodeEncodeError, OverflowError):
            wanted = {TEXT: "text", NUMBER: "a number", MOMENT: "a moment"}.get(kind, "a whole number")
            return RowFault(row, name, f"not {wanted} as in the rows before")
    return RowFault(0, name, str(fault).splitlines()[0][:200])


def unpack(body: bytes, encoding: str, settings: WatchSettings) -> bytes:
    """A body without its Content-Encoding (gzip or zstd). Raises DataError (HF-WAT-004), RefusedError (HF-WAT-003)."""
    limit = min(settings.max_unpacked_bytes, int(max(len(body), 1024) * settings.max_ratio))
    pieces: list[bytes] = []
    total = 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), encoding) as stream:
            while piece := stream.read(PIECE_BYTES):
                total += len(piece)
                if total > limit:
                    raise too_large(f"more than {limit:,} bytes when unpacked")
                pieces.append(piece)
    except (pa.ArrowException, OSError) as fault:
        raise _unreadable(f"not {encoding}", fault) from None
    return b"".join(pieces)


def too_large(cause: str) -> RefusedError:
    """The refusal of what is beyond a limit."""
    return RefusedError(
        "the request is too large",
        cause=cause,
        fix="send smaller batches, or raise the limit on the server (HOLDFAST_WATCH_MAX_*)",
        code="HF-WAT-003",
    )


def _unreadable(what: str, fault: Exception) -> DataError:
    lines = str(fault).splitlines()
    return DataError(
        f"the request is {what}",
        cause=(lines[0] if lines else type(fault).__name__)[:200],
        fix="look at what the client sends; docs/watch.md shows each form",
        code="HF-WAT-004",
    )


def _reason(fault: BaseException) -> str:
    return "nested too deeply" if isinstance(fault, RecursionError) else str(fault)[:200]
