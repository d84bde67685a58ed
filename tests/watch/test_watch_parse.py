"""Hostile bytes: whatever comes, it becomes events or a refusal, within bounds."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import happenings
from holdfast.core.data.ipcguard import MalformedError, claims
from holdfast.core.errors import DataError
from holdfast.watch.events import RefusedError, check, split
from holdfast.watch.parse import parser, read_arrow, read_json, read_ndjson, unpack
from holdfast.watch.schema import conform, feature_columns
from holdfast.watch.settings import WatchSettings

SETTINGS = WatchSettings()
SMALL = WatchSettings(max_rows=10, max_features=3, max_unpacked_bytes=4096)


def lines(*rows: Any) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def accepted(table: pa.Table) -> pa.Table:
    conforming = conform(table)
    check(conforming, SETTINGS, happenings.NOON)
    return conforming


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_a_stream_gives_its_events_compressed_or_not(compression: str | None) -> None:
    sent = happenings.events(range(300))
    assert accepted(read_arrow(happenings.stream(sent, compression), SETTINGS)).equals(sent)


def test_three_forms_of_the_same_events_are_the_same() -> None:
    sent = happenings.events(range(3))
    rows = [happenings.row(n) for n in range(3)]
    assert accepted(read_ndjson(lines(*rows) + b"\n\n", SETTINGS)).equals(sent)
    assert accepted(read_json(json.dumps(rows[1]).encode(), SETTINGS)).equals(sent.slice(1, 1))


def test_features_that_differ_from_line_to_line_are_missing_where_they_are_not() -> None:
    rows = [happenings.row(0, features={"a": 1}), happenings.row(1, features={"b": "x", "a": None})]
    columns = feature_columns(accepted(read_ndjson(lines(*rows, happenings.row(2, features={})), SETTINGS)))
    assert {name: column.to_pylist() for name, column in columns.items()} == {
        "a": [1.0, None, None],
        "b": [None, "x", None],
    }


@pytest.mark.parametrize(
    ("line", "row", "column", "word"),
    [
        (b"null", 1, "event", "object"),
        (b"[" * 100_000, 1, "event", ""),
        (b'{"features":' * 100_000, 1, "event", ""),
        (lines(happenings.row(1, score="high")), 1, "event", "score"),
        (lines(happenings.row(1, nonsense=1)), 1, "event", "nonsense"),
        (lines(happenings.row(1, time="2026-01-05T12:00:00")), 1, "event", "time"),
        (lines(happenings.row(1, sequence=2**70)), 1, "", ""),
        (lines(happenings.row(1, features={"amount": "much"})), 1, "features.amount", "number"),
        (lines(happenings.row(1, features={"amount": [1]})), 1, "event", "features"),
        (b'{"event_id": "\xff"}', 1, "event", ""),
        (lines(happenings.row(1)).replace(b'"c"', b'"\\ud800"'), 1, "", ""),
    ],
)
def test_a_line_that_is_no_event_is_named(line: bytes, row: int, column: str, word: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_ndjson(lines(happenings.row(0)) + b"\n" + line + b"\n" + lines(happenings.row(2)), SETTINGS)
    fault = caught.value.rows[0]
    assert fault.row == row
    assert column in fault.column
    assert word in fault.reason


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"event_id": ""}, "event_id"),
        ({"event_id": "x" * 129}, "event_id"),
        ({"client": ""}, "client"),
        ({"client": "x" * 257}, "client"),
        ({"model": "a\x1b[2J"}, "model"),
        ({"producer": "a\0"}, "producer"),
        ({"sequence": -1}, "sequence"),
        ({"epoch": 2**53}, "epoch"),
        ({"time": "1999-01-05T12:00:00Z"}, "time"),
        ({"time": "2026-01-05T12:06:00Z"}, "time"),
        ({"decision": "x" * 257}, "decision"),
        ({"features": {"kind": "x" * 257}}, "features.kind"),
    ],
)
def test_a_value_beyond_its_bounds_is_named(changes: dict[str, Any], column: str) -> None:
    with pytest.raises(RefusedError) as caught:
        accepted(read_ndjson(lines(happenings.row(0), happenings.row(1, **changes)), SETTINGS))
    assert [(fault.row, fault.column) for fault in caught.value.rows] == [(1, column)]


def test_scores_that_are_no_numbers_are_named() -> None:
    with pytest.raises(RefusedError) as caught:
        accepted(happenings.events(range(3), score=[0.5, float("inf"), float("nan")]))
    assert [(fault.row, fault.column) for fault in caught.value.rows] == [(1, "score"), (2, "score")]


@pytest.mark.parametrize("read", [read_arrow, read_ndjson])
def test_too_many_rows_features_and_bytes_are_refused(read: Any) -> None:
    def said(count: int, features: int) -> bytes:
        rows = [happenings.row(n, features={f"f{f}": 1.0 for f in range(features)}) for n in range(count)]
        return lines(*rows) if read is read_ndjson else happenings.stream(conform(read_ndjson(lines(*rows), SETTINGS)))

    read(said(10, 3), WatchSettings(max_rows=10, max_features=3))
    for body in (said(30, 3), said(2, 400)):
        with pytest.raises(RefusedError) as caught:
            accepted_small(read(body, SMALL))
        assert caught.value.code == "HF-WAT-003"


def accepted_small(table: pa.Table) -> None:
    check(table, SMALL, happenings.NOON)


def test_a_buffer_that_claims_gigabytes_is_refused_before_it_is_unpacked() -> None:
    body = bytearray(happenings.stream(happenings.events(range(2000)), "zstd"))
    first = body.index(b"\x28\xb5\x2f\xfd") - 8
    body[first : first + 8] = struct.pack("<q", 1 << 40)
    with pytest.raises(RefusedError) as caught:
        read_arrow(bytes(body), SETTINGS)
    assert caught.value.code == "HF-WAT-003"


def test_a_dictionary_that_expands_is_refused() -> None:
    table = happenings.events(range(1000))
    long = pa.array(["x" * 100_000] * 1000).dictionary_encode()
    bomb = table.set_column(table.schema.get_field_index("client"), "client", long)
    with pytest.raises(RefusedError) as caught:
        check(read_arrow(happenings.stream(bomb), SETTINGS), SETTINGS, happenings.NOON)
    assert caught.value.code == "HF-WAT-003"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bodies_unpack_up_to_a_ratio(encoding: str) -> None:
    plain = lines(*(happenings.row(n) for n in range(100)))
    packed = pa.Codec(encoding).compress(plain, asbytes=True)
    assert unpack(packed, encoding, SETTINGS) == plain
    with pytest.raises(RefusedError) as caught:
        unpack(pa.Codec(encoding).compress(b"0" * 30_000_000, asbytes=True), encoding, SETTINGS)
    assert caught.value.code == "HF-WAT-003"
    with pytest.raises(DataError) as broken:
        unpack(b"not " + packed, encoding, SETTINGS)
    assert broken.value.code == "HF-WAT-004"


REFUSALS = (None, "HF-WAT-001", "HF-WAT-002", "HF-WAT-003", "HF-WAT-004")


def refusal(work: Callable[[], object]) -> str | None:
    """The code of the refusal; None where there was none. Any other exception is a fault."""
    try:
        work()
    except DataError as fault:
        return fault.code
    return None


WHOLE = happenings.stream(happenings.events(range(40)), "zstd"), happenings.stream(happenings.events(range(40)))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(WHOLE))
def test_a_damaged_stream_is_events_or_a_refusal(seed: int, whole: bytes) -> None:
    chance = random.Random(seed)
    body = bytearray(whole[: chance.randrange(len(whole) + 1)] if chance.random() < 0.3 else whole)
    for _ in range(chance.randrange(1, 6) if body else 0):
        body[chance.randrange(len(body))] = chance.randrange(256)
    assert refusal(lambda: accepted(read_arrow(bytes(body), SETTINGS))) in REFUSALS


@given(st.binary(max_size=300))
def test_any_bytes_are_claims_or_malformed(data: bytes) -> None:
    try:
        said = claims(data)
    except MalformedError:
        return
    assert said.rows >= 0


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(["event_id", "time", "model", "client", "features", "producer", "epoch", "sequence", "score"]),
)
def test_any_json_value_anywhere_is_an_event_or_a_refusal(value: Any, name: str) -> None:
    body = lines(happenings.row(0), happenings.row(1, **{name: value}))
    assert refusal(lambda: accepted(read_ndjson(body, SETTINGS))) in REFUSALS


def test_a_batch_is_split_by_model_with_the_features_each_uses() -> None:
    rows = [
        happenings.row(0, model="a", features={"x": 1}),
        happenings.row(1, model="b", features={"y": "v"}),
        happenings.row(2, model="a", features={"x": 2}),
    ]
    first, second = split(accepted(read_ndjson(lines(*rows), SETTINGS)))
    assert (first.model, first.events["event_id"].to_pylist()) == ("a", ["e0", "e2"])
    assert list(feature_columns(first.events)) == ["x"]
    assert (second.model, list(feature_columns(second.events))) == ("b", ["y"])


def test_media_types_are_known_by_name_alone() -> None:
    assert parser("Application/JSON; charset=utf-8") is read_json
    assert parser("text/plain") is None
