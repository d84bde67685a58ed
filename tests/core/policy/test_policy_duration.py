"""Spans of time as policies write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.policy.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90m", timedelta(minutes=90)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_spans_are_read(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5d", "7 d", "7D", "999999d", 7, None, "7d\n"])
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="24h or 7d"):
        parse_duration(text)


@given(st.integers(1, 99_999), st.sampled_from("mhdw"))
def test_what_is_written_reads_back_the_same(count: int, unit: str) -> None:
    span = parse_duration(f"{count}{unit}")
    assert span == timedelta(
        minutes=int(format_duration(span)[:-1]) * {"m": 1, "h": 60, "d": 1440}[format_duration(span)[-1]]
    )
