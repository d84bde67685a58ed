"""Time as a value passed in, so that nothing in the house reads the wall clock behind a test's back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Gives the present as a UTC-aware datetime."""


def system_clock() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


class FrozenClock:
    """A clock that moves only when told to; for `--as-of`, simulations and tests."""

    def __init__(self, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError("a clock needs a timezone-aware datetime")
        self._now = now.astimezone(UTC)

    def __call__(self) -> datetime:
        return self._now

    def advance(self, step: timedelta) -> None:
        """Move the present forward by `step`."""
        self._now += step


def to_iso(moment: datetime) -> str:
    """RFC 3339 in UTC with a `Z`, whole seconds where there is no fraction."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """Read what `to_iso` wrote. Raises ValueError when there is no timezone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no timezone; write 2026-01-05T09:00:00Z")
    return moment.astimezone(UTC)
