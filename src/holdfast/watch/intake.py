"""Taking events in: checked in the caller's thread, written in groups by one thread, acknowledged when on disk."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from holdfast.core.errors import StoreError
from holdfast.core.store import Store
from holdfast.watch.events import MAX_PRODUCERS, RefusedError, RowFault, check, check_size, refused, split
from holdfast.watch.log import Entry, Log, Receipt
from holdfast.watch.producers import tally
from holdfast.watch.retention import sweep
from holdfast.watch.schema import conform
from holdfast.watch.settings import WatchSettings

__all__ = ["Intake", "IntakeStats", "OverloadedError", "Receipt"]

SMALL_ROWS: Final = 1000
"""A group below this waits a moment for company."""
STRANGER_S: Final = 1.0
"""How long a model that was not registered is taken as such without asking again."""
IDLE_S: Final = 1.0


class OverloadedError(StoreError):
    """More requests wait than may. Nothing of this one was kept; the sender tries again later."""


@dataclass
class IntakeStats:
    """Counted since the start of the process."""

    requests: int = 0
    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    overloaded: int = 0
    failed: int = 0
    groups: int = 0
    waiting_bytes: int = 0


@dataclass
class _Waiting:
    entry: Entry
    answer: Future[Receipt] = field(default_factory=Future)


class Intake:
    """The way into the log. Safe to use from threads; several processes may each have one on the same store."""

    def __init__(
        self, store: Store, settings: WatchSettings | None = None, *, known: Callable[[str], bool] | None = None
    ) -> None:
        """Open the log. `known` says which models there are; default: those registered in the store."""
        self.store = store
        self.settings = settings or WatchSettings()
        self.stats = IntakeStats()
        self._known = known or _Registered(store)
        self._log = Log(store, self.settings)
        sweep(store)
        self._queue: deque[_Waiting] = deque()
        self._ready = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="holdfast-intake", daemon=True)
        self._thread.start()

    def append(self, events: pa.Table) -> Receipt:
        """Keep events and wait until they are on disk. Raises what `submit` and its future raise."""
        return self.submit(events).result()

    def submit(self, events: pa.Table) -> Future[Receipt]:
        """Check events and queue them; the future is done when they are on disk.

        Raises RefusedError or DataError (HF-WAT-001 to -005) and OverloadedError (HF-WAT-010), with nothing kept. The
        future raises StoreError where the disk or the database fails: then it is unknown whether they are kept, and
        sending them again is safe.
        """
        try:
            entry = self._entry(events)
        except Exception:
            self.stats.refused += 1
            raise
        waiting = _Waiting(entry)
        with self._ready:
            self._admit(entry)
            self._queue.append(waiting)
            self._ready.notify()
        return waiting.answer

    def check(self, events: pa.Table) -> None:
        """Raise what `submit` would raise for these events, and keep none of them."""
        self._entry(events)

    def close(self) -> None:
        """Write what waits, let the ledger speak of it, and stop."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _entry(self, events: pa.Table) -> Entry:
        check_size(events, self.settings)
        conforming = conform(events)
        check(conforming, self.settings, self.store.clock())
        if not conforming.num_rows:
            return Entry((), {}, frozenset(), 0, 0)
        numbers = tally(conforming)
        if len(numbers) > MAX_PRODUCERS:
            raise RefusedError(
                "the request speaks for too many producers",
                cause=f"{len(numbers):,} producers and epochs; the limit is {MAX_PRODUCERS:,}",
                fix="send what each producer collects in requests of its own",
                code="HF-WAT-003",
            )
        strangers = self._strangers(conforming)
        return Entry(split(conforming), numbers, strangers, conforming.num_rows, conforming.nbytes)

    def _strangers(self, events: pa.Table) -> frozenset[str]:
        """The models that nobody registered. Raises RefusedError (HF-WAT-005) unless they go into quarantine."""
        names = frozenset(name for name in pc.unique(events["model"]).to_pylist() if not self._known(name))
        if not names or self.settings.unknown_model == "quarantine":
            return names
        bad = pc.indices_nonzero(pc.is_in(events["model"], value_set=pa.array(sorted(names), pa.string())))
        rows = [RowFault(row.as_py(), "model", "not registered") for row in bad.slice(0, 20)]
        known = refused(rows)
        raise RefusedError(
            f"there is no model '{min(names)}'",
            cause="it was never registered, so there is no contract to watch it by",
            fix="run `holdfast estate register`, or set HOLDFAST_WATCH_UNKNOWN_MODEL=quarantine",
            code="HF-WAT-005",
            rows=known.rows,
        )

    def _admit(self, entry: Entry) -> None:
        if self._closing or self.stats.waiting_bytes + entry.size > self.settings.queue_bytes:
            self.stats.overloaded += 1
            raise overloaded()
        self.stats.waiting_bytes += entry.size
        self.stats.requests += 1

    # The writing thread

    def _work(self) -> None:
        while True:
            group = self._group()
            if group:
                self._commit(group)
            elif self._closing:
                break
            self._seal_in_time(idle=not group)
        self._seal_in_time(idle=True, now=True)

    def _group(self) -> list[_Waiting]:
        """What waits, once something does; a small group waits a moment for company."""
        with self._ready:
            if not self._queue and not self._closing:
                self._ready.wait(IDLE_S)
            if self._queue:
                self._ready.wait_for(self._enough, self.settings.group_wait_ms / 1000)
            group: list[_Waiting] = []
            rows = 0
            while self._queue and (not group or rows + self._queue[0].entry.rows <= self.settings.group_rows):
                group.append(self._queue.popleft())
                rows += group[-1].entry.rows
        return group

    def _enough(self) -> bool:
        return self._closing or sum(waiting.entry.rows for waiting in self._queue) >= SMALL_ROWS

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            receipts = self._log.commit([waiting.entry for waiting in group])
        except BaseException as fault:  # whatever it is, those who wait must hear of it
            self.stats.failed += len(group)
            self._release(group)
            for waiting in group:
                waiting.answer.set_exception(_unkept(fault))
            return
        self._release(group)
        self.stats.groups += 1
        for waiting, receipt in zip(group, receipts, strict=True):
            self.stats.accepted += receipt.accepted
            self.stats.repeated += receipt.repeated
            waiting.answer.set_result(receipt)

    def _release(self, group: list[_Waiting]) -> None:
        with self._ready:
            self.stats.waiting_bytes -= sum(waiting.entry.size for waiting in group)

    def _seal_in_time(self, *, idle: bool, now: bool = False) -> None:
        """When nothing comes any more, the ledger is told of the last segments."""
        if not (idle and self._log.unsealed):
            return
        with suppress(Exception):  # the next segment or the next start does it; this thread must not end
            if now or self._log.overdue():
                self._log.seal()


def overloaded() -> OverloadedError:
    """The answer while too much waits."""
    return OverloadedError(
        "too many events wait to be written",
        cause="the queue is full; nothing of this request was kept",
        fix="send it again later, with the same event ids",
        code="HF-WAT-010",
    )


def _unkept(fault: BaseException) -> BaseException:
    if isinstance(fault, StoreError):
        return fault
    cause = (fault.strerror if isinstance(fault, OSError) else None) or f"{type(fault).__name__}: {fault}"
    return StoreError(
        "events could not be written",
        cause=cause[:300],
        fix="check free disk space and permissions, then send them again with the same event ids",
        code="HF-WAT-011",
    )


@dataclass
class _Registered:
    """The models of the store, asked again at most once a second for one that is not there."""

    store: Store
    names: set[str] = field(default_factory=set)
    asked: float = float("-inf")

    def __call__(self, name: str) -> bool:
        if name not in self.names and time.monotonic() - self.asked >= STRANGER_S:
            with self.store.reading() as tx:
                self.names = {model.name for model in tx.models.all()}
            self.asked = time.monotonic()
        return name in self.names
