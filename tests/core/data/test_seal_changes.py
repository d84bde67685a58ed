"""What changed between two seals: against a naive comparison, and by examples."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.data.seal import Leaves, SealedData, SealedFile, seal_table
from holdfast.core.data.seal_changes import Changes, changes, column_changes, row_changes
from holdfast.core.data.table import Table


def leaves(numbers: list[int]) -> Leaves:
    return Leaves(b"".join(bytes([number]) * 32 for number in numbers))


ROWS = st.lists(st.integers(0, 5), max_size=9)


@given(ROWS, ROWS)
@settings(max_examples=200, deadline=None)
def test_row_changes_account_for_every_row(old: list[int], new: list[int]) -> None:
    found = row_changes(leaves(old), leaves(new))
    kept = Counter(old) & Counter(new)
    fresh = Counter(new[row] for row in found.fresh)
    gone = Counter(old[row] for row in [*found.changed, *found.removed])
    assert fresh == Counter(new) - kept
    assert gone == Counter(old) - kept
    still = [row for row in range(len(new)) if row not in found.fresh and row not in found.moved]
    assert all(old[row] == new[row] for row in still)
    assert bool(found) is (old != new)
    assert not set(found.added) & set(found.removed)


def test_places_are_named() -> None:
    found = row_changes(leaves([1, 2, 3, 4]), leaves([1, 9, 4, 3, 7]))
    assert found.changed.tolist() == [1]
    assert found.moved.tolist() == [2, 3]
    assert found.added.tolist() == [4]
    assert found.fresh.tolist() == [1, 4]
    assert found.removed.tolist() == []


A, B, C = [1, 2, 3], [4, 5, 6], [7, 8, 9]


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        ({"a": A, "b": B}, {"a": A, "b": C}, {"changed": ("b",)}),
        ({"a": A, "b": B}, {"a": A, "c": B}, {"renamed": (("b", "c"),)}),
        ({"a": A, "b": B}, {"b": B, "a": A}, {"reordered": True}),
        ({"a": A, "b": B}, {"a": A}, {"removed": ("b",)}),
        ({"a": A}, {"a": A, "b": B}, {"added": ("b",)}),
        ({"a": A, "b": B}, {"c": C, "a": A}, {"added": ("c",), "removed": ("b",)}),
        ({"a": A, "b": B}, {"b": A, "a": B}, {"changed": ("a", "b"), "reordered": True}),
        ({"a": A}, {"a": A}, {}),
    ],
)
def test_columns(old: dict[str, list[int]], new: dict[str, list[int]], seen: dict[str, object]) -> None:
    found = column_changes(seal_table(Table.of(old))[0], seal_table(Table.of(new))[0])
    empty = {"changed": (), "added": (), "removed": (), "renamed": (), "reordered": False}
    assert {name: getattr(found, name) for name in empty} == empty | seen
    assert bool(found) is bool(seen)


def data(name: str, content: str, table: Table | None) -> tuple[SealedData, dict[str, Leaves]]:
    seal, rows = (None, None) if table is None else seal_table(table)
    file = SealedFile(name, f"sha256:{content}", 1, seal, "" if table else "not a table")
    return SealedData(name, (file,)), {} if rows is None else {name: rows}


def between(old: tuple[SealedData, dict[str, Leaves]], new: tuple[SealedData, dict[str, Leaves]]) -> Changes:
    return changes(old[0], new[0], old[1], new[1])


TABLE = Table.of({"a": A, "b": B})


def test_a_file_written_anew_says_the_same() -> None:
    found = between(data("x.parquet", "1", TABLE), data("x.csv", "2", TABLE))
    assert bool(found)
    assert not found.content


def test_rows_that_cannot_be_compared_are_content_that_changed() -> None:
    wider = Table.of({"a": A, "b": B, "c": C})
    for new in (data("x", "2", wider), data("x", "2", None), (data("x", "2", Table.of({"a": A, "b": C}))[0], {})):
        found = between(data("x", "1", TABLE), new)
        assert found.content
        assert found.changed[0].why


def test_files_come_and_go() -> None:
    one, two = (SealedFile(name, f"sha256:{name}", 1) for name in ("one", "two"))
    three = SealedFile("three", "sha256:three", 1)
    found = changes(SealedData("d", (one, two)), SealedData("d", (three, two)), {}, {})
    assert (found.added, found.removed, found.changed) == (("three",), ("one",), ())


def test_many_rows_in_another_order_are_moved() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (20_000, 32), np.uint8)
    found = row_changes(Leaves(rows.tobytes()), Leaves(rows[::-1].tobytes()))
    assert (found.moved.size, found.fresh.size, found.removed.size) == (20_000, 0, 0)
