"""The outbox: with its transaction, at least once, once by cause, and never lost."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from holdfast.core.domain import FrozenClock
from holdfast.core.store import Store

CAUSES = st.sampled_from([f"c{number}" for number in range(6)])
OWNERS = st.sampled_from(["ann", "ben"])


class OutboxMachine(RuleBasedStateMachine):
    """Against lists: what waits, who holds what until when, what is done."""

    store: ClassVar[Store]
    clock: ClassVar[FrozenClock]

    def __init__(self) -> None:
        super().__init__()
        self.topic = uuid.uuid4().hex
        self.now = 0.0
        self.published: list[str] = []
        self.done: set[str] = set()
        self.until: dict[str, float] = {}
        self.owner: dict[str, str] = {}
        self.deliveries: dict[str, int] = {}
        self.sequences: dict[str, int] = {}

    @rule(cause=CAUSES, fails=st.booleans())
    def publish(self, cause: str, fails: bool) -> None:
        class Undone(Exception):  # noqa: N818
            pass

        try:
            with self.store.transaction() as tx:
                assert tx.outbox.publish(self.topic, cause, {"cause": cause}) == (cause not in self.published)
                if fails:
                    raise Undone
        except Undone:
            return
        if cause not in self.published:
            self.published.append(cause)

    @rule(owner=OWNERS, limit=st.integers(1, 3), ttl=st.integers(1, 20))
    def claim(self, owner: str, limit: int, ttl: int) -> None:
        free = [c for c in self.published if c not in self.done and self.until.get(c, 0) <= self.now][:limit]
        with self.store.transaction() as tx:
            messages = tx.outbox.claim_batch(owner, topics=[self.topic], limit=limit, ttl_s=ttl)
        assert [message.cause for message in messages] == free
        for message in messages:
            self.until[message.cause] = self.now + ttl
            self.owner[message.cause] = owner
            self.deliveries[message.cause] = self.deliveries.get(message.cause, 0) + 1
            self.sequences[message.cause] = message.sequence
            assert message.deliveries == self.deliveries[message.cause]
            assert message.body == {"cause": message.cause}

    @rule(cause=CAUSES)
    def ack(self, cause: str) -> None:
        if cause in self.sequences:
            with self.store.transaction() as tx:
                assert tx.outbox.ack([self.sequences[cause]]) == (cause not in self.done)
            self.done.add(cause)

    @rule(cause=CAUSES, owner=OWNERS, wait=st.integers(0, 20))
    def postpone(self, cause: str, owner: str, wait: int) -> None:
        if cause not in self.sequences:
            return
        mine = cause not in self.done and self.owner.get(cause) == owner
        with self.store.transaction() as tx:
            assert tx.outbox.postpone(self.sequences[cause], owner, wait) == mine
        if mine:
            self.until[cause] = self.now + wait
            del self.owner[cause]

    @rule(seconds=st.integers(1, 25))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.clock.advance(timedelta(seconds=seconds))

    @invariant()
    def nothing_is_lost(self) -> None:
        with self.store.reading() as tx:
            assert tx.outbox.waiting([self.topic]) == len(set(self.published) - self.done)


def test_the_outbox_delivers_as_lists_say(store: Store, clock: FrozenClock) -> None:
    machine = type("Machine", (OutboxMachine,), {"store": store, "clock": clock})
    run_state_machine_as_test(machine, settings=settings(max_examples=12, stateful_step_count=25, deadline=None))


def test_topics_have_causes_of_their_own(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.outbox.publish("a", "c", {})
        assert tx.outbox.publish("b", "c", {})
        assert [message.topic for message in tx.outbox.claim_batch("w", topics=["b"])] == ["b"]
        assert [message.topic for message in tx.outbox.claim_batch("w")] == ["a"]
        assert tx.outbox.claim_batch("w", topics=[]) == []
        assert tx.outbox.waiting() == 2


def test_an_acknowledgement_counts_once_and_may_come_late(store: Store, clock: FrozenClock) -> None:
    with store.transaction() as tx:
        tx.outbox.publish("t", "c", {})
        (message,) = tx.outbox.claim_batch("slow", ttl_s=1)
        clock.advance(timedelta(seconds=2))
        assert [again.deliveries for again in tx.outbox.claim_batch("quick")] == [2]
        assert tx.outbox.ack([message.sequence]) == 1
        assert tx.outbox.ack([message.sequence]) == 0
        assert not tx.outbox.postpone(message.sequence, "quick", 0)


def test_workers_at_once_share_the_messages(store: Store) -> None:
    with store.transaction() as tx:
        for number in range(60):
            tx.outbox.publish("t", str(number), {})
    claimed: list[str] = []

    def work(owner: str) -> None:
        while messages := store.run(lambda tx: tx.outbox.claim_batch(owner, limit=7)):
            claimed.extend(message.cause for message in messages)
            store.run(lambda tx, messages=messages: tx.outbox.ack(message.sequence for message in messages))

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed, key=int) == [str(number) for number in range(60)]
    with store.reading() as tx:
        assert tx.outbox.waiting() == 0


def test_old_news_can_be_pruned(store: Store, clock: FrozenClock) -> None:
    with store.transaction() as tx:
        for cause in ("old", "new", "open"):
            tx.outbox.publish("t", cause, {})
        old, new, _ = tx.outbox.claim_batch("w")
        tx.outbox.ack([old.sequence])
        clock.advance(timedelta(days=1))
        tx.outbox.ack([new.sequence])
        assert tx.outbox.prune(clock()) == 1
        assert tx.outbox.waiting() == 1
        assert not tx.outbox.publish("t", "new", {})
        assert tx.outbox.publish("t", "old", {})


def test_many_messages_are_acknowledged_in_pieces(store: Store) -> None:
    with store.transaction() as tx:
        for number in range(1100):
            tx.outbox.publish("t", str(number), {})
        messages = tx.outbox.claim_batch("w", limit=2000)
        assert [message.cause for message in messages] == [str(number) for number in range(1100)]
        assert tx.outbox.ack(message.sequence for message in messages) == 1100


@pytest.mark.parametrize("body", [{"a": [1, 2.5, None, "x"]}, {}])
def test_bodies_come_back(store: Store, body: dict[str, Any]) -> None:
    with store.transaction() as tx:
        tx.outbox.publish("t", "c", body)
        assert tx.outbox.claim_batch("w")[0].body == body
