"""Taking events in: once each, in one order, through restarts, other processes, crashes in between and full queues."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

import happenings
from holdfast.core.domain import FrozenClock
from holdfast.core.errors import StoreError
from holdfast.core.store import Store
from holdfast.watch.catalogue import verify
from holdfast.watch.events import RefusedError
from holdfast.watch.intake import Intake, OverloadedError
from holdfast.watch.log import Log, Receipt
from holdfast.watch.packs import PackWriter
from holdfast.watch.retention import release
from holdfast.watch.segments import Segments
from holdfast.watch.settings import WatchSettings

QUICK = WatchSettings(group_wait_ms=0, seal_segments=3, pack_bytes=1 << 20)


def kept(store: Store, *models: str) -> Counter[str]:
    """Every event id in the store."""
    segments = Segments(store)
    return Counter(
        one
        for model in models or segments.models()
        for row, _ in segments.after(model, 0, 10_000, max_rows=10**9)
        for one in segments.read(row, ["event_id"])["event_id"].to_pylist()
    )


@pytest.fixture
def store(database: str | None, tmp_path: Path) -> Any:
    with Store.open(database, tmp_path / "state", FrozenClock(happenings.NOON)) as store:
        yield store


def test_events_are_kept_once_and_read_back_as_sent(store: Store) -> None:
    sent = happenings.events(range(10), score=[0.5] * 10, decision=["no"] * 10)
    with Intake(store, QUICK, known=lambda _: True) as intake:
        assert intake.append(sent) == Receipt(10, 0)
        assert intake.append(sent) == Receipt(0, 10)
        assert intake.append(happenings.events(range(8, 12))) == Receipt(2, 2)
    (first, table), (second, _) = Segments(store).after("m", 0)
    assert table.equals(sent)
    assert (first.sequence, second.sequence) == (1, 2)
    assert Segments(store).after("m", 1)[0][0] == second
    assert Segments(store).after("other", 0) == []


def test_a_repeat_is_noticed_within_a_request_after_a_restart_and_by_model(store: Store) -> None:
    twice = happenings.events([1, 2, 1, 2, 3])
    with Intake(store, QUICK, known=lambda _: True) as intake:
        assert intake.append(twice) == Receipt(3, 2)
    with Intake(store, QUICK, known=lambda _: True) as intake:
        assert intake.append(twice) == Receipt(0, 5)
        assert intake.append(happenings.events([1, 2], model="other")) == Receipt(2, 0)


def test_a_request_of_several_models_becomes_a_segment_for_each(store: Store) -> None:
    with Intake(store, QUICK, known=lambda _: True) as intake:
        intake.append(happenings.events(range(4), model=["a", "b", "a", "b"]))
    assert Segments(store).models() == ["a", "b"]
    ((_, table),) = Segments(store).after("b", 0)
    assert table["event_id"].to_pylist() == ["e1", "e3"]


class IntakeMachine(RuleBasedStateMachine):
    """Two processes on one store, restarted at will, against a set."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.model = f"m{id(self)}"
        self.known: set[str] = set()
        self.arrived: set[int] = set()
        self.logs = [Intake(self.store, QUICK, known=lambda _: True) for _ in range(2)]

    @rule(which=st.integers(0, 1), numbers=st.lists(st.integers(0, 40), min_size=1, max_size=15))
    def append(self, which: int, numbers: list[int]) -> None:
        receipt = self.logs[which].append(happenings.events(numbers, model=self.model, producer=self.model))
        fresh = {f"e{n}" for n in numbers} - self.known
        assert receipt == Receipt(len(fresh), len(numbers) - len(fresh))
        self.known |= fresh
        self.arrived |= set(numbers)

    @rule(batches=st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=8), min_size=2, max_size=5))
    def together(self, batches: list[list[int]]) -> None:
        waiting = [
            self.logs[place % 2].submit(happenings.events(batch, model=self.model, producer=self.model))
            for place, batch in enumerate(batches)
        ]
        accepted = sum(answer.result().accepted for answer in waiting)
        fresh = {f"e{n}" for batch in batches for n in batch} - self.known
        assert accepted == len(fresh)
        self.known |= fresh
        self.arrived |= {n for batch in batches for n in batch}

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.logs[which].close()
        self.logs[which] = Intake(self.store, QUICK, known=lambda _: True)

    @invariant()
    def each_is_kept_once(self) -> None:
        assert kept(self.store, self.model) == Counter(self.known)
        with self.store.reading() as tx:
            row = tx.producers.find([(self.model, 1)]).get((self.model, 1))
        missing = {n for hole in (row.missing if row else ()) for n in range(hole.first, hole.last + 1)}
        assert set(range(row.last + 1 if row else 0)) - missing == self.arrived

    def teardown(self) -> None:
        for log in self.logs:
            log.close()
        assert verify(self.store).ok


def test_any_interleaving_of_batches_repeats_and_processes(store: Store) -> None:
    machine = type("Machine", (IntakeMachine,), {"store": store})
    run_state_machine_as_test(machine, settings=settings(max_examples=5, stateful_step_count=10, deadline=None))


def test_many_threads_share_writes_and_each_hears_of_its_own(store: Store) -> None:
    receipts: dict[int, Receipt] = {}

    def send(number: int) -> None:
        receipts[number] = intake.append(happenings.events(range(10 * number, 10 * number + 20)))

    with Intake(store, WatchSettings(group_wait_ms=50), known=lambda _: True) as intake:
        threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert intake.stats.groups < 8
    assert sum(receipt.accepted for receipt in receipts.values()) == 90
    assert all(receipt.accepted + receipt.repeated == 20 for receipt in receipts.values())
    assert len(kept(store)) == 90


