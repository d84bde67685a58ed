"""Intents: canonical bytes, bounded, with their transaction; and the ledger's books."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.core.domain import canonical_json
from holdfast.core.errors import StoreError
from holdfast.core.store import MAX_ENTRY_BYTES, LedgerState, Store


def test_an_entry_is_canonical_json_of_all_that_is_said(store: Store) -> None:
    with store.transaction() as tx:
        told = tx.intend("judged", {"z": 1, "a": [None, 2.5, "ü"]})
        ((_, entry),) = tx.intents.pending(10)
    said = {
        "version": 1,
        "id": told,
        "kind": "judged",
        "recorded_at": "2026-01-05T09:00:00Z",
        "body": {"z": 1, "a": [None, 2.5, "ü"]},
    }
    assert json.loads(entry) == said
    assert entry == canonical_json(said)
    assert told.startswith("int_")


def test_the_largest_entry_fits_and_one_byte_more_does_not(store: Store) -> None:
    with store.transaction() as tx:
        tx.intend("x", {"filler": ""})
        ((_, entry),) = tx.intents.pending(1)
        room = MAX_ENTRY_BYTES - len(entry)
        tx.intend("x", {"filler": "x" * room})
        assert len(tx.intents.pending(2)[1][1]) == MAX_ENTRY_BYTES
    with pytest.raises(StoreError) as raised, store.transaction() as tx:
        tx.intend("x", {"filler": "x" * (room + 1)})
    assert raised.value.code == "HF-STO-011"
    assert "65,536" in raised.value.cause


@pytest.mark.parametrize("body", [{"x": float("nan")}, {"x": object()}, {"x": {1, 2}}])
def test_what_is_no_json_cannot_be_intended(store: Store, body: dict[str, Any]) -> None:
    with pytest.raises(StoreError) as raised, store.transaction() as tx:
        tx.intend("x", body)
    assert raised.value.code == "HF-STO-011"
    with store.reading() as tx:
        assert tx.intents.count_pending() == 0


def test_an_entry_is_text_whatever_a_hostile_name_holds(store: Store) -> None:
    with store.transaction() as tx:
        tx.intend("x", {"name": "os\ud800system"})
        ((_, entry),) = tx.intents.pending(1)
    assert json.loads(entry.decode("utf-8"))["body"]["name"] == "os\ufffd\ufffd\ufffdsystem"


def test_places_are_given_once(store: Store) -> None:
    with store.transaction() as tx:
        told = [tx.intend("x", {"n": number}) for number in range(5)]
        waiting = tx.intents.pending(3)
        tx.intents.place(0, [sequence for sequence, _ in waiting])
        assert [tx.intents.leaf_of(intent) for intent in told] == [0, 1, 2, None, None]
        assert tx.intents.entries(1, 3) == [entry for _, entry in waiting[1:]]
        assert tx.intents.count_pending() == 2
        assert tx.intents.state() == LedgerState(3, 0, None)
    with pytest.raises(StoreError) as raised, store.transaction() as tx:
        tx.intents.place(2, [tx.intents.pending(1)[0][0]])
    assert raised.value.code == "HF-STO-005"


def test_hashes_are_kept_by_level_and_position(store: Store) -> None:
    with store.transaction() as tx:
        tx.intents.add_hashes([])
        tx.intents.add_hashes([(0, 1, b"b" * 32), (0, 0, b"a" * 32), (1, 0, b"c" * 32)])
        assert tx.intents.hashes(0, 0, 5) == [b"a" * 32, b"b" * 32]
        assert tx.intents.hashes(1, 0, 1) == [b"c" * 32]
        tx.intents.publish(2, "root")
        assert tx.intents.state(hold=True) == LedgerState(0, 2, "root")
