"""Leases: one holder at a time, whatever the order of claims, ends and deaths."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from holdfast.core.domain import FrozenClock
from holdfast.core.store import Store, new_owner

OWNERS = st.sampled_from(["ann", "ben", "cem"])
KEYS = st.sampled_from(["a", "b"])
TTL = st.integers(1, 20)


class LeaseMachine(RuleBasedStateMachine):
    """Against a dictionary of key to (owner, end)."""

    store: ClassVar[Store]
    clock: ClassVar[FrozenClock]

    def __init__(self) -> None:
        super().__init__()
        self.run = uuid.uuid4().hex
        self.held: dict[str, tuple[str, float]] = {}
        self.now = 0.0

    def holder(self, key: str) -> str | None:
        owner, end = self.held.get(key, ("", 0.0))
        return owner if end > self.now else None

    def name(self, key: str) -> str:
        return f"{self.run}-{key}"

    @rule(key=KEYS, owner=OWNERS, ttl=TTL)
    def claim(self, key: str, owner: str, ttl: int) -> None:
        free = self.holder(key) in (None, owner)
        with self.store.transaction() as tx:
            assert tx.leases.claim(self.name(key), owner, ttl) == free
        if free:
            self.held[key] = (owner, self.now + ttl)

    @rule(key=KEYS, owner=OWNERS, ttl=TTL)
    def renew(self, key: str, owner: str, ttl: int) -> None:
        mine = self.holder(key) == owner
        with self.store.transaction() as tx:
            assert tx.leases.renew(self.name(key), owner, ttl) == mine
        if mine:
            self.held[key] = (owner, self.now + ttl)

    @rule(key=KEYS, owner=OWNERS)
    def release(self, key: str, owner: str) -> None:
        mine = key in self.held and self.held[key][0] == owner
        with self.store.transaction() as tx:
            assert tx.leases.release(self.name(key), owner) == mine
        if mine:
            del self.held[key]

    @rule(seconds=st.integers(1, 25))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.clock.advance(timedelta(seconds=seconds))

    @invariant()
    def the_holder_is_known(self) -> None:
        with self.store.reading() as tx:
            found = tx.leases.holders([self.name(key) for key in "ab"])
        assert found == {self.name(key): self.holder(key) for key in "ab" if self.holder(key) is not None}


def test_leases_are_held_as_a_dictionary_says(store: Store, clock: FrozenClock) -> None:
    machine = type("Machine", (LeaseMachine,), {"store": store, "clock": clock})
    run_state_machine_as_test(machine, settings=settings(max_examples=12, stateful_step_count=25, deadline=None))


def test_of_many_claims_at_once_one_wins(store: Store) -> None:
    for key in ("x", "y", "z"):
        wins: list[str] = []
        gate = threading.Barrier(6)

        def claim(key: str = key, wins: list[str] = wins, gate: threading.Barrier = gate) -> None:
            owner = new_owner()
            gate.wait()
            if store.run(lambda tx: tx.leases.claim(key, owner, 60)):
                wins.append(owner)

        threads = [threading.Thread(target=claim) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(wins) == 1
        with store.reading() as tx:
            assert tx.leases.holder(key) == wins[0]
