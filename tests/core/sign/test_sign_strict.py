"""Strict JSON against the standard library's own reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.sign.strict import MAX_DEPTH, parse_object

TEXTS = st.text(st.sampled_from('[]{}"\\a\n'), max_size=200)
VALUES = st.recursive(TEXTS | st.integers() | st.booleans() | st.none(), lambda inner: st.lists(inner, max_size=3))


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_whatever_stands_in_texts_is_read(value: dict[str, Any]) -> None:
    assert parse_object(json.dumps(value).encode(), 1 << 20) == value


@given(st.binary(max_size=60) | TEXTS.map(str.encode))
def test_other_bytes_are_read_alike_or_refused(data: bytes) -> None:
    try:
        found = parse_object(data, 1 << 20)
    except ValueError:
        return
    assert found == json.loads(data)


@pytest.mark.parametrize("text", ["", '"', '\\"', '\\\\"'])
def test_brackets_outside_of_texts_count(text: str) -> None:
    deep = {"a": text, "b": []}
    data = json.dumps(deep).replace("[]", "[" * MAX_DEPTH + "]" * MAX_DEPTH).encode()
    with pytest.raises(ValueError, match="deeper"):
        parse_object(data, 1 << 20)
