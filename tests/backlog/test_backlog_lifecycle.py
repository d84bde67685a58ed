"""The life of an item: people claim, results prove; no order of steps leads anywhere else."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.backlog.lifecycle import claim, person, record, start
from holdfast.core.domain import FrozenClock, from_iso
from holdfast.core.domain.backlog import MOVES, BacklogItem, ItemState, Step, advance, fold
from holdfast.core.errors import UsageError
from holdfast.core.store import Store

from .conftest import NOW, Estate, finding

PEOPLE_SAY = {Step.PLANNED, Step.RELEASED, Step.STARTED, Step.CLAIMED, Step.NOTED}


def test_only_a_result_proves() -> None:
    proving = {step for step, moves in MOVES.items() if ItemState.PROVEN in set(moves.values()) - set(moves)}
    leading = {step for step, moves in MOVES.items() for old, new in moves.items() if new is ItemState.PROVEN != old}
    assert proving | leading == {Step.PROVEN}
    assert all(ItemState.PROVEN not in set(MOVES[step].values()) - {ItemState.PROVEN} for step in PEOPLE_SAY)


def test_an_item_walks_from_found_to_proven(estate: Estate) -> None:
    item = estate.failing(versions="v1 v2")
    estate.deploy("v1")
    estate.later(hours=1)
    estate.do(lambda tx: start(tx, item, "ana"))
    assert estate.item().assignee == "ana"
    estate.move(lambda tx, held: claim(tx, held, person("ana"), "hardened"))
    assert (estate.item().state, estate.item().claimed_at) == (ItemState.CLAIMED, estate.clock())
    estate.later(hours=1)
    estate.see("evasion.search", "v2", success=0.01)
    estate.see("data.contract", "v2")
    key = estate.judge(version="v2")
    assert estate.item().state is ItemState.CLAIMED, "a good version that does not serve proves nothing"
    estate.deploy("v2")
    proven = estate.item()
    assert (proven.state, proven.proof, proven.proven_at) == (ItemState.PROVEN, key, estate.clock())
    assert estate.steps() == ["opened", "started", "claimed", "proven"]
    assert estate.leaves() == ["backlog.opened", "backlog.started", "backlog.claimed", "backlog.proven"]


def test_what_was_synced_stays_as_it_is(estate: Estate) -> None:
    estate.failing()
    assert estate.sync() == 0
    assert estate.steps() == ["opened"]


def test_a_claim_is_sent_back_by_a_newer_result_of_the_same_check_only(one: Estate) -> None:
    item = one.failing()
    one.later(hours=1)
    one.move(lambda tx, held: claim(tx, held, person("ana"), "done"))
    one.later(hours=1)
    one.see("data.contract")
    one.judge(finding())
    assert one.item().state is ItemState.CLAIMED, "nothing new was measured by its own check"
    one.see("evasion.search", success=0.6)
    one.judge(finding())
    assert one.item().state is ItemState.ACTIVE
    last = one.do(lambda tx: tx.backlog.history(item.id))[-1]
    assert last.step is Step.RETURNED
    assert "still finds it" in last.why


def test_what_comes_back_is_reopened_with_a_new_clock(one: Estate) -> None:
    one.failing()
    one.later(days=2)
    one.see("evasion.search", success=0.01)
    one.judge()
    assert one.item().state is ItemState.PROVEN
    one.later(days=2)
    one.see("evasion.search", success=0.7)
    one.judge(finding())
    item = one.item()
    assert (item.state, item.reopened, item.opened_at) == (ItemState.OPEN, 1, one.clock())
    assert item.proof is None


def test_a_finding_on_what_does_not_serve_is_kept_and_marked(one: Estate) -> None:
    one.model(versions="v1 v2")
    one.see("evasion.search", success=0.01)
    one.judge()
    one.deploy("v1")
    one.see("evasion.search", "v2", success=0.9)
    one.judge(finding(), version="v2")
    item = one.item()
    assert item.elsewhere
    assert not item.undone
    with pytest.raises(UsageError, match="cannot be 'claimed'"):
        one.move(lambda tx, held: claim(tx, held, person("ana"), "done"))
    one.later(days=1)
    one.deploy("v2")
    here = one.item()
    assert (here.elsewhere, here.opened_at) == (False, one.clock())
    assert not here.escaped, "it was known before the version served"


def test_what_is_first_found_on_a_serving_version_has_escaped(one: Estate) -> None:
    one.model()
    one.see("evasion.search", success=0.01)
    one.judge()
    one.deploy("v1")
    one.later(days=1)
    one.see("evasion.search", success=0.9)
    one.judge(finding())
    assert one.item().escaped


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 129, "ana\n", "аna"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        person(name)
    assert caught.value.code == "HF-BLG-003"


def test_steps_that_do_not_exist_are_refused_with_a_code(one: Estate) -> None:
    one.failing()
    one.move(lambda tx, held: claim(tx, held, person("ana"), "done"))
    with pytest.raises(UsageError) as caught:
        one.move(lambda tx, held: start(tx, held, "ana"))
    assert caught.value.code == "HF-BLG-002"
    assert one.steps() == ["opened", "claimed"]


def test_moments_of_an_item_never_run_backwards(one: Estate) -> None:
    item = one.failing()
    early = from_iso("2020-01-01T00:00:00Z")
    one.do(lambda tx: record(tx, item, Step.NOTED, actor="person:ana", why="late news", effective_at=early))
    history = one.do(lambda tx: tx.backlog.history(item.id))
    assert history[-1].effective_at == item.opened_at


class Life(RuleBasedStateMachine):
    """Any order of what people say and what checks find; the rules hold after each."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.clock = FrozenClock(NOW)
        self.store = Store.open(None, self.folder, self.clock)
        self.estate = Estate(self.store, self.clock)
        self.estate.failing()
        self.present = True
        self.fresh_since_claim = False

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    @property
    def item(self) -> BacklogItem:
        return self.estate.item()

    def _say(self, step: Step, **body: Any) -> None:
        before = self.item.state
        self.estate.later(minutes=1)
        try:
            self.estate.move(lambda tx, held: record(tx, held, step, actor="person:ana", why="said", body=body))
        except UsageError:
            assert before not in MOVES[step]
        else:
            assert self.item.state is MOVES[step][before]
            assert self.item.state is not ItemState.PROVEN or before is ItemState.PROVEN

    @rule(step=st.sampled_from(sorted(PEOPLE_SAY - {Step.PLANNED})))
    def people(self, step: Step) -> None:
        self._say(step)

    @rule()
    def planned(self) -> None:
        self._say(Step.PLANNED, sprint="s1")

    @rule(found=st.booleans())
    def measured(self, found: bool) -> None:
        before = self.item.state
        self.estate.later(minutes=1)
        self.estate.see("evasion.search", success=0.5)
        self.estate.judge(*([finding()] if found else []))
        self.present = found
        if not found:
            assert self.item.state is ItemState.PROVEN
        elif before is ItemState.PROVEN:
            assert self.item.state is ItemState.OPEN
        else:
            assert self.item.state is (ItemState.ACTIVE if before is ItemState.CLAIMED else before)

    @precondition(lambda self: hasattr(self, "estate"))
    @invariant()
    def proven_is_what_the_check_says(self) -> None:
        assert (self.item.state is ItemState.PROVEN) is not self.present
        assert (self.item.proof is not None) is (self.item.state is ItemState.PROVEN)

    @precondition(lambda self: hasattr(self, "estate"))
    @invariant()
    def the_journal_amounts_to_the_item(self) -> None:
        assert fold(self.estate.do(lambda tx: tx.backlog.entries()))[self.item.id] == self.item
        assert self.estate.sync() == 0
        assert len(self.estate.leaves()) == len(self.estate.steps())


Life.TestCase.settings = settings(
    max_examples=8, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLife = Life.TestCase


def test_a_journal_cannot_begin_in_the_middle(one: Estate) -> None:
    one.failing()
    entry = one.do(lambda tx: tx.backlog.entries())[0]
    with pytest.raises(ValueError, match="not possible"):
        advance(advance(None, entry), entry)
