"""The agreed form of events: what is cast, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest

import happenings
from holdfast.core.errors import DataError
from holdfast.watch.schema import MOMENT, NUMBER, ORDER, TEXT, conform, event_schema, feature_columns, feature_types


def plain(**changes: pa.Array) -> pa.Table:
    table = happenings.events(range(2))
    for name, column in changes.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, column) if at >= 0 else table.append_column(name, column)
    return table


def test_the_schema_says_its_version_and_its_features() -> None:
    schema = event_schema({"amount": NUMBER, "kind": TEXT})
    assert tuple(schema.names) == ORDER
    assert schema.metadata == {b"holdfast.events": b"1"}
    assert feature_types(schema) == {"amount": NUMBER, "kind": TEXT}
    assert happenings.events(range(3)).schema.equals(schema, check_metadata=True)


def test_conforming_twice_changes_nothing() -> None:
    table = happenings.events(range(5)).slice(2)
    assert conform(table).equals(conform(conform(table)))
    assert conform(table)["event_id"].to_pylist() == ["e2", "e3", "e4"]


def test_types_that_mean_the_same_are_cast_and_nan_is_missing() -> None:
    struct = pa.StructArray.from_arrays(
        [pa.array([1, 2], pa.int8()), pa.array([float("nan"), 0.5], pa.float32()), pa.array([True, None])],
        names=["whole", "half", "flag"],
    )
    there = pa.array(["m", "m"]).dictionary_encode()
    table = conform(plain(features=struct, model=there, epoch=pa.array([1, 1], pa.int32())))
    columns = feature_columns(table)
    assert columns["whole"].to_pylist() == [1.0, 2.0]
    assert columns["half"].to_pylist() == [None, 0.5]
    assert columns["flag"].to_pylist() == [1.0, None]
    assert table["model"].to_pylist() == ["m", "m"]


def test_moments_of_any_zone_and_unit_are_utc_microseconds() -> None:
    east = datetime(2026, 1, 5, 14, tzinfo=timezone(timedelta(hours=2)))
    table = conform(plain(time=pa.array([east, east], pa.timestamp("ns", "+02:00"))))
    assert table["time"].type == MOMENT
    assert table["time"][0].as_py().astimezone(UTC) == datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"time": pa.array([0, 0], pa.timestamp("us"))}, "'time'"),
        ({"nonsense": pa.array([1, 2])}, "nonsense"),
        ({"epoch": pa.array([1.5, 2.5])}, "'epoch'"),
        ({"score": pa.array(["1", "2"])}, "'score'"),
        ({"features": pa.array([1, 2])}, "'features'"),
        ({"features": pa.array([{"a": [1]}, {"a": [2]}])}, "'a'"),
        ({"features": pa.array([{"a": 1.0}, None])}, "null"),
        ({"features": pa.array([{"a": 2**60 + 1}, {"a": 1}])}, "'a'"),
    ],
)
def test_what_means_something_else_is_refused(changes: dict[str, pa.Array], said: str) -> None:
    with pytest.raises(DataError) as caught:
        conform(plain(**changes))
    assert caught.value.code == "HF-WAT-001"
    assert said in caught.value.cause


def test_a_missing_a_doubled_and_a_newer_form_are_refused() -> None:
    table = plain()
    with pytest.raises(DataError, match="no events"):
        conform(table.drop_columns(["client"]))
    with pytest.raises(DataError, match="no events"):
        conform(table.append_column("client", pa.array(["c", "c"])))
    with pytest.raises(DataError) as caught:
        conform(table.replace_schema_metadata({b"holdfast.events": b"2"}))
    assert "version" in caught.value.cause
