"""Everything that goes on by itself while Holdfast runs: detection, reactions, notices, the ledger."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.core.domain import Clock

INTERVAL_S = 0.5
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of background work: does what there is and says how much it was."""

    name: str
    work: Callable[[], int]
    close: Callable[[], object] = lambda: None
    """Ends what the work has begun; called once, after the last turn."""


@dataclass
class Health:
    """How one task has fared: what it did last, and why it fails where it does."""

    name: str
    last_ok: datetime | None = None
    done: int = 0
    failures: int = 0
    fault: str | None = None


@dataclass
class Background:
    """Runs tasks in turn until told to stop. One that fails is tried again later and never keeps the others back."""

    tasks: Sequence[Task]
    clock: Clock
    on_fault: Callable[[str, Exception], None] = lambda _name, _fault: None
    health: dict[str, Health] = field(default_factory=dict)
    _pauses: dict[str, int] = field(default_factory=dict)

    def turn(self) -> int:
        """Every task once; returns how much was done."""
        return sum(self._run(task) for task in self.tasks)

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop` is set; a last turn follows, so that nothing accepted waits for the next start."""
        while not stop.is_set():
            if self.turn() == 0:
                stop.wait(INTERVAL_S)
        self.turn()
        for task in self.tasks:
            task.close()

    def _run(self, task: Task) -> int:
        health = self.health.setdefault(task.name, Health(task.name))
        if self._pauses.get(task.name, 0) > 0:
            self._pauses[task.name] -= 1
            return 0
        try:
            done = task.work()
        except Exception as fault:
            # A task is a room's code with the world behind it; the loop must outlive whatever it meets.
            health.failures += 1
            health.fault = f"{type(fault).__name__}: {fault}"
            self._pauses[task.name] = min(2**health.failures, int(LONGEST_PAUSE_S / INTERVAL_S))
            self.on_fault(task.name, fault)
            return 0
        health.done, health.failures, health.fault = health.done + done, 0, None
        health.last_ok = self.clock()
        return done
