"""Seals of tables: every change changes them, no way of writing does, and a naive hash of the rows agrees."""

from __future__ import annotations

import hashlib
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.data import seal_rows
from holdfast.core.data.merkle import inclusion_path, leaf_hash, root_from_inclusion, root_of
from holdfast.core.data.seal import SealedTable, seal_table
from holdfast.core.data.seal_rows import leaf_of, leaves_of, row_of
from holdfast.core.data.table import Table

NUMBERS = st.one_of(
    st.floats(width=64), st.integers(-(2**53), 2**53), st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf])
)
TEXTS = st.one_of(st.none(), st.text(max_size=6))
CELLS = {"number": NUMBERS.map(float), "bool": st.booleans(), "text": TEXTS}


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kinds = draw(st.lists(st.sampled_from(list(CELLS)), min_size=1, max_size=4))
    n = draw(st.integers(1, 9))
    columns = {}
    for number, kind in enumerate(kinds):
        values = draw(st.lists(CELLS[kind], min_size=n, max_size=n))
        columns[f"c{number}"] = np.array(values, dtype=object if kind == "text" else None)
    return Table.of(columns)


def naive_leaf(table: Table, row: int) -> bytes:
    """The encoding, word for word."""
    data = b""
    for values in table.columns.values():
        value = values[row]
        if values.dtype == object:
            data += bytes(32) if value is None else hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
        elif values.dtype == np.bool_:
            data += b"\1" if value else b"\0"
        else:
            number = float(value)
            data += struct.pack("<d", math.nan if math.isnan(number) else number + 0.0)
    return leaf_hash(data)


def sealed(table: Table) -> SealedTable:
    return seal_table(table)[0]


@given(tables())
@settings(max_examples=60, deadline=None)
def test_leaves_are_what_the_encoding_says(table: Table) -> None:
    expected = [naive_leaf(table, row) for row in range(table.n_rows)]
    assert leaves_of(table) == b"".join(expected)
    assert sealed(table).root == f"sha256:{root_of(expected).hex()}"


@given(tables())
@settings(max_examples=60, deadline=None)
def test_a_row_as_plain_values_has_the_same_leaf(table: Table) -> None:
    kinds = [column.kind for column in sealed(table).columns]
    for row in range(table.n_rows):
        assert leaf_of(kinds, list(row_of(table, row).values())) == naive_leaf(table, row)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table.of({"a": np.arange(100.0), "t": np.array([f"x{i % 7}" for i in range(100)], object)})
    whole = leaves_of(table)
    monkeypatch.setattr(seal_rows, "BLOCK_ROWS", 7)
    assert leaves_of(table) == whole


def other(value: Any) -> Any:
    """The nearest thing that is not the same."""
    if isinstance(value, bool | np.bool_):
        return not value
    if value is None or isinstance(value, str):
        return (value or "") + "x"
    return 1.5 if math.isnan(value) or math.isinf(value) else np.nextafter(value, math.inf)


@given(tables(), st.data())
@settings(max_examples=80, deadline=None)
def test_any_changed_cell_changes_its_column_its_row_and_the_root(table: Table, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(table.names))
    row = data.draw(st.integers(0, table.n_rows - 1))
    columns = {key: values.copy() for key, values in table.columns.items()}
    columns[name] = columns[name].astype(float) if columns[name].dtype == np.int64 else columns[name]
    columns[name][row] = other(columns[name][row])
    changed = Table.of(columns)
    before, after = seal_table(table), seal_table(changed)
    assert before[0].root != after[0].root
    differs = [a.name for a, b in zip(before[0].columns, after[0].columns, strict=True) if a != b]
    assert differs == [name]
    assert [i for i in range(table.n_rows) if before[1][i : i + 1] != after[1][i : i + 1]] == [row]


