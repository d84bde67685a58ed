"""Delivery loses nothing, doubles nothing that cannot be told apart, and no sink is in another one's way."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from alerted import Scene
from holdfast.core.domain.intelligence import Tlp
from holdfast.core.domain.response import Notice
from holdfast.core.domain.topics import SINK
from holdfast.respond.delivery import Delivered, deliver, notice_of, wait_s
from holdfast.respond.interface import Outlet, Sink, SinkError
from holdfast.respond.notices import tell
from holdfast.respond.queries import SinkView, sinks_view


@dataclass
class Recorder:
    """A receiver in memory that can be told to fail."""

    got: list[str] = field(default_factory=list)
    fault: Exception | None = None
    tries: int = 0

    def send(self, notice: Notice) -> None:
        self.tries += 1
        if self.fault is not None:
            raise self.fault
        self.got.append(notice.id)


def outlet(sink: Sink, name: str = "soc", tlp: Tlp = Tlp.AMBER) -> Outlet:
    return Outlet(name, "memory", tlp, sink)


def notice(scene: Scene, number: int, tlp: str = "amber", state: str = "raised") -> Notice:
    return Notice("alert", f"alr_{number}", state, scene.clock(), tlp, {"title": f"alert {number}"})


def queue(scene: Scene, *numbers: int, sinks: tuple[str, ...] = ("soc",), tlp: str = "amber") -> list[str]:
    made = [notice(scene, number, tlp) for number in numbers]
    with scene.store.transaction() as tx:
        for one in made:
            tell(tx, one, sinks)
    return [one.id for one in made]


def view(scene: Scene, name: str = "soc") -> SinkView:
    with scene.store.reading() as tx:
        return next(item for item in sinks_view(tx, tx.now, [name]).sinks if item.name == name)


def test_notices_arrive_in_order_once_and_the_ledger_says_so(scene: Scene) -> None:
    sink = Recorder()
    ids = queue(scene, 1, 2, 3)
    assert deliver(scene.store, [outlet(sink)]) == Delivered(delivered=3)
    assert deliver(scene.store, [outlet(sink)]) == Delivered()
    assert sink.got == ids
    with scene.store.reading() as tx:
        assert [kind for kind, _ in tx.intents.about(ids[0])] == ["notice.queued", "notice.delivered"]
    assert (view(scene).state, view(scene).delivered, view(scene).queued) == ("ok", 3, 0)


def test_the_same_notice_is_queued_once(lite: Scene) -> None:
    sink = Recorder()
    queue(lite, 1)
    queue(lite, 1)
    deliver(lite.store, [outlet(sink)])
    queue(lite, 1)
    deliver(lite.store, [outlet(sink)])
    assert len(sink.got) == 1


def test_a_sink_that_is_down_is_asked_less_and_less_often_and_loses_nothing(lite: Scene) -> None:
    """Ten minutes of the store's clock, a round every two seconds."""
    sink = Recorder(fault=ConnectionRefusedError("nobody there"))
    ids = []
    for turn in range(300):
        if turn % 25 == 0:
            ids += queue(lite, turn)
        deliver(lite.store, [outlet(sink)])
        lite.clock.advance(timedelta(seconds=2))
    assert sink.tries <= 10
    seen = view(lite)
    assert (seen.state, seen.queued, seen.failures) == ("failing", 12, sink.tries)
    assert seen.oldest_s == 600
    assert seen.last_error is not None
    assert "nobody there" in seen.last_error
    sink.fault = None
    for _ in range(150):
        deliver(lite.store, [outlet(sink)])
        lite.clock.advance(timedelta(seconds=2))
    assert sink.got == ids
    assert (view(lite).state, view(lite).failures) == ("ok", 0)


def test_the_pause_grows_and_has_an_end() -> None:
    waits = [wait_s(failures) for failures in range(1, 40)]
    assert waits[:4] == [2, 4, 8, 16]
    assert waits == sorted(waits)
    assert max(waits) == 300


def test_an_impatient_round_does_not_wait(lite: Scene) -> None:
    sink = Recorder(fault=OSError("down"))
    queue(lite, 1)
    deliver(lite.store, [outlet(sink)])
    sink.fault = None
    assert deliver(lite.store, [outlet(sink)]) == Delivered()
    assert deliver(lite.store, [outlet(sink)], patient=False) == Delivered(delivered=1)


def test_a_broken_sink_keeps_no_other_back(lite: Scene) -> None:
    good, bad, mad = Recorder(), Recorder(fault=OSError("down")), Recorder(fault=RuntimeError("a fault of its own"))
    ids = queue(lite, 1, 2, sinks=("good", "bad", "mad"))
    done = deliver(lite.store, [outlet(bad, "bad"), outlet(mad, "mad"), outlet(good, "good")])
    assert done == Delivered(delivered=2, failed=2)
    assert good.got == ids
    assert "RuntimeError" in (view(lite, "mad").last_error or "")


