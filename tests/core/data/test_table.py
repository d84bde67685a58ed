"""Tables say the same whatever file they came from, and refuse what they would have to change."""

from __future__ import annotations

import contextlib
import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.data import files
from holdfast.core.data.table import MAX_EXACT_INT, Table
from holdfast.core.errors import DataError


def parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def code_of(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        Table.read(path, **options)
    assert caught.value.cause
    assert caught.value.fix
    return caught.value.code


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, 2], pa.int8()), np.array([1, 2])),
        (pa.array([1, 2], pa.uint64()), np.array([1, 2])),
        (pa.array([1, None], pa.int32()), np.array([1.0, np.nan])),
        (pa.array([0.5, None], pa.float32()), np.array([0.5, np.nan])),
        (pa.array([True, False]), np.array([True, False])),
        (pa.array([True, None]), np.array([1.0, np.nan])),
        (pa.array(["a", None]), np.array(["a", None], dtype=object)),
        (pa.array(["a", None, "a"]).dictionary_encode(), np.array(["a", None, "a"], dtype=object)),
        (pa.array([7, 8, 7]).dictionary_encode(), np.array([7, 8, 7])),
        (pa.array([Decimal("1.25"), None]), np.array([1.25, np.nan])),
        (pa.array([dt.date(1970, 1, 2), dt.date(1969, 12, 31)]), np.array([1, -1])),
        (pa.array([10**9, None], pa.timestamp("ns")), np.array([1e6, np.nan])),
        (pa.array([3], pa.time32("s")), np.array([3_000_000])),
        (pa.array([3], pa.duration("ms")), np.array([3_000])),
        (pa.array([None, None], pa.null()), np.array([np.nan, np.nan])),
    ],
    ids=str,
)
def test_types(tmp_path: Path, values: pa.Array, expected: np.ndarray) -> None:
    column = Table.read(parquet(tmp_path / "t.parquet", {"c": values}))["c"]
    assert column.dtype == expected.dtype
    assert [None if value != value else value for value in column] == [
        None if value != value else value for value in expected
    ]
    assert not column.flags.writeable


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (pa.array([MAX_EXACT_INT + 1]), "HF-DAT-008"),
        (pa.array([2**64 - 1], pa.uint64()), "HF-DAT-008"),
        (pa.array([-MAX_EXACT_INT - 1, None]), "HF-DAT-008"),
        (pa.array([Decimal("123456789012345678.25")]), "HF-DAT-008"),
        (pa.array([1], pa.timestamp("ns")), "HF-DAT-009"),
        (pa.array([[1, 2]]), "HF-DAT-009"),
        (pa.array([{"a": 1}]), "HF-DAT-009"),
        (pa.array([b"\xff\xfe"]), "HF-DAT-007"),
    ],
    ids=str,
)
def test_what_would_be_changed_is_refused(tmp_path: Path, values: pa.Array, code: str) -> None:
    path = parquet(tmp_path / "t.parquet", {"c": values, "fine": [1] * len(values)})
    assert code_of(path) == code
    assert Table.read(path, drop=["c"]).names == ("fine",)
    assert Table.read(path, columns=["fine"]).names == ("fine",)


def test_the_largest_exact_integers_are_kept(tmp_path: Path) -> None:
    values = [MAX_EXACT_INT, -MAX_EXACT_INT]
    assert Table.read(parquet(tmp_path / "t.parquet", {"c": values}))["c"].tolist() == values


