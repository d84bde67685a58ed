"""Time is passed in, is always UTC, and survives being written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.domain import FrozenClock, from_iso, system_clock, to_iso

NAIVE = datetime(2026, 1, 5)  # noqa: DTZ001
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
MOMENTS = st.datetimes(NAIVE.replace(year=1971), NAIVE.replace(year=2200), timezones=ZONES)


@given(MOMENTS)
def test_writing_and_reading_a_moment_gives_it_back_in_utc(moment: datetime) -> None:
    again = from_iso(to_iso(moment))
    assert again == moment
    assert again.tzinfo is UTC
    assert to_iso(moment).endswith("Z")


@given(MOMENTS, MOMENTS)
def test_text_of_whole_seconds_sorts_like_time(first: datetime, second: datetime) -> None:
    first, second = first.replace(microsecond=0), second.replace(microsecond=0)
    assert (first < second) == (to_iso(first) < to_iso(second))


@pytest.mark.parametrize("text", ["2026-01-05T09:00:00", "2026-01-05", "yesterday", ""])
def test_a_moment_without_a_timezone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"timezone|Invalid"):
        from_iso(text)


def test_a_frozen_clock_moves_only_when_told() -> None:
    clock = FrozenClock(datetime(2026, 1, 5, 10, tzinfo=timezone(timedelta(hours=1))))
    assert clock() == clock() == datetime(2026, 1, 5, 9, tzinfo=UTC)
    clock.advance(timedelta(days=1))
    assert clock() == datetime(2026, 1, 6, 9, tzinfo=UTC)
    with pytest.raises(ValueError, match="timezone"):
        FrozenClock(NAIVE)


def test_the_system_clock_is_aware() -> None:
    assert system_clock().tzinfo is UTC
