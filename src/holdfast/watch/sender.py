"""Events from a model's process to the server: queued in memory, sent by one thread, spilled to disk, never in the way.

The bound: `record` encodes one event and takes one lock. It does no I/O, waits for nothing, and holds at most
`queue_bytes`. What has no room is counted, and its number stays unused, so that the server sees the gap too.
"""

from __future__ import annotations

import atexit
import http.client
import os
import random
import secrets
import socket
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from holdfast.core.domain.clock import Clock, system_clock
from holdfast.watch.spill import Spill
from holdfast.watch.wire import Wire

NDJSON: Final = "application/x-ndjson"
PATH: Final = "/watch/events"
BATCH_ROWS: Final = 1000
BATCH_BYTES: Final = 1 << 20
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 30.0
REFUSING: Final = frozenset({400, 413, 422})
"""Answers that will not change if the same batch is sent again."""

_encoder = msgspec.json.Encoder()


@dataclass
class SenderStats:
    """Counted since the start of the process. Lost are `dropped` and `refused`; everything else arrives or waits.

    `repeated` of those `sent` were there already: their first answer was lost on its way.
    """

    recorded: int = 0
    sent: int = 0
    repeated: int = 0
    dropped: int = 0
    refused: int = 0
    spilled: int = 0
    failures: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class SenderOptions:
    """How much may wait, and how long for company."""

    queue_bytes: int = 8 << 20
    spill_bytes: int = 256 << 20
    linger_s: float = 0.2
    timeout_s: float = 5.0


