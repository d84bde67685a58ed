"""Tries that gave no observation: why, how often, and when to try again. Apart from results, never a cached answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, insert, select

from holdfast.core.domain import Attempt
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables import attempts


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after the n-th failed try: `first_s` doubled each time up to `most_s`; none after `tries`."""

    first_s: float = 60.0
    most_s: float = 6 * 3600.0
    tries: int = 5

    def after(self, number: int, failed_at: datetime) -> datetime | None:
        """When try `number` (from 1), failed at `failed_at`, may be followed by another; None: not by itself."""
        if number >= self.tries:
            return None
        return failed_at + timedelta(seconds=min(self.most_s, self.first_s * 2 ** (number - 1)))


class Attempts:
    """Failed tries by observation key, oldest first."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def add(self, attempt: Attempt) -> None:
        """Keep a failed try as it is."""
        self._sql.execute(
            insert(attempts).values(
                key=attempt.key,
                check_id=attempt.check,
                model=attempt.model,
                reason=attempt.reason,
                started_at=attempt.started_at,
                retry_at=attempt.retry_at,
                number=attempt.number,
            )
        )

    def fail(
        self, key: str, check: str, model: str, *, reason: str, started_at: datetime, backoff: Backoff | None = None
    ) -> Attempt:
        """Count, date and keep a try that failed just now."""
        last = self.last(key)
        number = 1 if last is None else last.number + 1
        retry_at = (backoff or Backoff()).after(number, self._session.now)
        attempt = Attempt(key, check, model, reason, started_at, retry_at, number)
        self.add(attempt)
        return attempt

    def last(self, key: str) -> Attempt | None:
        """The newest try of `key`."""
        return self.last_of([key]).get(key)

    def last_of(self, keys: Iterable[str]) -> dict[str, Attempt]:
        """The newest try of each of `keys` that has one."""
        found: dict[str, Attempt] = {}
        for chunk in chunks(keys):
            newest = select(func.max(attempts.c.sequence)).where(attempts.c.key.in_(chunk)).group_by(attempts.c.key)
            query = select(attempts).where(attempts.c.sequence.in_(newest))
            found.update((row.key, _attempt(row)) for row in self._sql.execute(query))
        return found


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(row.key, row.check_id, row.model, row.reason, row.started_at, row.retry_at, row.number)