def test_a_slow_sink_keeps_no_other_back(lite: Scene) -> None:
    """The slow one only goes on once the quick one has everything: side by side, or this test hangs and fails."""
    everything = threading.Event()

    class Slow:
        def send(self, _notice: Notice) -> None:
            if not everything.wait(20):
                raise SinkError("the other one never came")

    class Quick(Recorder):
        def send(self, notice: Notice) -> None:
            super().send(notice)
            if len(self.got) == 3:
                everything.set()

    queue(lite, 1, 2, 3, sinks=("slow", "quick"))
    assert deliver(lite.store, [outlet(Slow(), "slow"), outlet(Quick(), "quick")]) == Delivered(delivered=6)


def test_a_notice_that_a_sink_refuses_holds_up_no_other(lite: Scene) -> None:
    class Picky(Recorder):
        def send(self, notice: Notice) -> None:
            self.tries += 1
            if notice.subject == "alr_1":
                raise SinkError("the receiver answered 422", refused=True)
            self.got.append(notice.id)

    sink = Picky()
    _, second = queue(lite, 1, 2)
    assert deliver(lite.store, [outlet(sink)]) == Delivered(delivered=1, refused=1)
    assert sink.got == [second]
    seen = view(lite)
    assert (seen.queued, seen.state) == (1, "late")
    assert deliver(lite.store, [outlet(sink)]) == Delivered()
    lite.clock.advance(timedelta(seconds=3))
    assert deliver(lite.store, [outlet(sink)]) == Delivered(refused=1)


@pytest.mark.parametrize(
    ("label", "clearance", "goes"),
    [
        ("clear", Tlp.CLEAR, True),
        ("green", Tlp.CLEAR, False),
        ("amber", Tlp.AMBER, True),
        ("amber+strict", Tlp.AMBER, False),
        ("red", Tlp.AMBER_STRICT, False),
        ("red", Tlp.RED, True),
        ("purple", Tlp.AMBER_STRICT, False),
        ("", Tlp.AMBER_STRICT, False),
        ("AMBER", Tlp.AMBER_STRICT, False),
        ("purple", Tlp.RED, True),
    ],
)
def test_labels_are_looked_at_when_a_notice_leaves(lite: Scene, label: str, clearance: Tlp, goes: bool) -> None:
    sink = Recorder()
    [one] = queue(lite, 1, tlp=label)
    done = deliver(lite.store, [outlet(sink, tlp=clearance)])
    assert (done.delivered, done.withheld) == (int(goes), int(not goes))
    assert sink.got == ([one] if goes else [])
    if not goes:
        with lite.store.reading() as tx:
            assert [kind for kind, _ in tx.intents.about(one)] == ["notice.queued", "notice.withheld"]
        assert view(lite).withheld == 1


def test_what_is_no_notice_is_left_where_it_is_and_holds_up_nothing(lite: Scene) -> None:
    sink = Recorder()
    with lite.store.transaction() as tx:
        tx.outbox.publish(f"{SINK}soc", "strange", {"hello": "there"})
    [one] = queue(lite, 1)
    assert deliver(lite.store, [outlet(sink)]) == Delivered(delivered=1, refused=1)
    assert sink.got == [one]
    assert view(lite).queued == 1


def test_a_notice_is_read_back_as_it_was(lite: Scene) -> None:
    one = notice(lite, 1)
    assert notice_of(one.to_json()) == one  # type: ignore[arg-type]
    assert notice_of({**one.to_json(), "at": "soon"}) is None


def test_two_processes_deliver_each_notice_once(scene: Scene) -> None:
    sink = Recorder()
    ids = queue(scene, *range(20))
    threads = [threading.Thread(target=deliver, args=(scene.store, [outlet(sink)])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    deliver(scene.store, [outlet(sink)])
    assert sorted(sink.got) == sorted(ids)


def test_what_a_dead_process_held_is_delivered_after_its_lease(scene: Scene) -> None:
    [one] = queue(scene, 1)
    held = scene.store.run(lambda tx: tx.outbox.claim_batch("dead", topics=[f"{SINK}soc"], limit=1, ttl_s=60))
    assert len(held) == 1
    sink = Recorder()
    assert deliver(scene.store, [outlet(sink)]) == Delivered()
    scene.clock.advance(timedelta(seconds=61))
    assert deliver(scene.store, [outlet(sink)]) == Delivered(delivered=1)
    assert sink.got == [one]
