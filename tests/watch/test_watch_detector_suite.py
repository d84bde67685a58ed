"""What every detector promises, tried on each that is registered."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import watchers
from holdfast.core.errors import StoreError
from holdfast.watch.batch import Batch
from holdfast.watch.interface import DETECTORS, MAX_STATE_BYTES, Detector, State
from holdfast.watch.schema import make_events

ALL = [pytest.param(item, id=name) for name, item in DETECTORS]
every_detector = pytest.mark.parametrize("item", ALL)


def attack() -> pa.Table:
    """Honest events with a raw tool, a search, a prober and a copier among them."""
    honest = watchers.honest()
    scores = watchers.predict(honest.X)
    row = honest.X[np.flatnonzero(scores > 0.6)[5]]
    random = np.random.default_rng(3)
    made_up = np.column_stack([random.permutation(column) for column in honest.X[:60].T])
    parts = [
        watchers.honest_table().slice(watchers.WARM, 600),
        watchers.asked(watchers.near(row, 30), "search", client="searcher"),
        watchers.asked(watchers.near(row, 20) + 0.37, "tool", client="tool"),
        watchers.asked(honest.X[np.argsort(np.abs(scores - 0.5))[:60]], "probe", client="prober"),
        watchers.asked(made_up, "copy", client="copier"),
    ]
    return pa.concat_tables(parts).sort_by("time")


def run(item: Detector, table: pa.Table, size: int, state: State | None = None) -> tuple[State, list[object]]:
    """A detector over a table in batches of `size`, as (entity, first moment, rows) of what it says."""
    state = watchers.learned()[item.id] if state is None else state
    said = []
    for piece in watchers.batch(table).pieces(size):
        state, signals = item.step(state, piece, watchers.CONTEXT)
        said += signals
    return state, said


@every_detector
def test_the_same_events_give_the_same_signals_and_memory(item: Detector) -> None:
    (one, first), (two, second) = run(item, attack(), 10_000), run(item, attack(), 10_000)
    assert first == second
    assert one.encode() == two.encode()


@every_detector
@pytest.mark.parametrize("size", [1, 37, 400])
def test_how_events_are_cut_into_batches_changes_nothing(item: Detector, size: int) -> None:
    if not item.split_invariant:
        pytest.skip("promises nothing of the kind")
    table = attack().slice(0, 300) if size == 1 else attack()
    (whole, at_once), (cut, in_parts) = run(item, table, 10_000), run(item, table, size)
    assert whole.encode() == cut.encode()
    beginnings: dict[str, datetime] = {}
    rows: dict[str, int] = {}
    for signal in in_parts:
        beginnings.setdefault(signal.entity, signal.at)
        rows[signal.entity] = rows.get(signal.entity, 0) + signal.detail["rows"]
    assert beginnings == {signal.entity: signal.at for signal in at_once}
    assert rows == {signal.entity: signal.detail["rows"] for signal in at_once}


@every_detector
def test_memory_survives_writing_and_reading_in_between(item: Detector) -> None:
    table = attack()
    half = table.num_rows // 2
    state, before = run(item, table.slice(0, half), 10_000)
    resumed, after = run(item, table.slice(half), 10_000, State.decode(state.encode()))
    straight, signals = run(item, table, half)
    assert before + after == signals
    assert resumed.encode() == straight.encode()


@every_detector
def test_memory_has_a_bound_that_new_names_do_not_raise(item: Detector) -> None:
    def size(state: State) -> int:
        return sum(values.nbytes for values in state.arrays.values())

    state = watchers.learned()[item.id]
    begun = size(state)
    X = watchers.honest().X[:3000]
    flood = watchers.asked(X, "flood", client=[f"sybil-{n}" for n in range(len(X))])
    after, _ = run(item, flood, 1_000, state)
    assert size(after) == begun < MAX_STATE_BYTES


@every_detector
def test_no_events_say_nothing(item: Detector) -> None:
    before = watchers.learned()[item.id]
    told = before.encode()
    after, signals = item.step(before, watchers.batch(watchers.honest_table().slice(0, 0)), watchers.CONTEXT)
    assert signals == []
    assert after.encode() == told


@every_detector
def test_honest_events_are_left_alone_with_and_without_subjects(item: Detector) -> None:
    for subjects in (True, False):
        fresh = watchers.honest_table(subjects=subjects).slice(watchers.WARM)
        _, signals = run(item, fresh, 1_000, watchers.learned(subjects=subjects)[item.id])
        assert signals == []


ODD = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, 2.0**63]))


@every_detector
@given(data=st.data())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_hostile_events_raise_nothing(item: Detector, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    names = data.draw(st.lists(st.sampled_from(watchers.CONTRACT.names), unique=True))
    text = data.draw(st.booleans())
    values = st.sampled_from(["", "x" * 300, "\u0000", "nan"]) if text else ODD
    columns = {name: data.draw(st.lists(values, min_size=count, max_size=count)) for name in names}
    moments = st.sampled_from([datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
    events = make_events(
        {
            "event_id": data.draw(st.lists(st.text(max_size=90), min_size=count, max_size=count)),
            "time": data.draw(st.lists(moments, min_size=count, max_size=count)),
            "model": [watchers.MODEL] * count,
            "client": data.draw(st.lists(st.text(max_size=5), min_size=count, max_size=count)),
            "subject": data.draw(st.lists(st.none() | st.text(max_size=5), min_size=count, max_size=count)),
            "score": data.draw(st.lists(ODD, min_size=count, max_size=count)),
            "producer": ["p"] * count,
            "epoch": [0] * count,
            "sequence": list(range(count)),
        },
        columns,
    )
    state, _ = item.step(watchers.learned()[item.id], Batch.of(events, watchers.CONTRACT), watchers.CONTEXT)
    fresh, signals = item.step(item.start(watchers.CONTEXT), Batch.of(events, watchers.CONTRACT), watchers.CONTEXT)
    assert signals == []
    assert state.version == fresh.version == item.version


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: b"",
        lambda data: b"XXXX" + data[4:],
        lambda data: data[: len(data) // 2],
        lambda data: data[:10] + bytes(8) + data[18:],
    ],
)
def test_a_damaged_memory_is_refused_with_a_code(harm: object) -> None:
    data = State(1, {"events": 3}, {"a": np.arange(5.0)}).encode()
    harmed = harm(data)  # type: ignore[operator]
    assert State.decode(data).numbers == {"events": 3}
    with pytest.raises(StoreError) as fault:
        State.decode(harmed)
    assert fault.value.code == "HF-WAT-060"


def test_a_memory_cannot_smuggle_objects_in() -> None:
    import json
    import zlib

    head = {"version": 1, "numbers": {}, "arrays": [{"name": "a", "dtype": "|O", "shape": [1]}]}
    said = json.dumps(head).encode()
    with pytest.raises(StoreError):
        State.decode(b"HFD1" + zlib.compress(len(said).to_bytes(8, "little") + said + bytes(8)))
