"""Created things get time-ordered ids; derived things are named by the digest of what they come from."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.domain import FrozenClock, canonical_json, digest, digest_bytes, new_id

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_an_id_is_a_uuid_of_version_seven_with_its_moment() -> None:
    prefix, _, rest = new_id("mdl", FrozenClock(START)).partition("_")
    value = uuid.UUID(rest)
    assert prefix == "mdl"
    assert (value.version, value.variant) == (7, uuid.RFC_4122)
    assert value.int >> 80 == int(START.timestamp() * 1000)


def test_ids_sort_by_time_and_never_repeat() -> None:
    clock = FrozenClock(START)
    made = []
    for _ in range(200):
        made.append(new_id("obs", clock))
        clock.advance(timedelta(milliseconds=1))
    assert made == sorted(made)
    still = FrozenClock(START)
    assert len({new_id("obs", still) for _ in range(5000)}) == 5000


@given(JSON)
def test_canonical_json_reads_back_and_is_a_fixed_point(value: Any) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(max_size=5), st.integers(), min_size=2, max_size=6))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert digest(dict(reversed(value.items()))) == digest(value)


@given(JSON, JSON)
def test_equal_digests_mean_equal_text(first: Any, second: Any) -> None:
    assert (digest(first) == digest(second)) == (canonical_json(first) == canonical_json(second))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1, float("-inf")]])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(value)


def test_a_digest_names_its_algorithm() -> None:
    assert digest_bytes(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_name_out_of_a_hostile_file_has_a_digest_of_its_own() -> None:
    assert len({digest("a\ud800"), digest("a\udcff"), digest("a"), digest("a\\ud800")}) == 4
