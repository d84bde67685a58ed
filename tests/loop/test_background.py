"""Background work: every task gets its turn whatever the others do, and stopping loses nothing."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from holdfast.core.domain import FrozenClock
from holdfast.loop.background import Background, Task

CLOCK = FrozenClock(datetime(2026, 1, 5, tzinfo=UTC))


class Worker:
    """Has so much to do; fails as long as it is told to."""

    def __init__(self, waiting: int = 0, fails: int = 0) -> None:
        self.waiting, self.fails, self.calls = waiting, fails, 0

    def __call__(self) -> int:
        self.calls += 1
        if self.fails:
            self.fails -= 1
            raise RuntimeError("down")
        done, self.waiting = self.waiting, 0
        return done


def test_a_failing_task_keeps_nothing_back_and_says_why() -> None:
    bad, good = Worker(waiting=1, fails=10), Worker(waiting=3)
    told: list[str] = []
    background = Background([Task("bad", bad), Task("good", good)], CLOCK, lambda name, _: told.append(name))
    assert background.turn() == 3
    assert told == ["bad"]
    assert background.health["bad"].fault == "RuntimeError: down"
    assert background.health["good"].last_ok == CLOCK()


def test_a_failing_task_is_tried_less_and_less_often_and_recovers() -> None:
    bad = Worker(waiting=1, fails=3)
    background = Background([Task("bad", bad)], CLOCK)
    turns = 0
    while background.turn() == 0:
        turns += 1
        assert turns < 100
    assert bad.calls == 4
    assert turns > 10
    assert background.health["bad"].fault is None
    assert background.health["bad"].failures == 0


def test_stopping_does_what_was_accepted_before() -> None:
    stop = threading.Event()
    late = Worker()

    def stop_now() -> int:
        if not stop.is_set():
            late.waiting = 2
        stop.set()
        return 0

    Background([Task("late", late), Task("stop", stop_now)], CLOCK).run(stop)
    assert late.calls == 2
    assert late.waiting == 0