def test_csv_integers_beyond_int64_are_not_rounded(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,x\n12345678901234567890123,1\n1,2\n")
    assert code_of(path) == "HF-DAT-008"
    path.write_text("id,x\n1e30,1\n1.5,2\n")
    assert Table.read(path)["id"].tolist() == [1e30, 1.5]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("absent.parquet", None, "HF-DAT-001"),
        ("empty.csv", b"", "HF-DAT-004"),
        ("header.csv", b"a,b\n", "HF-DAT-004"),
        ("blank.csv", b"\n1,2\n", "HF-DAT-004"),
        ("twice.csv", b"a,b,a\n1,2,3\n", "HF-DAT-005"),
        ("latin.csv", "a,b\nM\xfcller,1\n".encode("latin-1"), "HF-DAT-007"),
        ("latin-header.csv", "M\xfcller,b\n1,2\n".encode("latin-1"), "HF-DAT-007"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n", "HF-DAT-002"),
        ("semicolons.csv", b"a;b\n1;2\n", "HF-DAT-002"),
        ("wrong.parquet", b"not a parquet file", "HF-DAT-002"),
        ("cut.parquet", b"PAR1" + b"\0" * 100, "HF-DAT-002"),
        ("model.bin", b"\x80\x04", "HF-DAT-002"),
        ("nul\0.csv", None, "HF-DAT-001"),
    ],
)
def test_wrong_files(tmp_path: Path, name: str, content: bytes | None, code: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert code_of(path) == code


def test_wrong_columns(tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet", {"income": [1]})
    with pytest.raises(DataError, match="did you mean 'income'"):
        Table.read(path, columns=["incom"])
    assert code_of(path, drop=["income"]) == "HF-DAT-004"
    assert code_of(tmp_path) == "HF-DAT-001"
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "twice.parquet")
    assert code_of(tmp_path / "twice.parquet") == "HF-DAT-005"
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "none.parquet")
    assert code_of(tmp_path / "none.parquet") == "HF-DAT-004"


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 10_000), flip=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_damaged_parquet_file_is_read_or_refused(tmp_path_factory: Any, cut: int, flip: int, value: int) -> None:
    whole = bytearray(_parquet_bytes())
    whole[flip % len(whole)] = value
    path = tmp_path_factory.mktemp("damaged") / "t.parquet"
    path.write_bytes(whole[: cut % (len(whole) + 1)] if cut % 3 else whole)
    with contextlib.suppress(DataError):
        assert Table.read(path).n_rows > 0


def _parquet_bytes() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"x": list(range(50)), "s": [f"v{i % 7}" for i in range(50)]}), sink)
    return bytes(sink.getvalue())


def test_a_small_file_that_unfolds_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(tmp_path / "bomb.parquet", {"x": np.zeros(300_000)}, compression="zstd", use_dictionary=False)
    monkeypatch.setattr(files, "MAX_BYTES", 1_000_000)
    assert path.stat().st_size < 10_000
    assert code_of(path) == "HF-DAT-003"
    monkeypatch.setattr(files, "_claimed_bytes", lambda *_: 0)
    assert code_of(path) == "HF-DAT-003", "a file's own claims are not enough"
    monkeypatch.setattr(files, "MAX_BYTES", 2**30)
    monkeypatch.setattr(files, "MAX_CELLS", 1000)
    assert code_of(path) == "HF-DAT-003"


def test_a_long_text_repeated_is_kept_once(tmp_path: Path) -> None:
    codes = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), ["x" * 1_000_000])
    path = parquet(tmp_path / "t.parquet", {"s": codes}, store_schema=False)
    column = Table.read(path)["s"]
    assert len({id(value) for value in column}) == 1


NUMBERS = st.one_of(st.none(), st.floats(allow_infinity=False, width=64), st.integers(-MAX_EXACT_INT, MAX_EXACT_INT))
TEXTS = st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NUMBERS, TEXTS, st.booleans()), min_size=1, max_size=30))
def test_the_digest_is_of_the_content(tmp_path_factory: Any, rows: list[tuple[Any, ...]]) -> None:
    """Row groups, dictionaries, compression, integer width: none of it is content."""
    folder = tmp_path_factory.mktemp("digest")
    numbers = [None if row[0] is None else float(row[0]) for row in rows]
    columns = {"n": pa.array(numbers, pa.float64()), "t": pa.array([row[1] for row in rows], pa.string())}
    columns["b"] = pa.array([row[2] for row in rows])
    plain = Table.read(parquet(folder / "a.parquet", columns, compression="none", use_dictionary=False))
    other = {**columns, "t": columns["t"].cast(pa.large_string()).dictionary_encode()}
    coded = Table.read(parquet(folder / "b.parquet", other, compression="zstd", row_group_size=3))
    memory = Table.of({name: plain[name].copy() for name in plain.names})
    assert plain.digest() == coded.digest() == memory.digest()


