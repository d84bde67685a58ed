"""A courier keeps nobody waiting, and brings what it can."""

from __future__ import annotations

import threading
import time

import pytest

from alerted import Scene
from holdfast.core.domain.intelligence import Tlp
from holdfast.core.domain.response import Notice
from holdfast.respond.courier import Courier
from holdfast.respond.interface import Outlet
from holdfast.respond.notices import tell


class Waiting:
    """Takes a notice when it is told to."""

    def __init__(self) -> None:
        self.go, self.got = threading.Event(), [""][1:]

    def send(self, notice: Notice) -> None:
        assert self.go.wait(20)
        self.got.append(notice.id)


def queue(scene: Scene, *sinks: str) -> str:
    made = Notice("alert", f"alr_{len(sinks)}", "raised", scene.clock(), "clear", {})
    with scene.store.transaction() as tx:
        tell(tx, made, sinks)
    return made.id


def turn_until(courier: Courier, count: int) -> int:
    done, ends = 0, time.monotonic() + 10
    while done < count and time.monotonic() < ends:
        done += courier.turn()
        time.sleep(0.005)
    return done


def test_a_turn_does_not_wait_for_a_slow_sink(lite: Scene) -> None:
    slow, quick = Waiting(), Waiting()
    quick.go.set()
    made = queue(lite, "slow", "quick")
    outlets = [Outlet("slow", "x", Tlp.AMBER, slow), Outlet("quick", "x", Tlp.AMBER, quick)]
    courier = Courier(lite.store, outlets)
    assert turn_until(courier, 1) == 1
    assert (quick.got, slow.got) == ([made], [])
    slow.go.set()
    assert courier.close() == 1
    assert slow.got == [made]


def test_a_round_that_breaks_is_told_and_tried_again(lite: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from holdfast.respond import courier as module

    told: list[str] = []
    sink = Waiting()
    sink.go.set()
    courier = Courier(
        lite.store, [Outlet("one", "x", Tlp.AMBER, sink)], lambda name, fault: told.append(f"{name} {fault}")
    )
    made = queue(lite, "one")

    def broken(*_: object) -> None:
        raise RuntimeError("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr(module, "deliver", broken)
        courier.turn()
        courier.close()
    assert told == ["one the database is gone"]
    assert turn_until(courier, 1) == 1
    courier.close()
    assert sink.got == [made]