class Sender:
    """One producer. Its thread starts with the first event, and anew in a forked child, under an epoch of its own."""

    def __init__(
        self,
        server: str,
        *,
        token: str | None = None,
        producer: str | None = None,
        spill: Path | None = None,
        options: SenderOptions | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.options = options or SenderOptions()
        self.producer = producer or f"{socket.gethostname()}/{Path(sys.argv[0] or 'python').name}"[:120]
        self.stats = SenderStats()
        self._server, self._token, self._clock = server, token, clock
        self._spill = None if spill is None else Spill(spill, self.options.spill_bytes)
        self._begin()
        # The end of the process flushes what waits, without keeping a sender alive that nobody uses.
        atexit.register(_close_at_exit, weakref.ref(self))

    def _begin(self) -> None:
        """A new epoch: at the start, and in a forked child."""
        self._pid = os.getpid()
        self.epoch = int(self._clock().timestamp() * 1_000_000)
        self._stem = secrets.token_hex(8)
        self._next = 0
        self._queue: deque[bytes] = deque()
        self.stats.waiting = self.stats.waiting_bytes = 0
        self._ready = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._wire = Wire(self._server, self._token, self.options.timeout_s)

    def record(self, event: Mapping[str, Any]) -> str:
        """Queue one event (without id, producer, epoch, sequence). Gives its id. Never waits."""
        if self._pid != os.getpid():
            self._begin()
        with self._ready:
            sequence = self._next
            self._next += 1
            event_id = f"{self._stem}-{sequence}"
            self.stats.recorded += 1
            line = self._line(event, event_id, sequence)
            if line is None or self.stats.waiting_bytes + len(line) > self.options.queue_bytes:
                self.stats.dropped += 1
                return event_id
            self._queue.append(line)
            self.stats.waiting += 1
            self.stats.waiting_bytes += len(line)
            self._start()
            if self.stats.waiting_bytes >= BATCH_BYTES or self.stats.waiting == BATCH_ROWS:
                self._ready.notify()
        return event_id

    def _line(self, event: Mapping[str, Any], event_id: str, sequence: int) -> bytes | None:
        numbered = {
            **event,
            "event_id": event_id,
            "producer": self.producer,
            "epoch": self.epoch,
            "sequence": sequence,
        }
        try:
            return _encoder.encode(numbered) + b"\n"
        except (TypeError, ValueError, UnicodeEncodeError, OverflowError) as fault:
            self.stats.last_error = f"an event cannot be encoded: {fault}"[:200]
            return None

    def skip(self, events: int) -> None:
        """Leave numbers unused for events that are not recorded, so that the gap shows."""
        with self._ready:
            self._next += events
            self.stats.recorded += events
            self.stats.dropped += events

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until nothing waits in memory; False if that took too long."""
        end = time.monotonic() + timeout_s
        with self._ready:
            self._ready.notify()
        while self.stats.waiting and time.monotonic() < end:
            time.sleep(0.01)
            with self._ready:
                self._ready.notify()
        return not self.stats.waiting

    def close(self, timeout_s: float = 5.0) -> SenderStats:
        """Send what waits; what the server does not take in time is spilled, or counted as dropped."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join(timeout_s)
        self._put_aside(keep=0)
        self._wire.close()
        return self.stats

    # The sending thread

    def _start(self) -> None:
        if self._thread is None:
            self._closing = False
            self._thread = threading.Thread(target=self._work, name="holdfast-sender", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        failed = 0
        while True:
            with self._ready:
                if not (self._closing or self._enough()):
                    self._ready.wait(self.options.linger_s)
                if self._closing and not self._queue:
                    return
            worked = self._send_spilled() if self._spill is not None and not failed and not self._closing else None
            worked = self._send_queued() if worked is not False else False
            failed = failed + 1 if worked is False else 0
            if failed:
                self._put_aside(keep=self.options.queue_bytes // 2)
                if self._closing:
                    return
                self._pause(failed)

    def _enough(self) -> bool:
        return self.stats.waiting >= BATCH_ROWS or self.stats.waiting_bytes >= BATCH_BYTES

    def _pause(self, failed: int) -> None:
        """Back off, doubling, at random around it; closing ends the wait."""
        wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(failed - 1, 12)) * random.uniform(0.5, 1.5)  # noqa: S311
        end = time.monotonic() + wait
        with self._ready:
            while not self._closing and (left := end - time.monotonic()) > 0:
                self._ready.wait(left)
                if self.stats.waiting_bytes > self.options.queue_bytes // 2:
                    return

    def _send_queued(self) -> bool:
        """Send batches until the queue is empty; False where the server did not take one."""
        while True:
            batch = self._first()
            if not batch:
                return True
            if not self._deliver(batch):
                return False
            self._drop_first(len(batch))
            with self._ready:
                if not (self._closing or self._enough()):
                    return True

    def _send_spilled(self) -> bool | None:
        assert self._spill is not None
        taken = self._spill.take()
        if taken is None:
            return None
        if not self._deliver(taken.read_bytes().splitlines(keepends=True)):
            self._spill.give_back(taken)
            return False
        self._spill.done(taken)
        return True

    def _deliver(self, batch: list[bytes]) -> bool:
        """Whether the server has the batch, or will never take it (then it is counted as refused)."""
        try:
            answer = self._wire.post(PATH, b"".join(batch), NDJSON)
        except (OSError, http.client.HTTPException) as fault:
            return self._failed(f"{type(fault).__name__}: {fault}")
        if answer.status == 202:
            said = msgspec.json.decode(answer.body, type=dict[str, int])
            self.stats.sent += len(batch)
            self.stats.repeated += said.get("repeated", 0)
            return True
        if answer.status not in REFUSING:
            return self._failed(f"the server answered {answer.status}")
        self.stats.last_error = answer.body[:300].decode("utf-8", "replace")
        if len(batch) == 1:
            self.stats.refused += 1
            return True
        middle = len(batch) // 2
        return self._deliver(batch[:middle]) and self._deliver(batch[middle:])

    def _failed(self, why: str) -> bool:
        self.stats.failures += 1
        self.stats.last_error = why[:300]
        return False

    def _first(self) -> list[bytes]:
        """The next batch, still in the queue until it is delivered."""
        with self._ready:
            batch: list[bytes] = []
            size = 0
            for line in self._queue:
                if len(batch) == BATCH_ROWS or (batch and size + len(line) > BATCH_BYTES):
                    break
                batch.append(line)
                size += len(line)
        return batch

    def _drop_first(self, count: int) -> int:
        """Take events out of the queue; gives their bytes."""
        with self._ready:
            lines = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
            size = sum(map(len, lines))
            self.stats.waiting -= len(lines)
            self.stats.waiting_bytes -= size
        return size

    def _put_aside(self, keep: int) -> None:
        """Spill batches until no more than `keep` bytes wait in memory; without a spill folder, they wait or go."""
        while self.stats.waiting_bytes > keep:
            batch = self._first()
            if self._spilled(b"".join(batch), len(batch)):
                self.stats.spilled += len(batch)
            elif keep:
                return
            else:
                self.stats.dropped += len(batch)
            self._drop_first(len(batch))

    def _spilled(self, body: bytes, rows: int) -> bool:
        if self._spill is None:
            return False
        try:
            moment = int(self._clock().timestamp() * 1_000_000)
            return self._spill.put(body, moment, f"{self._stem}-{self.stats.spilled}-{rows}")
        except OSError as fault:
            return self._failed(f"spilling: {fault.strerror}")


def _close_at_exit(reference: weakref.ref[Sender]) -> None:
    sender = reference()
    if sender is not None:
        sender.close(2.0)
