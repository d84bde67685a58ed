"""The engine: each reaction answers each cause exactly once, whatever dies, comes twice, or runs beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.domain import FrozenClock, system_clock
from holdfast.core.errors import DataError
from holdfast.core.policy import Snapshot
from holdfast.core.store import Message, Store
from holdfast.loop import engine as engine_module
from holdfast.loop.engine import BATCH, LEASE_S, STUCK_AFTER, Engine
from holdfast.loop.reaction import Reaction, reactions
from holdfast.loop.turn import Surroundings, Turn

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
TOPIC = "test.happened"
NAMES = ("on_test.first", "on_test.second")


class Killed(BaseException):
    """What a kill -9 looks like from inside: nothing after it runs."""


class World:
    """A store, reactions that leave one ledger intent each, and a plan of what goes wrong."""

    def __init__(self, home: Path, database: str | None = None) -> None:
        self.clock = FrozenClock(START)
        self.store = Store.open(database, home, self.clock)
        self.plan: list[str] = []

    def reactions(self) -> dict[str, tuple[Reaction, ...]]:
        return {TOPIC: tuple(Reaction(name, TOPIC, self.react(name)) for name in NAMES)}

    def react(self, name: str) -> Callable[[Turn, Message], None]:
        def answer(turn: Turn, message: Message) -> None:
            turn.tx.intend("test.effect", {"cause": message.cause}, about=f"{name}/{message.cause}")
            fate = self.plan.pop() if self.plan else "fine"
            if fate == "dies":
                raise Killed
            if fate == "fails":
                raise RuntimeError("by plan")

        return answer

    def engine(self, **how: object) -> Engine:
        surroundings = Surroundings(self.store.home, lambda _: Snapshot.builtin())
        return Engine(self.store, surroundings, **how)  # type: ignore[arg-type]

    def publish(self, cause: str) -> None:
        self.store.run(lambda tx: tx.outbox.publish(TOPIC, cause, {"n": cause}))

    def effects(self, cause: str) -> list[int]:
        with self.store.reading() as tx:
            return [len(tx.intents.about(f"{name}/{cause}")) for name in NAMES]

    def finish(self) -> None:
        """Everything goes well from now on, and enough time passes for what was put off."""
        self.plan = []
        for _ in range(12):
            self.clock.advance(timedelta(hours=1))
            self.engine().drain()


@pytest.fixture
def world(tmp_path: Path, database: str | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path, database)
    monkeypatch.setattr(engine_module, "reactions", made.reactions)
    with made.store:
        yield made


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 5)),
        st.tuples(st.just("drain"), st.lists(st.sampled_from(["fine", "fails", "dies"]), max_size=6)),
        st.tuples(st.just("steal"), st.integers(1, 5)),
        st.tuples(st.just("wait"), st.sampled_from([1.0, LEASE_S, 700.0])),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_reaction_answers_a_cause_twice_or_never(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, object]]
) -> None:
    """Kills inside reactions, failures, repeated causes, deliveries to workers that never answer, leases that end."""
    world = World(tmp_path_factory.mktemp("world"))
    monkeypatch.setattr(engine_module, "reactions", world.reactions)
    published = set()
    with world.store:
        for step, said in steps:
            if step == "publish":
                published.add(f"c{said}")
                world.publish(f"c{said}")
            elif step == "wait":
                world.clock.advance(timedelta(seconds=said))  # type: ignore[arg-type]
            elif step == "steal":
                world.store.run(lambda tx, said=said: tx.outbox.claim_batch("lost", limit=said))  # type: ignore[misc]
            else:
                world.plan = list(said)  # type: ignore[call-overload]
                with suppress(Killed):
                    world.engine().drain()
            assert all(max(world.effects(cause)) <= 1 for cause in published)
        world.finish()
        assert [world.effects(cause) for cause in sorted(published)] == [[1, 1]] * len(published)


def test_engines_side_by_side_share_the_work(
    tmp_path: Path, database: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, database)
    world.store.clock = system_clock
    monkeypatch.setattr(engine_module, "reactions", world.reactions)
    causes = [f"c{n}" for n in range(BATCH + 10)]
    for cause in causes:
        world.publish(cause)
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(world.engine().drain())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.engine().drain()
    assert [world.effects(cause) for cause in causes] == [[1, 1]] * len(causes)
    assert sum(done) <= len(causes)
    world.store.close()


def test_a_second_delivery_of_what_was_answered_does_nothing(world: World) -> None:
    world.publish("c")
    with world.store.transaction() as tx:
        (late,) = tx.outbox.claim_batch("slow", topics=[TOPIC])
    world.clock.advance(timedelta(seconds=LEASE_S + 1))
    assert world.engine().drain() == 1
    engine = world.engine()
    assert engine._answer(late)
    assert world.effects("c") == [1, 1]


def test_what_fails_waits_longer_each_time_and_is_told_when_it_is_stuck(world: World) -> None:
    told: list[tuple[Message, Exception]] = []
    engine = world.engine(on_fault=lambda message, fault: told.append((message, fault)))
    world.publish("c")
    for number in range(1, STUCK_AFTER + 1):
        world.plan = ["fails"]
        assert engine.drain() == 0
        assert world.effects("c") == [0, 0], "the effects of a failure go with it"
        assert len(told) == (1 if number >= STUCK_AFTER else 0)
        assert engine.drain() == 0, "not before its time"
        world.clock.advance(timedelta(seconds=2.0**number))
    assert [message.cause for message in engine.stuck()] == ["c"]
    assert engine.drain() == 1
    assert engine.stuck() == []


def test_a_fault_of_our_own_is_told_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(turn: Turn, message: Message) -> None:
        raise DataError("no", cause="c", fix="f", code="HF-INT-004")

    told: list[Message] = []
    monkeypatch.setattr(engine_module, "reactions", lambda: {TOPIC: (Reaction("r", TOPIC, refuse),)})
    world.publish("c")
    world.engine(on_fault=lambda message, _: told.append(message)).drain()
    assert [message.cause for message in told] == ["c"]


def test_a_whole_batch_of_failures_does_not_keep_others_from_their_turn(world: World) -> None:
    for n in range(BATCH + 5):
        world.publish(f"c{n:03}")
    world.plan = ["fails"] * BATCH
    assert world.engine().drain() == 5
    world.finish()
    assert {tuple(world.effects(f"c{n:03}")) for n in range(BATCH + 5)} == {(1, 1)}


def test_every_reaction_of_the_house_is_found_under_an_id_of_its_own() -> None:
    found = [item for items in reactions().values() for item in items]
    assert len({(item.id, item.topic) for item in found}) == len(found)
    assert {"on_intel.weigh_the_news", "on_withdrawal.undo_by_deriving", "on_expiry.judge_again"} <= {
        item.id for item in found
    }
