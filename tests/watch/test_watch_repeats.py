"""Repeated ids: found exactly, whatever the lengths, the runs and the horizon."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.watch.repeats import Repeats, first_of_each, hashes

IDS = st.lists(st.text(max_size=20), max_size=50)


@given(IDS, st.integers(0, 5))
def test_a_hash_depends_on_the_id_alone_not_on_where_it_lies(ids: list[str], skip: int) -> None:
    array = pa.array(["x" * 3] * skip + ids, pa.string()).slice(skip)
    whole = hashes(array, "m", 1)
    assert [int(value) for value in whole] == [int(hashes(pa.array([one]), "m", 1)[0]) for one in ids]
    assert len(set(whole.tolist())) == len(set(ids))


def test_model_and_salt_change_the_hash() -> None:
    ids = pa.array(["a"])
    assert len({int(hashes(ids, model, salt)[0]) for model in ("m", "n") for salt in (1, 2)}) == 4


@given(IDS)
def test_the_first_of_each_is_kept(ids: list[str]) -> None:
    found = first_of_each(pa.array(ids, pa.string()))
    wanted = [place for place, one in enumerate(ids) if one not in ids[:place]]
    assert wanted == (list(range(len(ids))) if found is None else found.tolist())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=25), st.integers(0, 2**32))
def test_every_entry_within_the_horizon_is_found_with_its_segment(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    repeats = Repeats(1000)
    added = []
    for sequence, size in enumerate(sizes, start=1):
        keys = rng.integers(0, 2**63, size, dtype=np.uint64)
        repeats.add(keys, sequence)
        added.append((keys, sequence))
    assert repeats.events <= max(1000, sizes[-1])
    remembered = repeats.events
    for keys, sequence in reversed(added):
        remembered -= len(keys)
        if remembered < 0:
            break
        assert repeats.candidates(keys).tolist() == list(range(len(keys)))
        rows, places = repeats.lookup(keys)
        assert {row for row, place in zip(rows, places, strict=True) if place == sequence} == set(range(len(keys)))


def test_what_was_never_added_is_almost_never_a_candidate() -> None:
    repeats = Repeats(100_000)
    rng = np.random.default_rng(0)
    repeats.add(rng.integers(0, 2**63, 50_000, dtype=np.uint64), 1)
    strange = rng.integers(0, 2**63, 20_000, dtype=np.uint64)
    assert len(repeats.candidates(strange)) < 600
    assert len(repeats.lookup(strange)[0]) < 5


def test_the_oldest_are_forgotten_beyond_the_horizon() -> None:
    repeats = Repeats(1000)
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2**63, 100, dtype=np.uint64)
    repeats.add(first, 1)
    for sequence in range(2, 20):
        repeats.add(rng.integers(0, 2**63, 100, dtype=np.uint64), sequence)
    assert repeats.events <= 1000
    assert len(repeats.lookup(first)[0]) == 0
    assert len(repeats.candidates(first)) < 50
