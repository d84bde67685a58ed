"""What makes an event acceptable: checked column by column, answered row by row, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from holdfast.core.errors import DataError
from holdfast.watch.schema import ORDER, TEXT, feature_columns
from holdfast.watch.settings import WatchSettings

SHOWN = 20
"""Rows that a refusal names; the count of all is said beside them."""
MAX_COUNT = 2**53 - 1
"""The highest epoch and sequence: what every JSON reader holds exactly."""
MAX_PRODUCERS = 1000
"""Producers and epochs in one request."""
ID_BYTES = 128
NAME_BYTES = 200
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
MAX_WORD_BYTES = 4096
"""Bytes of a text in a dictionary, before it is known what column it is for."""
_CONTROL = r"[\x00-\x1f\x7f]"


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why one row (from 0) was not accepted."""

    row: int
    column: str
    reason: str


class RefusedError(DataError):
    """Events that cannot be accepted as they are; nothing of the request was kept. `rows` names the first ones."""

    def __init__(self, message: str, *, cause: str, fix: str, code: str, rows: Sequence[RowFault] = ()) -> None:
        super().__init__(message, cause=cause, fix=fix, code=code)
        self.rows = tuple(rows)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.message, self.cause, self.fix, self.code, self.rows))


def _rebuild(message: str, cause: str, fix: str, code: str, rows: tuple[RowFault, ...]) -> RefusedError:
    return RefusedError(message, cause=cause, fix=fix, code=code, rows=rows)


def check(events: pa.Table, settings: WatchSettings, now: datetime) -> None:
    """Raises RefusedError (HF-WAT-002) naming the first rows that break a bound. `events` conforms to the schema."""
    check_size(events, settings)
    found = [*_texts(events, settings), *_numbers(events), *_times(events, settings, now)]
    if found:
        raise refused(found)


def check_size(events: pa.Table, settings: WatchSettings) -> None:
    """Raises RefusedError (HF-WAT-003) for what would be too large once cast; looks at little, before any cast."""
    if events.num_rows > settings.max_rows:
        raise _too_large(f"{events.num_rows:,} events in one request; the limit is {settings.max_rows:,}")
    if "features" in events.schema.names:
        kind = events.schema.field("features").type
        if pa.types.is_struct(kind) and kind.num_fields > settings.max_features:
            raise _too_large(f"{kind.num_fields:,} features; the limit is {settings.max_features:,}")
    cells = events.num_rows * (len(ORDER) + len(_flat(events.schema)))
    if 8 * cells > settings.max_unpacked_bytes:
        raise _too_large(f"{cells:,} values; the limit is {settings.max_unpacked_bytes // 8:,}")
    for name, column in _columns(events):
        if any(_longest(chunk) > MAX_WORD_BYTES for chunk in column.chunks if isinstance(chunk, pa.DictionaryArray)):
            raise _too_large(f"a category of {name[:NAME_BYTES]!r} is longer than {MAX_WORD_BYTES:,} bytes")


def _flat(schema: pa.Schema) -> list[str]:
    """The names of the features, where there are any."""
    kind = schema.field("features").type if "features" in schema.names else None
    return (
        [kind.field(position).name for position in range(kind.num_fields)]
        if kind is not None and pa.types.is_struct(kind)
        else []
    )


