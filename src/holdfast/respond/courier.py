"""Delivery beside other work: a sink that takes its time keeps nobody waiting, not even whoever asks for deliveries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from holdfast.core.store import Store
from holdfast.respond.delivery import THREADS, Delivered, deliver
from holdfast.respond.interface import Outlet


@dataclass
class Courier:
    """Runs one round per sink at a time, on threads of its own. For a loop that has other things to do.

    `on_fault` is told where a round itself fails, such as on a database that is gone; the notices stay queued.
    """

    store: Store
    outlets: Sequence[Outlet]
    on_fault: Callable[[str, Exception], None] = lambda _name, _fault: None
    _rounds: dict[str, Future[Delivered]] = field(default_factory=dict)
    _pool: ThreadPoolExecutor | None = None

    def turn(self) -> int:
        """Start what can start, and give how many notices were delivered or withheld since the last turn."""
        done = sum(self._collect(name) for name in [name for name, item in self._rounds.items() if item.done()])
        for outlet in self.outlets:
            if outlet.name not in self._rounds:
                self._rounds[outlet.name] = self._threads().submit(deliver, self.store, [outlet])
        return done

    def close(self) -> int:
        """Wait for what is under way; gives how many notices that were."""
        done = sum(self._collect(name) for name in list(self._rounds))
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        return done

    def _collect(self, name: str) -> int:
        try:
            done = self._rounds.pop(name).result()
        except Exception as fault:
            # Whatever broke a round must not end the loop that asks for rounds.
            self.on_fault(name, fault)
            return 0
        return done.delivered + done.withheld

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(min(THREADS, max(1, len(self.outlets))), thread_name_prefix="courier")
        return self._pool
