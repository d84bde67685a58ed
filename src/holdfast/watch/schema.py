"""Version 1 of a batch of events: one pyarrow schema for the wire, for segments and for detectors.

An event is one answer of one model. `features` is a struct of the contract's names: float64 for numbers, string for
categories, null for what is missing (NaN becomes null). Readers take a column that is absent from a struct as missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from holdfast.core.documents import suggest
from holdfast.core.errors import DataError

SCHEMA_VERSION: Final = 1
VERSION_KEY: Final = b"holdfast.events"

TEXT: Final = pa.string()
NUMBER: Final = pa.float64()
COUNT: Final = pa.int64()
MOMENT: Final = pa.timestamp("us", tz="UTC")

REQUIRED: Final[Mapping[str, pa.DataType]] = {
    "event_id": TEXT,
    "time": MOMENT,
    "model": TEXT,
    "client": TEXT,
    "producer": TEXT,
    "epoch": COUNT,
    "sequence": COUNT,
}
OPTIONAL: Final[Mapping[str, pa.DataType]] = {
    "version": TEXT,
    "subject": TEXT,
    "score": NUMBER,
    "decision": TEXT,
    "request_id": TEXT,
    "label": TEXT,
}
ORDER: Final = (
    "event_id",
    "time",
    "model",
    "version",
    "client",
    "subject",
    "features",
    "score",
    "decision",
    "request_id",
    "label",
    "producer",
    "epoch",
    "sequence",
)


def event_schema(features: Mapping[str, pa.DataType]) -> pa.Schema:
    """The schema of events whose features have these names and types (`NUMBER` or `TEXT`)."""
    fields = [_field(name, features) for name in ORDER]
    return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION)})


def _field(name: str, features: Mapping[str, pa.DataType]) -> pa.Field:
    if name == "features":
        return pa.field(name, pa.struct([pa.field(key, kind) for key, kind in features.items()]), nullable=False)
    if name in REQUIRED:
        return pa.field(name, REQUIRED[name], nullable=False)
    return pa.field(name, OPTIONAL[name])


def feature_types(schema: pa.Schema) -> dict[str, pa.DataType]:
    """The names and types of the features of an event schema."""
    struct = schema.field("features").type
    return {struct.field(position).name: struct.field(position).type for position in range(struct.num_fields)}


def feature_columns(table: pa.Table) -> dict[str, pa.Array]:
    """The features of conforming events as flat columns, by name."""
    struct = table["features"].combine_chunks()
    if isinstance(struct, pa.ChunkedArray):
        struct = pa.concat_arrays(struct.chunks) if struct.num_chunks else pa.array([], struct.type)
    names = [struct.type.field(position).name for position in range(struct.type.num_fields)]
    return dict(zip(names, struct.flatten(), strict=True))


def make_events(columns: Mapping[str, Any], features: Mapping[str, Any]) -> pa.Table:
    """Conforming events out of columns (arrays or lists of equal length). Raises DataError (HF-WAT-001)."""
    flat = {name: pa.array(values) for name, values in features.items()}
    rows = len(next(iter(columns.values())))
    struct = pa.StructArray.from_arrays(list(flat.values()), names=list(flat)) if flat else _empty_structs(rows)
    return conform(pa.table({**{name: _column(name, values) for name, values in columns.items()}, "features": struct}))


def _column(name: str, values: Any) -> pa.Array:
    kind = REQUIRED.get(name, OPTIONAL.get(name))
    return values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, kind)


def _empty_structs(rows: int) -> pa.Array:
    return pa.array([{}] * rows, pa.struct([]))


def conform(table: pa.Table) -> pa.Table:
    """`table` in exactly the agreed form: columns in order, types cast where nothing is lost, one chunk.

    Raises DataError (HF-WAT-001) for unknown, missing or doubled columns and for types that mean something else.
    Values are not looked at beyond what a cast must see; `events.check` does that.
    """
    check_form(table.schema)
    rows = table.num_rows
    features = _features(table)
    types = {name: column.type for name, column in features.items()}
    struct = pa.StructArray.from_arrays(list(features.values()), names=list(features)) if features else None
    columns = {
        name: _cast(name, table[name], REQUIRED.get(name, OPTIONAL.get(name)))
        if name in table.schema.names
        else pa.nulls(rows, OPTIONAL[name])
        for name in ORDER
        if name != "features"
    }
    columns["features"] = _empty_structs(rows) if struct is None else struct
    return pa.table([columns[name] for name in ORDER], schema=event_schema(types))


def check_form(schema: pa.Schema) -> None:
    """Raises DataError (HF-WAT-001) where a schema cannot be cast to events; looks at no values."""
    said = (schema.metadata or {}).get(VERSION_KEY)
    if said is not None and said != str(SCHEMA_VERSION).encode():
        raise _wrong(f"events of schema version {said.decode('utf-8', 'replace')[:20]}", "this reader knows version 1")
    for name in schema.names:
        if name not in ORDER:
            raise _wrong(f"there is a column {name[:100]!r}", suggest(name[:100], ORDER))
        if schema.names.count(name) > 1:
            raise _wrong(f"the column {name!r} is there twice", "send each column once")
    for name in (*REQUIRED, "features"):
        if name not in schema.names:
            raise _wrong(f"the column {name!r} is missing", f"send {', '.join((*REQUIRED, 'features'))}")
    for field in schema:
        _check_type(field)


def _check_type(field: pa.Field) -> None:
    name, kind = field.name, field.type
    if name == "features":
        if not pa.types.is_struct(kind):
            raise _wrong(f"'features' is {str(kind)[:100]}", "send a struct of the contract's names")
        names = [kind.field(position).name for position in range(kind.num_fields)]
        if len(set(names)) < len(names):
            raise _wrong("'features' names a feature twice", "send each feature once")
        for position in range(kind.num_fields):
            if _feature_type(kind.field(position).type) is None:
                feature = kind.field(position)
                raise _wrong(
                    f"the feature {feature.name[:100]!r} is {str(feature.type)[:100]}", "send numbers, booleans or text"
                )
        return
    wanted = REQUIRED.get(name, OPTIONAL.get(name))
    if not _casts(kind, wanted):
        raise _wrong(f"{name!r} is {str(kind)[:100]}", f"send it as {wanted}")


def _casts(kind: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_null(kind):
        return True
    if wanted == TEXT:
        return _is_text(kind)
    if wanted == MOMENT:
        return bool(pa.types.is_timestamp(kind) and kind.tz is not None)
    if wanted == COUNT:
        return bool(pa.types.is_integer(kind))
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(values) or pa.types.is_large_string(values))


def _feature_type(kind: pa.DataType) -> pa.DataType | None:
    if _is_text(kind):
        return TEXT
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return NUMBER if numeric or pa.types.is_null(kind) else None


def _features(table: pa.Table) -> dict[str, pa.Array]:
    if table["features"].null_count:
        raise _wrong("'features' is null somewhere", "send a struct for each event; a missing feature is null inside")
    flat = feature_columns(table)
    return {name: _missing(_cast(name, column, _feature_type(column.type))) for name, column in flat.items()}


def _missing(column: pa.Array) -> pa.Array:
    """NaN says missing in most libraries; here null does."""
    if column.type != NUMBER:
        return column
    # One NaN makes the sum NaN (so do infinities of both signs); most columns have neither.
    total = pc.sum(column).as_py()
    if total is None or not math.isnan(total):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, NUMBER), column)


def _cast(name: str, column: Any, kind: Any) -> pa.Array:
    single = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(single, pa.ChunkedArray):
        single = pa.concat_arrays(single.chunks) if single.num_chunks else pa.array([], single.type)
    if single.type == kind:
        return single
    try:
        # Moments finer than a microsecond are cut; every other loss is refused.
        return single.cast(kind, safe=kind != MOMENT)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as fault:
        raise _wrong(f"{name[:100]!r} cannot be read as {kind}", str(fault).splitlines()[0][:200]) from None


def _wrong(cause: str, fix: str) -> DataError:
    return DataError("these are no events as agreed", cause=cause, fix=fix, code="HF-WAT-001")