def _columns(events: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    for name in dict.fromkeys(events.schema.names):
        for position in events.schema.get_all_field_indices(name):
            column = events.column(position)
            if not pa.types.is_struct(column.type):
                yield name, column
                continue
            for child in range(column.type.num_fields):
                chunks = [chunk.field(child) for chunk in column.chunks]
                yield column.type.field(child).name, pa.chunked_array(chunks, column.type.field(child).type)


def _longest(column: pa.DictionaryArray) -> int:
    """Expanded, a dictionary writes its longest text as often as there are rows."""
    words = column.dictionary
    return (pc.max(pc.binary_length(words)).as_py() or 0) if pa.types.is_string(words.type) else 0


def refused(found: Sequence[RowFault]) -> RefusedError:
    """The refusal that names these rows."""
    rows = sorted(found, key=lambda fault: fault.row)[:SHOWN]
    first = rows[0]
    return RefusedError(
        "some events cannot be accepted, so none was",
        cause=f"row {first.row}, {first.column}: {first.reason}",
        fix="correct the rows named and send the whole request again; events already kept are not doubled",
        code="HF-WAT-002",
        rows=rows,
    )


def _too_large(cause: str) -> RefusedError:
    return RefusedError(
        "the request is too large", cause=cause, fix="send smaller batches, or raise the limit", code="HF-WAT-003"
    )


def _texts(events: pa.Table, settings: WatchSettings) -> Iterator[RowFault]:
    limits = {"event_id": ID_BYTES, "model": NAME_BYTES, "producer": NAME_BYTES}
    for name in ORDER:
        if name == "features" or events.schema.field(name).type != TEXT:
            continue
        limit = limits.get(name, settings.max_text_bytes)
        yield from _text(name, events[name], limit, needed=not events.schema.field(name).nullable)
    for name in ("model", "producer"):
        yield from _plain(name, events[name])
    for name, column in feature_columns(events).items():
        if column.type == TEXT:
            yield from _text(f"features.{name}", column, settings.max_text_bytes, needed=False)


def _text(name: str, column: Any, limit: int, *, needed: bool) -> Iterator[RowFault]:
    lengths = pc.binary_length(column)
    if (pc.max(lengths).as_py() or 0) > limit:
        yield from _faults(pc.greater(lengths, limit), name, f"longer than {limit} bytes")
    if needed:
        if column.null_count:
            yield from _faults(pc.is_null(column), name, "missing")
        if pc.min(lengths).as_py() == 0:
            yield from _faults(pc.equal(lengths, 0), name, "empty")


def _plain(name: str, column: Any) -> Iterator[RowFault]:
    """Names that reach the catalogue and people's terminals hold no control characters."""
    distinct = pc.unique(column).drop_null()
    bad = distinct.filter(pc.match_substring_regex(distinct, _CONTROL))
    if len(bad):
        yield from _faults(pc.is_in(column, value_set=bad), name, "holds control characters")


def _numbers(events: pa.Table) -> Iterator[RowFault]:
    for name in ("epoch", "sequence"):
        column = events[name]
        if column.null_count:
            yield from _faults(pc.is_null(column), name, "missing")
        least, most = pc.min_max(column).as_py().values()
        if least is not None and (least < 0 or most > MAX_COUNT):
            outside = pc.or_kleene(pc.less(column, 0), pc.greater(column, MAX_COUNT))
            yield from _faults(outside, name, f"not in 0 to {MAX_COUNT}")
    finite = pc.is_finite(events["score"])
    if pc.all(finite).as_py() not in (True, None):
        yield from _faults(pc.invert(finite), "score", "not a finite number")


def _times(events: pa.Table, settings: WatchSettings, now: datetime) -> Iterator[RowFault]:
    column = events["time"]
    if column.null_count:
        yield from _faults(pc.is_null(column), "time", "missing")
    latest = pa.scalar(now + timedelta(seconds=settings.skew_s), column.type)
    oldest = pa.scalar(OLDEST, column.type)
    yield from _faults(pc.greater(column, latest), "time", f"more than {settings.skew_s:g} s in the future")
    yield from _faults(pc.less(column, oldest), "time", "before the year 2000")


def _faults(mask: Any, column: str, reason: str) -> Iterator[RowFault]:
    known = pc.fill_null(mask, False)
    for row in pc.indices_nonzero(known).slice(0, SHOWN):
        yield RowFault(row.as_py(), column[:NAME_BYTES], reason)


@dataclass(frozen=True, slots=True)
class Part:
    """The events of one model in a request."""

    model: str
    events: pa.Table


def split(events: pa.Table) -> tuple[Part, ...]:
    """One part per model, in order of first appearance, each with only the features that it uses."""
    models = pc.unique(events["model"]).to_pylist()
    if len(models) == 1:
        return (Part(models[0], events),)
    return tuple(Part(name, _of_model(events, name)) for name in models)


def _of_model(events: pa.Table, name: str) -> pa.Table:
    from holdfast.watch.schema import conform

    own = events.filter(pc.equal(events["model"], name))
    used = {key: column for key, column in feature_columns(own).items() if column.null_count < len(column)}
    struct = (
        pa.StructArray.from_arrays(list(used.values()), names=list(used))
        if used
        else pa.array([{}] * own.num_rows, pa.struct([]))
    )
    return conform(own.set_column(own.schema.get_field_index("features"), "features", struct))
