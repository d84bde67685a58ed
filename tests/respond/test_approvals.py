"""Approvals as a state machine: what is grave is enforced exactly while enough different people stand behind it."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alerted import START, fresh_store
from holdfast.core.domain import Cause, Ceiling, FrozenClock
from holdfast.core.domain.response import Order, Run, RunState
from holdfast.core.errors import AccessError, UsageError
from holdfast.respond import people
from holdfast.respond.run import settle

PEOPLE = ("ana@bank.example", "Ana@Bank.Example ", "ben", "cid")


class Approvals(RuleBasedStateMachine):
    """One run with a mild, a capped and a grave order; people, time, and taking it back."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FrozenClock(START)
        self.store = fresh_store(Path(self.folder.name), self.clock)
        orders = (
            Order("watch", "client:m/c", Ceiling.OBSERVE, 7200, asked=True),
            Order("throttle", "client:m/c", Ceiling.WARN, 7200, asked=True, needs=1),
            Order("block", "client:m/c", Ceiling.BLOCK_NEW, 3600, asked=True, needs=2),
        )
        self.run_id = "run_1"
        run = Run(self.run_id, "p", "", Cause("alert", "a"), "m", orders, START)
        self.store.run(lambda tx: (tx.runs.add(run), settle(tx, run.cause)))
        self.consented: list[str] = []
        self.second_at = START
        self.undone = False

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(name=st.sampled_from(PEOPLE))
    def approve(self, name: str) -> None:
        who = name.strip().casefold()
        if self._state() is not RunState.PENDING:
            assert self._refused(name) == "HF-RSP-008"
        elif who in self.consented:
            assert self._refused(name) == "HF-RSP-009"
        else:
            self.store.run(lambda tx: people.approve(tx, self.run_id, name))
            self.consented.append(who)
            self.second_at = self.clock()

    def _refused(self, name: str) -> str:
        with pytest.raises((AccessError, UsageError)) as caught:
            self.store.run(lambda tx: people.approve(tx, self.run_id, name))
        return caught.value.code

    @rule(minutes=st.sampled_from([1, 20, 70]))
    def wait(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    @precondition(lambda self: not self.undone)
    @rule()
    def undo(self) -> None:
        self.store.run(lambda tx: people.undo(tx, self.run_id, "ana", "a test"))
        self.undone = True

    @invariant()
    def enforced_is_what_enough_people_want(self) -> None:
        with self.store.reading() as tx:
            effects = {item.effect: bool(item.body["enforce"]) for item in tx.claims.effects()}
        needs = {"watch": 0, "throttle": 1, "block": 2}
        for effect, enforced in effects.items():
            assert enforced is (len(self.consented) >= needs[effect])
        if self.undone:
            assert effects == {}
        if len(self.consented) == 2 and not self.undone:
            assert ("block" in effects) is (self.clock() < self.second_at + timedelta(hours=1))

    def _state(self) -> RunState:
        with self.store.reading() as tx:
            run = tx.runs.find(self.run_id)
        assert run is not None
        return run.state(self.clock())


TestApprovals = Approvals.TestCase
TestApprovals.settings = settings(max_examples=15, stateful_step_count=10, deadline=None)


@pytest.mark.parametrize("name", ["", "  ", "two words", "a/b", ":x", "x" * 300, "tab\tbed", "@x"])
def test_a_person_has_a_name(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        people.person(name)
    assert caught.value.code == "HF-RSP-012"


def test_one_person_is_one_person_however_the_name_is_written() -> None:
    assert people.person(" Ana@Bank.Example ") == people.person("ana@bank.example")
