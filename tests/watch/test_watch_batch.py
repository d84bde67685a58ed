"""Batches: the contract's order, odd values marked and never dropped, keys that hold across batches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

import watchers
from holdfast.core.contract import Contract
from holdfast.watch.batch import NOBODY, Batch
from holdfast.watch.schema import make_events

CONTRACT = Contract.parse(
    "version: 1\nfeatures:\n"
    "  amount: {type: number, min: 0, max: 10, move: any}\n"
    "  way: {type: category, values: [shop, web], move: never}\n"
    "  flag: {type: category, values: [0, 1], move: never}\n"
)


def table(features: dict[str, object], **columns: object) -> pa.Table:
    count = len(next(iter(features.values())))  # type: ignore[arg-type]
    return make_events(
        {
            "event_id": [f"e{n}" for n in range(count)],
            "time": pa.array([1_000_000 * n for n in range(count)], pa.timestamp("us", tz="UTC")),
            "model": ["m"] * count,
            "client": ["c"] * count,
            "producer": ["p"] * count,
            "epoch": [0] * count,
            "sequence": list(range(count)),
            **columns,
        },
        features,
    )


def test_values_come_in_contract_order_and_what_cannot_be_read_is_marked() -> None:
    batch = Batch.of(
        table(
            {
                "flag": [1.0, None, 2.5],
                "way": ["web", "phone", None],
                "amount": [float("inf"), 3.0, float("nan")],
                "other": [1.0, 2.0, 3.0],
            }
        ),
        CONTRACT,
    )
    np.testing.assert_array_equal(batch.X, [[np.nan, 1.0, 1.0], [3.0, np.nan, np.nan], [np.nan, np.nan, 2.5]])
    np.testing.assert_array_equal(batch.invalid, [[True, False, False], [False, True, False], [False, False, False]])


def test_a_text_for_a_number_a_number_for_a_text_and_an_absent_column() -> None:
    batch = Batch.of(table({"amount": ["3", "x"], "way": [1.0, None]}), CONTRACT)
    assert np.isnan(batch.X).all()
    np.testing.assert_array_equal(batch.invalid, [[True, True, False], [True, False, False]])


def test_who_asked_is_the_same_in_every_batch() -> None:
    first = Batch.of(table({"amount": [1.0, 2.0]}, client=["a", "b"], subject=["s", None]), CONTRACT)
    second = Batch.of(table({"amount": [1.0, 2.0]}, client=["b", "z"], subject=[None, "s"]), CONTRACT)
    assert first.client_key[1] == second.client_key[0] != second.client_key[1]
    assert first.subject_key[0] == second.subject_key[1] != 0
    assert first.subject_key[1] == 0
    assert first.subject[1] == NOBODY
    assert first.client_name(1) == "b"


def test_no_events_make_an_empty_batch() -> None:
    empty = Batch.of(table({"amount": [1.0]}).slice(0, 0), CONTRACT)
    assert len(empty) == 0
    assert empty.X.shape == (0, 3)
    assert list(empty.pieces(10)) == []


@given(st.integers(1, 40), st.integers(1, 50))
@settings(max_examples=25, deadline=None)
def test_pieces_are_the_batch_cut_up(count: int, size: int) -> None:
    whole = watchers.batch(watchers.honest_table().slice(0, count))
    pieces = list(whole.pieces(size))
    np.testing.assert_array_equal(np.concatenate([piece.X for piece in pieces]), whole.X)
    assert [piece.event_id(row) for piece in pieces for row in range(len(piece))] == whole.ids.to_pylist()
    assert all(len(piece) <= size for piece in pieces)
