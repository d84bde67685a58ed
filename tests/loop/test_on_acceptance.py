"""Acceptances end by themselves, by a red check, or by a person, and the engine opens the item again, once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.backlog.acceptance import Wish, approve, request, withdraw
from holdfast.core.domain import (
    Fact,
    Finding,
    FrozenClock,
    Judgement,
    Measurement,
    Model,
    ModelVersion,
    Observation,
    Reason,
    Recorded,
    Severity,
    Task,
    Tier,
    Verdict,
    digest,
    fingerprint,
)
from holdfast.core.domain.backlog import BacklogItem, ItemState, item_id
from holdfast.core.policy import Policy, Snapshot
from holdfast.core.store import Inputs, Store
from holdfast.loop.engine import Engine
from holdfast.loop.on_observation import keep
from holdfast.loop.turn import Surroundings

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
FOUND = Finding(fingerprint("m", "e.s", None, ""), "weak", Severity.HIGH, None, "m", "e.s", "it is weak")
RED = Finding(fingerprint("m", "d.c", None, ""), "broken", Severity.LOW, None, "m", "d.c", "it broke")


@dataclass
class World:
    store: Store
    clock: FrozenClock
    engine: Engine
    number: int = 0

    def see(self, check: str) -> None:
        self.number += 1
        seen = Observation.of(Fact("kind", "value"), Measurement("n", 1.0, "share"))
        record = Recorded(digest([check, self.number]), check, 1, "m", "v1", seen, self.clock(), 0.1)
        self.store.run(lambda tx: tx.observations.add(record))

    def judge(self, *found: Finding) -> None:
        self.number += 1
        reasons = tuple(Reason(one.rule, Verdict.FAILED, "w", "f") for one in found)
        verdict = Verdict.FAILED if found else Verdict.PASSED
        policy = Policy.builtin("baseline")
        key, now = digest(["j", self.number]), self.clock()
        judged = Judgement(key, "m", "v1", verdict, True, reasons, found, "b", policy.digest, digest("i"), now, None)
        self.store.run(lambda tx: keep(tx, judged, policy, Inputs()))
        self.engine.drain()

    @property
    def item(self) -> BacklogItem:
        item = self.store.run(lambda tx: tx.backlog.find(item_id(FOUND.fingerprint)))
        assert item is not None
        return item

    def accept(self, days: float = 10) -> None:
        wish = Wish("ana", "ben", self.clock() + timedelta(days=days), "d.c", "soon")
        item = self.item
        self.store.run(lambda tx: request(tx, item, wish))
        self.store.run(lambda tx: approve(tx, item, "ben"))
        self.engine.drain()

    def steps(self) -> list[str]:
        item = self.item
        return [entry.step.value for entry in self.store.run(lambda tx: tx.backlog.history(item.id))]


@pytest.fixture
def world(database: str | None, tmp_path: Path) -> Iterator[World]:
    clock = FrozenClock(NOW)
    with Store.open(database, tmp_path, clock) as store:
        model = Model("m", "u", "eu", "o", Tier.HIGH, "p", Task("binary"))
        store.run(lambda tx: tx.models.register(model, ModelVersion("m", "v1", "onnx"), {}))
        engine = Engine(store, Surroundings(tmp_path, lambda _: Snapshot.builtin()))
        made = World(store, clock, engine)
        made.see("e.s")
        made.see("d.c")
        made.judge(FOUND)
        yield made


def test_time_ends_it_and_the_clock_starts_at_that_end(world: World) -> None:
    world.accept(days=10)
    assert world.item.state is ItemState.ACCEPTED
    world.engine.tick()
    assert world.item.state is ItemState.ACCEPTED
    world.clock.advance(timedelta(days=10, hours=3))
    world.engine.tick()
    world.engine.drain()
    assert world.item.state is ItemState.OPEN
    assert world.item.opened_at == NOW + timedelta(days=10)
    (ended,) = world.store.run(lambda tx: tx.acceptances.of_item(world_id(world)))
    assert (ended.ended_at, ended.approved) == (NOW + timedelta(days=10), False)
    before = world.steps()
    world.engine.tick()
    world.engine.drain()
    assert world.steps() == before == ["opened", "noted", "accepted", "reopened"]


def world_id(_: World) -> str:
    return item_id(FOUND.fingerprint)


def test_a_red_check_ends_it(world: World) -> None:
    world.accept()
    world.clock.advance(timedelta(days=1))
    world.see("d.c")
    world.judge(FOUND, RED)
    assert world.item.state is ItemState.OPEN
    assert world.item.opened_at == world.clock()
    kinds = [kind for kind, _ in world.store.run(lambda tx: tx.intents.about(world_id(world)))]
    assert kinds[-2:] == ["acceptance.ended", "backlog.reopened"]


def test_a_person_ends_it(world: World) -> None:
    world.accept()
    world.clock.advance(timedelta(days=1))
    item = world.item
    world.store.run(lambda tx: withdraw(tx, item, "eve", "seen live"))
    world.engine.drain()
    assert world.item.state is ItemState.OPEN
    history = world.store.run(lambda tx: tx.backlog.history(item.id))
    assert history[-1].why == "no longer accepted: seen live"


def test_a_finding_that_goes_is_proven_and_one_that_comes_is_opened(world: World) -> None:
    assert world.item.state is ItemState.OPEN
    world.clock.advance(timedelta(days=1))
    world.see("e.s")
    world.judge()
    assert world.item.state is ItemState.PROVEN
    world.clock.advance(timedelta(days=1))
    world.judge(FOUND)
    assert (world.item.state, world.item.reopened) == (ItemState.OPEN, 1)
    assert world.steps() == ["opened", "proven", "reopened"]