def test_csv_and_parquet_of_the_same_table_agree(tmp_path: Path) -> None:
    table = pa.table({"f": [20000.0, 0.5, None], "i": [1, 2, 3], "s": ["a", None, "c d"], "b": [True, False, True]})
    pq.write_table(table, tmp_path / "t.parquet")
    pa_csv.write_csv(table, tmp_path / "t.csv")
    pd.read_parquet(tmp_path / "t.parquet").to_csv(tmp_path / "pandas.csv", index=False)
    digests = {Table.read(tmp_path / name).digest() for name in ("t.parquet", "t.csv", "pandas.csv")}
    assert len(digests) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"a": [1, 2], "b": ["x", "yz"]},
        {"a": [1, 3], "b": ["x", "y"]},
        {"b": ["x", "y"], "a": [1, 2]},
        {"a": [1, 2], "c": ["x", "y"]},
        {"a": [1, 2], "b": ["x", None]},
        {"a": [1, 2], "b": ["", "xy"]},
        {"a": [True, False], "b": ["x", "y"]},
        {"a": [1, 2, 3], "b": ["x", "y", "z"]},
    ],
)
def test_another_content_has_another_digest(other: dict[str, Any]) -> None:
    assert Table.of(_typed({"a": [1, 2], "b": ["x", "y"]})).digest() != Table.of(_typed(other)).digest()


def _typed(columns: dict[str, list[Any]]) -> dict[str, np.ndarray]:
    return {
        name: np.array(values, dtype=object if isinstance(values[0], str) else None) for name, values in columns.items()
    }


def test_parts_of_a_table() -> None:
    table = Table.of({"a": np.arange(10), "b": np.arange(10) / 2})
    assert table.take([3, 1])["a"].tolist() == [3, 1]
    assert table.take(table["a"] > 6)["a"].tolist() == [7, 8, 9]
    assert table.take([]).n_rows == 0
    assert table.take(table["a"] > 6).n_rows == 3
    assert table.drop(["a", "absent"]).names == ("b",)
    assert table.select(["b", "a"]).names == ("b", "a")
    assert table.sample(4, seed=1)["a"].tolist() == table.sample(4, seed=1)["a"].tolist()
    assert sorted(set(table.sample(4, seed=1)["a"].tolist())) == table.sample(4, seed=1)["a"].tolist()
    assert table.sample(99, seed=1) is table
    assert table.take([0]).column_digest("a") != table.column_digest("a")
    with pytest.raises(ValueError, match="read-only"):
        table["a"][0] = 5
    with pytest.raises(DataError, match="no column 'c'"):
        table["c"]


def test_making_a_table_never_changes_or_shares_values() -> None:
    source = np.array([1.0, 2.0])
    table = Table.of({"f": source, "n": ["a", None, float("nan")][:2], "w": np.array([1, 2], np.int32)})
    source[0] = 9.0
    assert table["f"].tolist() == [1.0, 2.0]
    assert table["w"].dtype == np.int64
    assert Table.of({"s": np.array(["a", float("nan")], dtype=object)})["s"].tolist() == ["a", None]
    for wrong in ([[1, 2]], np.array([1j]), np.array([object()]), np.array([{}], dtype=object)):
        with pytest.raises(DataError) as caught:
            Table.of({"x": wrong})
        assert caught.value.code == "HF-DAT-009"
    with pytest.raises(DataError, match="do not fit"):
        Table.of({"a": [1], "b": [1, 2]})


@pytest.mark.shared
def test_the_reference_tables_read(shared: Path) -> None:
    credit = Table.read(shared / "data/tabular/uci_default_credit.parquet", drop=["ID"])
    assert (credit.n_rows, len(credit.names)) == (30_000, 24)
    adult = Table.read(shared / "data/tabular/adult_income.parquet")
    assert adult["workclass"].dtype == object
