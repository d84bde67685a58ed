"""Whatever CPython pickles is followed to the last byte, and the graph says what it was."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.formats.pickle import Dict, Object, Set, raw_bytes, read_pickles

PROTOCOLS = st.integers(0, pickle.HIGHEST_PROTOCOL)
HASHABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(max_size=300),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
PLAIN = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
    ),
    max_leaves=25,
)


def build(value: object, data: bytes) -> object:
    """The Python object a graph of plain values stands for."""
    if isinstance(value, list):
        return [build(item, data) for item in value]
    if isinstance(value, tuple):
        return tuple(build(item, data) for item in value)
    if isinstance(value, Dict):
        return {build(key, data): build(item, data) for key, item in value.pairs}
    if isinstance(value, Set):
        items = {build(item, data) for item in value.items}
        return frozenset(items) if value.frozen else items
    if isinstance(value, Object):
        return _made(value, data)
    return value


def _made(value: Object, data: bytes) -> object:
    if value.path in ("builtins.set", "builtins.frozenset"):
        items = {build(item, data) for item in value.args[0]}
        return items if value.path.endswith(".set") else frozenset(items)
    raw = raw_bytes(value, data)
    assert raw is not None, value.path
    return bytes(raw)


@settings(max_examples=150, deadline=None)
@given(PLAIN, PROTOCOLS)
def test_plain_objects_are_covered_and_say_what_they_are(value, protocol):
    data = pickle.dumps(value, protocol)
    reading = read_pickles(data)
    assert {fact.kind for fact in reading.facts} <= {"import", "call"}
    assert reading.unread == 0
    assert reading.parsed + reading.skipped == len(data)
    assert build(reading.value, data) == value


@settings(max_examples=60, deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=4), PROTOCOLS)
def test_streams_one_behind_the_other(items, protocol):
    data = b"".join(pickle.dumps(item, protocol) for item in items)
    reading = read_pickles(data)
    assert [build(stream.value, data) for stream in reading.streams] == items
    assert reading.unread == 0


@settings(max_examples=60, deadline=None)
@given(PLAIN, PROTOCOLS, st.integers(1, 10_000))
def test_a_cut_is_never_silent(value, protocol, cut):
    data = pickle.dumps(value, protocol)
    short = data[: max(0, len(data) - cut)]
    assert any(fact.kind in ("truncated", "malformed") for fact in read_pickles(short).facts)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_answered(data):
    reading = read_pickles(data)
    assert reading.parsed + reading.skipped + reading.unread == len(data)
    assert reading.unread == 0 or reading.facts


def test_instances_of_a_library_class():
    moment = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    for protocol in range(6):
        made = read_pickles(pickle.dumps(moment, protocol)).value
        assert made.path == "datetime.datetime"
