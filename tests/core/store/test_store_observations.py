"""Observations: once by key, shared by targets, and back exactly as they were seen."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.domain import Fact, Measurement, Observation, Status
from holdfast.core.errors import StoreError
from holdfast.core.store import Store
from holdfast.core.store.codec import decode, encode, encode_observation
from holdfast.core.store.session import CHUNK


def test_an_observation_is_kept_once_with_its_first_body(store: Store, nouns: Any) -> None:
    first = nouns.recorded("k")
    with store.transaction() as tx:
        assert tx.observations.add(first)
        assert not tx.observations.add(nouns.recorded("k", elapsed_s=9.0))
        assert tx.observations.find(["k"]) == {"k": first}
        assert tx.observations.count() == 1


def test_an_observation_tells_about_every_target_it_is_linked_to(store: Store, nouns: Any) -> None:
    with store.transaction() as tx:
        tx.observations.add(nouns.recorded("k2", check="b"))
        tx.observations.add(nouns.recorded("k1", check="a"))
        assert not tx.observations.add(nouns.recorded("k1", check="a", model="other", version="v9"))
        tx.observations.link("k2", "other", "v9")
        tx.observations.link("k2", "other", "v9")
        assert [item.key for item in tx.observations.of("m", "v1")] == ["k1", "k2"]
        assert [(item.key, item.model, item.version) for item in tx.observations.of("other", "v9")] == [
            ("k1", "other", "v9"),
            ("k2", "other", "v9"),
        ]
        assert tx.observations.of("m", "v9") == []


def test_a_link_needs_its_observation(store: Store) -> None:
    with pytest.raises(StoreError) as raised, store.transaction() as tx:
        tx.observations.link("unknown", "m", "v")
    assert raised.value.code == "HF-STO-005"


def test_many_keys_are_found_in_pieces(store: Store, nouns: Any) -> None:
    wanted = [f"k{number}" for number in range(2 * CHUNK + 3)]
    with store.transaction() as tx:
        for key in (wanted[0], wanted[CHUNK], wanted[-1]):
            tx.observations.add(nouns.recorded(key))
        assert tx.observations.find(wanted).keys() == {wanted[0], wanted[CHUNK], wanted[-1]}
        assert tx.observations.find([]) == {}


numbers = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(codec="utf-8"), max_size=30)
facts = st.builds(
    Fact,
    words,
    st.one_of(words, st.booleans(), st.integers(-(2**200), 2**200), numbers),
    st.none() | st.integers(0, 2**64),
    st.none() | words,
)
measurements = st.builds(
    Measurement, words, numbers, words, st.dictionaries(words, numbers, max_size=3), st.none() | st.integers(0, 10**9)
)


@settings(max_examples=100)
@given(
    st.builds(
        Observation,
        st.sampled_from(Status),
        st.lists(facts, max_size=4).map(tuple),
        st.lists(measurements, max_size=4).map(tuple),
        st.none() | words,
        st.dictionaries(words, st.integers(0, 2**62), max_size=3),
    )
)
def test_an_observation_comes_back_exactly(seen: Observation) -> None:
    text = encode_observation(seen)
    back = decode(text, Observation)
    assert back == seen
    assert [type(fact.value) for fact in back.facts] == [type(fact.value) for fact in seen.facts]
    assert "\0" not in text, "PostgreSQL keeps no NUL in text"


def test_hostile_words_come_back_on_both_databases(store: Store, nouns: Any) -> None:
    seen = Observation.of(Fact("import", "os.system\0\u202e ' ; -- 💥", 1, "a\0b"))
    with store.transaction() as tx:
        tx.observations.add(nouns.recorded("k", observation=seen))
        assert tx.observations.find(["k"])["k"].observation == seen


def test_lone_surrogates_are_replaced(store: Store, nouns: Any) -> None:
    seen = Observation.of(Fact("import", "os\ud800system", member="\udfff"))
    with store.transaction() as tx:
        tx.observations.add(nouns.recorded("k", observation=seen))
        (fact,) = tx.observations.find(["k"])["k"].observation.facts
    assert (fact.value, fact.member) == ("os\ufffdsystem", "\ufffd")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_json_cannot_hold_is_refused(value: float) -> None:
    for seen in (
        Observation.of(Measurement("m", value, "share")),
        Observation.of(Measurement("m", 0.0, "share", {"linf": value})),
        Observation.of(Fact("f", value)),
    ):
        with pytest.raises(StoreError) as raised:
            encode_observation(seen)
        assert raised.value.code == "HF-STO-007"


def test_what_is_no_json_or_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (object(), {1: {2, object()}}, deep):
        with pytest.raises(StoreError) as raised:
            encode(value)
        assert raised.value.code == "HF-STO-007"
    monkeypatch.setattr("holdfast.core.store.codec.MAX_BODY_BYTES", 10)
    with pytest.raises(StoreError, match="too large"):
        encode("x" * 10)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"status":"perhaps"}', "[" * 100_000])
def test_a_foreign_body_is_refused(text: str) -> None:
    with pytest.raises(StoreError) as raised:
        decode(text, Observation)
    assert raised.value.code == "HF-STO-008"
