"""Sorted tables: entries come back as written, and every byte belongs to a block or the footer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.sstable import MAGIC, entries, is_sstable
from wires import sstable


@given(st.dictionaries(st.binary(max_size=12), st.binary(max_size=40), max_size=40), st.integers(1, 7))
def test_entries_come_back(pairs: dict[bytes, bytes], of: int) -> None:
    window = Window.whole(sstable(pairs, of))
    assert is_sstable(window)
    assert [(key, value.read(0, len(value))) for key, value in entries(window)] == sorted(pairs.items())


@given(st.data())
def test_damage_is_a_fault_or_a_reading(data: st.DataObject) -> None:
    table = bytearray(sstable({bytes([n]): bytes(n) for n in range(20)}))
    for _ in range(data.draw(st.integers(1, 4))):
        table[data.draw(st.integers(0, len(table) - 1))] = data.draw(st.integers(0, 255))
    seen = "read"
    try:
        list(entries(Window.whole(bytes(table))))
    except Fault as fault:
        seen = fault.kind
    assert seen in {"read", "malformed", "truncated", "unsupported"}


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (b"x" + sstable({b"a": b"1"}), "malformed"),
        (sstable({b"a": b"1"})[:-48] + b"hidden" + sstable({b"a": b"1"})[-48:], "malformed"),
        (sstable({b"a": b"1"}, compressed=True), "unsupported"),
        (MAGIC.rjust(48, b"\xff"), "malformed"),
        (b"short" + MAGIC, "truncated"),
    ],
)
def test_what_is_refused(table: bytes, kind: str) -> None:
    with pytest.raises(Fault) as caught:
        list(entries(Window.whole(table)))
    assert caught.value.kind == kind