@given(tables(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_another_order_of_rows_is_another_seal_unless_they_are_equal(table: Table, random: Any) -> None:
    order = list(range(table.n_rows))
    random.shuffle(order)
    moved = table.take(order)
    same = [naive_leaf(table, row) for row in order] == [naive_leaf(table, row) for row in range(table.n_rows)]
    assert (sealed(moved).root == sealed(table).root) is same
    assert (sealed(moved) == sealed(table)) is same


def test_a_renamed_column_changes_the_schema_and_keeps_the_values() -> None:
    before = sealed(Table.of({"a": [1, 2], "b": [3, 4]}))
    after = sealed(Table.of({"a": [1, 2], "c": [3, 4]}))
    assert before != after
    assert before.schema != after.schema
    assert before.columns[1].digest == after.columns[1].digest


@given(tables(), st.data())
@settings(max_examples=60, deadline=None)
def test_inclusion_proofs_hold_and_fail_on_any_tampering(table: Table, data: st.DataObject) -> None:
    seal, leaves = seal_table(table)
    row = data.draw(st.integers(0, table.n_rows - 1))
    path = inclusion_path(row, table.n_rows, lambda start, stop: root_of(leaves[start:stop]))
    leaf = naive_leaf(table, row)
    root = bytes.fromhex(seal.root.removeprefix("sha256:"))
    assert root_from_inclusion(leaf, row, table.n_rows, path) == root
    assert root_from_inclusion(leaf[::-1], row, table.n_rows, path) != root
    for step in range(len(path)):
        forged = [*path[:step], path[step][::-1], *path[step + 1 :]]
        assert root_from_inclusion(leaf, row, table.n_rows, forged) != root
    assert root_from_inclusion(leaf, row, table.n_rows, [*path, leaf]) != root


COLUMNS = {
    "id": np.arange(500),
    "amount": np.round(np.random.default_rng(3).normal(0, 1e4, 500), 2),
    "ratio": np.random.default_rng(4).random(500),
    "whole": np.arange(500) * 1000.0,
    "some": np.where(np.arange(500) % 5 == 0, np.nan, np.arange(500)),
    "flag": np.arange(500) % 3 == 0,
    "city": np.array([["Bern", "Zürich", "Genève, Vaud", 'a"b'][i % 4] for i in range(500)], object),
}


def written(folder: Path) -> dict[str, Path]:
    """The same table in every form that is read."""
    table = pa.table(COLUMNS)
    forms = {
        "plain": folder / "plain.parquet",
        "small": folder / "small.parquet",
        "csv": folder / "t.csv",
        "arrow": folder / "t.arrow",
        "stream": folder / "t.arrows",
    }
    pq.write_table(table, forms["plain"])
    floats = table.set_column(0, "id", table["id"].cast(pa.float64()))
    dictionary = floats.set_column(6, "city", floats["city"].dictionary_encode())
    pq.write_table(dictionary, forms["small"], row_group_size=37, compression="zstd", use_dictionary=False)
    pyarrow.csv.write_csv(pa.table({**COLUMNS, "some": pa.array(COLUMNS["some"], from_pandas=True)}), forms["csv"])
    with pa.OSFile(str(forms["arrow"]), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table, max_chunksize=91)
    with pa.OSFile(str(forms["stream"]), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table, max_chunksize=13)
    return forms


def test_the_same_rows_have_the_same_digests_in_every_form(tmp_path: Path) -> None:
    seals = {form: sealed(Table.read(path)) for form, path in written(tmp_path).items()}
    assert len(set(seals.values())) == 1, seals
    assert [column.kind for column in seals["csv"].columns] == [*["number"] * 5, "bool", "text"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", "1"),
        ("number", True),
        ("number", [1]),
        ("number", {}),
        ("number", 10**400),
        ("number", "inf"),
        ("bool", 1),
        ("bool", None),
        ("text", 1),
        ("text", ["a"]),
    ],
)
def test_a_value_of_another_kind_has_no_leaf(kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"is no \w+$"):
        leaf_of([kind], [value])