def test_a_model_nobody_registered_is_refused_or_kept_apart(store: Store) -> None:
    with Intake(store, QUICK) as intake, pytest.raises(RefusedError) as caught:
        intake.append(happenings.events(range(3)))
    assert caught.value.code == "HF-WAT-005"
    assert [fault.row for fault in caught.value.rows] == [0, 1, 2]
    apart = QUICK.model_copy(update={"unknown_model": "quarantine"})
    with Intake(store, apart) as intake:
        assert intake.append(happenings.events(range(3))) == Receipt(3, 0)
        assert intake.append(happenings.events(range(3))) == Receipt(0, 3)
        assert Segments(store).after("m", 0) == []
        assert release(store, "m") == 1
        assert release(store, "m") == 0
        assert intake.append(happenings.events(range(5))) == Receipt(2, 3)
    assert len(kept(store, "m")) == 3, "still strangers: only what was released is seen"
    with store.reading() as tx:
        assert tx.intents.about("events:2") == [("events.released", None)]
    assert verify(store).ok


def test_a_full_queue_refuses_and_keeps_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    real = Log.commit

    def slow(self: Log, group: Any) -> Any:
        go_on.wait(10)
        return real(self, group)

    monkeypatch.setattr(Log, "commit", slow)
    with Intake(store, WatchSettings(queue_bytes=1 << 20), known=lambda _: True) as intake:
        waiting: list[Any] = []
        batches = (happenings.events(range(number * 100, number * 100 + 100)) for number in range(1000))
        with pytest.raises(OverloadedError) as caught:
            waiting.extend(intake.submit(batch) for batch in batches)
        assert caught.value.code == "HF-WAT-010"
        assert intake.stats.waiting_bytes <= 1 << 20
        go_on.set()
        assert all(answer.result().accepted == 100 for answer in waiting)
        assert intake.stats.waiting_bytes == 0
    assert len(kept(store)) == 100 * len(waiting)


def test_a_disk_that_fails_is_told_and_the_same_events_are_kept_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with Intake(store, QUICK, known=lambda _: True) as intake:
        intake.append(happenings.events(range(3)))
        with monkeypatch.context() as patched:
            patched.setattr("os.fdatasync", full)
            with pytest.raises(StoreError) as caught:
                intake.append(happenings.events(range(3, 6)))
        assert caught.value.code == "HF-WAT-011"
        assert "No space left" in caught.value.cause
        assert intake.append(happenings.events(range(6))) == Receipt(3, 3)
    assert kept(store) == Counter(f"e{n}" for n in range(6))


def test_a_commit_whose_answer_was_lost_is_not_doubled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Store.run

    def lost(self: Store, work: Any) -> Any:
        real(self, work)
        raise StoreError("the line is cut", cause="c", fix="f", code="HF-STO-003")

    with Intake(store, QUICK, known=lambda _: True) as intake:
        with monkeypatch.context() as patched:
            patched.setattr(Store, "run", lost)
            with pytest.raises(StoreError):
                intake.append(happenings.events(range(3)))
        assert intake.append(happenings.events(range(3))) == Receipt(0, 3)
    assert kept(store) == Counter(["e0", "e1", "e2"])


def test_files_without_rows_are_swept_and_those_being_written_are_not(store: Store) -> None:
    with Intake(store, QUICK, known=lambda _: True) as intake:
        intake.append(happenings.events(range(3)))
        orphan = PackWriter(intake._log.packs, "orphan")
        orphan.append([b"never acknowledged"])
        Intake(store, QUICK).close()
        assert "orphan.pack" in intake._log.packs.names()
        orphan.close()
        Intake(store, QUICK).close()
        assert len(intake._log.packs.names()) == 1
        assert intake.append(happenings.events(range(3, 6))) == Receipt(3, 0)


def test_a_pack_that_vanished_under_its_writer_is_written_anew(store: Store) -> None:
    with Intake(store, QUICK, known=lambda _: True) as intake:
        intake.append(happenings.events(range(3)))
        assert intake._log._writer is not None
        intake._log.packs.path(intake._log._writer.name).unlink()
        intake.append(happenings.events(range(3, 6)))
        assert len(verify(store).damaged) == 1
        assert intake.append(happenings.events(range(3))) == Receipt(0, 3)
    with Intake(store, QUICK, known=lambda _: True) as intake:
        assert intake.append(happenings.events(range(6))) == Receipt(3, 3), "what is lost is taken in again"


def test_the_ledger_is_told_of_runs_of_segments(store: Store) -> None:
    with Intake(store, QUICK, known=lambda _: True) as intake:
        for number in range(4):
            intake.append(happenings.events([number]))
        with store.reading() as tx:
            assert [(seal.first, seal.last) for seal in tx.segments.seals()] == [(1, 3)]
    with store.reading() as tx:
        seals = tx.segments.seals()
        assert [(seal.first, seal.last, seal.events) for seal in seals] == [(1, 3, 3), (4, 4, 1)]
        assert tx.intents.about("events:3") == [("events.sealed", None)]
    assert verify(store).sealed == 4


def test_the_future_is_refused_by_the_stores_clock(store: Store) -> None:
    late = happenings.events(range(2), time=[happenings.NOON, happenings.NOON + timedelta(minutes=6)])
    with Intake(store, QUICK, known=lambda _: True) as intake:
        with pytest.raises(RefusedError) as caught:
            intake.append(late)
        assert [(fault.row, fault.column) for fault in caught.value.rows] == [(1, "time")]
    assert kept(store) == Counter()
