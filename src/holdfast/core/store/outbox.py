"""Messages that leave with the transaction that caused them, delivered at least once, known by (topic, cause).

A receiver makes its effect idempotent by cause; then a crash between the effect and `ack` does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, update

from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables import outbox


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery; `deliveries` counts this one."""

    sequence: int
    topic: str
    cause: str
    body: dict[str, Any]
    published_at: datetime
    deliveries: int


class Outbox:
    """Publish, claim for a while, acknowledge; what is not acknowledged in time is delivered again."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def publish(self, topic: str, cause: str, body: Mapping[str, Any]) -> bool:
        """Queue a message; False, and nothing changes, when this cause was published on this topic before."""
        row = {
            "topic": topic,
            "cause": cause,
            "body": encode(body),
            "published_at": self._session.now,
            "deliveries": 0,
        }
        return self._session.insert_new(outbox, row)

    def publish_all(self, topic: str, messages: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """`publish` for many at once: cause and body, in order."""
        now = self._session.now
        rows = (
            {"topic": topic, "cause": cause, "body": encode(body), "published_at": now, "deliveries": 0}
            for cause, body in messages
        )
        for chunk in chunks(rows):
            self._sql.execute(self._session.insert(outbox).on_conflict_do_nothing(), list(chunk))

    def claim_batch(
        self, owner: str, *, topics: Sequence[str] | None = None, limit: int = 100, ttl_s: float = 60.0
    ) -> list[Message]:
        """Up to `limit` open messages, oldest first, held by `owner` for `ttl_s` seconds."""
        now = self._session.now
        open_now = _open(topics).where(or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= now))
        chosen = open_now.order_by(outbox.c.sequence).limit(limit).with_for_update(skip_locked=True)
        sequences = list(self._sql.scalars(chosen))
        messages: list[Message] = []
        for chunk in chunks(sequences):
            self._sql.execute(
                update(outbox)
                .where(outbox.c.sequence.in_(chunk))
                .values(
                    owner=owner,
                    claimed_until=now + timedelta(seconds=ttl_s),
                    deliveries=outbox.c.deliveries + 1,
                )
            )
            claimed = select(outbox).where(outbox.c.sequence.in_(chunk)).order_by(outbox.c.sequence)
            messages.extend(_message(row) for row in self._sql.execute(claimed))
        return messages

    def ack(self, sequences: Iterable[int]) -> int:
        """Mark messages as done, for ever. Late is fine: the work was done. Returns how many were still open."""
        done = 0
        for chunk in chunks(sequences):
            statement = (
                update(outbox)
                .where(outbox.c.sequence.in_(chunk), outbox.c.acked_at.is_(None))
                .values(acked_at=self._session.now, owner=None, claimed_until=None)
            )
            done += self._session.changed(statement)
        return done

    def postpone(self, sequence: int, owner: str, wait_s: float) -> bool:
        """Give a message back, to be delivered again after `wait_s`. False if it is no longer `owner`'s."""
        statement = (
            update(outbox)
            .where(outbox.c.sequence == sequence, outbox.c.owner == owner, outbox.c.acked_at.is_(None))
            .values(owner=None, claimed_until=self._session.now + timedelta(seconds=wait_s))
        )
        return self._session.changed(statement) == 1

    def waiting(self, topics: Sequence[str] | None = None) -> int:
        """How many messages are not acknowledged yet."""
        return self._sql.scalar(select(func.count()).select_from(_open(topics).subquery())) or 0

    def failing(self, deliveries: int) -> list[Message]:
        """Open messages that were delivered at least so often, oldest first."""
        query = (
            select(outbox)
            .where(outbox.c.acked_at.is_(None), outbox.c.deliveries >= deliveries)
            .order_by(outbox.c.sequence)
        )
        return [_message(row) for row in self._sql.execute(query)]

    def prune(self, before: datetime) -> int:
        """Forget messages acknowledged before a moment. Their causes could then be published once more."""
        return self._session.changed(delete(outbox).where(outbox.c.acked_at < before))


def _open(topics: Sequence[str] | None) -> Any:
    query = select(outbox.c.sequence).where(outbox.c.acked_at.is_(None))
    return query if topics is None else query.where(outbox.c.topic.in_(topics))


def _message(row: Row[Any]) -> Message:
    return Message(
        row.sequence, row.topic, row.cause, decode(row.body, dict[str, Any]), row.published_at, row.deliveries
    )
