"""The engine: takes messages out of the outbox and lets reactions answer, each cause once, however often it is killed.

A reaction's effects, the note that it has answered, and the acknowledgement are one transaction. What fails is tried
again later and stays in the outbox until it succeeds; `stuck` says what keeps failing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.core.errors import HoldfastError
from holdfast.core.store import Message, Store, Transaction, new_owner
from holdfast.loop.on_expiry import publish_expired
from holdfast.loop.reaction import reactions
from holdfast.loop.turn import Surroundings, Turn

BATCH = 50
LEASE_S = 60.0
LONGEST_WAIT_S = 600.0
STUCK_AFTER = 5
"""Deliveries after which a message counts as stuck."""


@dataclass
class Engine:
    """Turns the loop for one store. Several may run at once, in threads or processes."""

    store: Store
    surroundings: Surroundings
    on_fault: Callable[[Message, Exception], None] = lambda _message, _fault: None
    owner: str = field(default_factory=new_owner)
    lease_s: float = LEASE_S
    _ticked: datetime | None = None

    def drain(self, *, turns: int = 10_000) -> int:
        """Answer messages until none is open that can be answered now. Returns how many were."""
        done = 0
        while done < turns and (messages := self._batch()):
            # What fails is put off into the future, so it does not come back here, and the others get their turn.
            done += sum(self._answer(message) for message in messages)
        return done

    def tick(self) -> int:
        """Tell what has come to an end by time alone: verdicts, claims, acceptances. Harmless to repeat."""
        now = self.store.clock()
        since = self._ticked or now - timedelta(days=400)
        published = self.store.run(lambda tx: publish_expired(tx, since, now))
        self._ticked = now
        return published

    def stuck(self) -> list[Message]:
        """Messages that keep failing."""
        with self.store.reading() as tx:
            return tx.outbox.failing(STUCK_AFTER)

    def _batch(self) -> list[Message]:
        topics = list(reactions())
        with self.store.reading() as tx:
            if not tx.outbox.waiting(topics):
                return []
        return self.store.run(
            lambda tx: tx.outbox.claim_batch(self.owner, topics=topics, limit=BATCH, ttl_s=self.lease_s)
        )

    def _answer(self, message: Message) -> bool:
        try:
            self.store.run(lambda tx: self._react(tx, message))
        except Exception as fault:
            # Anything may go wrong in a reaction; the message must outlive it, and the others must get their turn.
            wait_s = min(LONGEST_WAIT_S, 2.0**message.deliveries)
            self.store.run(lambda tx: tx.outbox.postpone(message.sequence, self.owner, wait_s))
            if isinstance(fault, HoldfastError) or message.deliveries >= STUCK_AFTER:
                self.on_fault(message, fault)
            return False
        return True

    def _react(self, tx: Transaction, message: Message) -> None:
        turn = Turn(tx, self.surroundings, message.cause)
        for item in reactions()[message.topic]:
            if tx.reactions.first_time(item.id, message.topic, message.cause):
                item.react(turn, message)
        tx.outbox.ack([message.sequence])
