"""Live alerts: one look at the store for all who follow, and an event stream that loses and doubles nothing.

A follower remembers the sequence it has sent. The pulse only says that there may be more; what is sent is read
from the store after that sequence, so a reconnect with Last-Event-ID goes on exactly where it stopped.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from holdfast.core.store import Store
from holdfast.server.faults import too_many_streams

LOOK_EVERY_S: Final = 0.5
HEARTBEAT_S: Final = 10.0
MAX_FOLLOWERS: Final = 64
BATCH: Final = 50
RETRY_MS: Final = 2_000

Rows = list[tuple[int, dict[str, Any] | None]]
"""Sequences, each with what is said of it; None: not this reader's to see."""


class Pulse:
    """The number of the newest alert, looked up while somebody follows."""

    def __init__(self, store: Store, closing: threading.Event) -> None:
        self._store, self._closing = store, closing
        self.followers = 0
        self._newest = 0
        self._looked_at = 0.0

    def demand_place(self) -> None:
        """Raise ServerError (HF-SRV-009) where every place is taken."""
        if self.followers >= MAX_FOLLOWERS:
            raise too_many_streams()

    async def newest(self) -> int:
        """The sequence of the newest alert, at most half a second old; one look serves every follower."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= LOOK_EVERY_S * 0.9:
            self._looked_at = now
            self._newest = await run_in_threadpool(self._look)
        return self._newest

    def _look(self) -> int:
        with self._store.reading() as tx:
            return next((row.sequence for row in tx.alerts.rows(limit=1)), 0)

    @property
    def closing(self) -> bool:
        return self._closing.is_set()


async def stream(
    pulse: Pulse, since: int, read: Callable[[int], Rows], allowed: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """Server-sent events from the alert after `since` on. Ends when the server stops or the reader may not go on."""
    quiet_s = 0.0
    pulse.followers += 1
    try:
        yield f"retry: {RETRY_MS}\n\n: alerts after {since}\n\n".encode()
        while not pulse.closing:
            if await pulse.newest() > since:
                rows = await run_in_threadpool(read, since)
                for sequence, row in rows:
                    since = sequence
                    if row is not None:
                        yield f"id: {sequence}\nevent: alert\ndata: {json.dumps(row)}\n\n".encode()
                quiet_s = 0.0
                if rows:
                    continue
            await asyncio.sleep(LOOK_EVERY_S)
            quiet_s += LOOK_EVERY_S
            if quiet_s >= HEARTBEAT_S:
                if not await allowed():
                    return
                quiet_s = 0.0
                yield b"event: still\ndata: here\n\n"
    finally:
        pulse.followers -= 1
