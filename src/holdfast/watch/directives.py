"""The orders in force for one model, kept at hand: asked for in the background, looked up at each call.

Nothing here may stop a model: where the server does not answer, the last orders hold for a while and then none do
(fail open), and both are counted.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.clock import Clock, from_iso, system_clock
from holdfast.core.domain.directive import Action, Directive
from holdfast.core.errors import AccessError

FRESH_S: Final = 1.0
CLOSE_S: Final = 3.0
STALE_S: Final = 60.0
"""How long the last known orders hold while nobody answers."""
MAX_ORDERS: Final = 10_000
MAX_CLIENTS: Final = 10_000
PER_MINUTE: Final = 30
DIGITS: Final = 1

Source = Callable[[], Iterable[Directive]]
"""Gives the orders on one model; may raise."""


class BlockedError(AccessError):
    """An order in force keeps this client from the model."""


class ThrottledError(AccessError):
    """This client asks more often than an order in force allows. `retry_s`: when the next call would pass."""

    def __init__(self, message: str, *, cause: str, fix: str, code: str, retry_s: float = 1.0) -> None:
        super().__init__(message, cause=cause, fix=fix, code=code)
        self.retry_s = retry_s


@dataclass(frozen=True, slots=True)
class Plan:
    """What the orders in force mean for one call. `would`: what they would do if they were enforced."""

    block: bool = False
    retry_s: float | None = None
    digits: int | None = None
    step_up: bool = False
    shadow: bool = False
    freeze: bool = False
    applied: tuple[str, ...] = ()
    would: tuple[str, ...] = ()


FREE: Final = Plan()


def parse(body: bytes) -> list[Directive]:
    """The orders in an answer of `/api/respond/directives`; those of unknown kind are left out. Raises ValueError."""
    try:
        rows = json.loads(body)["directives"]
        found = [_directive(row) for row in rows[:MAX_ORDERS]]
    except (KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise ValueError(f"not a list of directives: {type(fault).__name__}") from None
    return [item for item in found if item is not None]


def _directive(row: dict[str, Any]) -> Directive | None:
    if row["action"] not in set(Action):
        return None
    until = row.get("until")
    return Directive(
        Action(row["action"]),
        str(row["model"]),
        None if row.get("client") is None else str(row["client"]),
        row.get("enforce") is True,
        Ceiling(row.get("ceiling", Ceiling.OBSERVE)),
        tuple(map(str, row.get("causes", ()))),
        None if until is None else from_iso(until),
        dict(row.get("body") or {}),
    )


@dataclass
class Orders:
    """A cache of the orders on one model. `of` never waits: one thread asks again while calls come."""

    source: Source | None
    clock: Clock = system_clock
    failures: int = 0
    _held: tuple[Directive, ...] = ()
    _asked: float = -math.inf
    _answered: float = -math.inf
    _asking: threading.Lock = field(default_factory=threading.Lock)
    _pid: int = field(default_factory=os.getpid)

    def of(self, client: str) -> tuple[Directive, ...]:
        """The orders that speak of a client, or of all."""
        if self.source is None:
            return ()
        now = time.monotonic()
        if now - self._asked >= FRESH_S:
            self._ask(now)
        if not self._held or now - self._answered > STALE_S:
            return ()
        moment = self.clock()
        return tuple(item for item in self._held if item.client in (None, client) and not _over(item, moment))

    def refresh(self) -> None:
        """Ask now, and wait for the answer."""
        source = self.source
        if source is None:
            return
        try:
            self._held = tuple(source())
            self._answered = time.monotonic()
        except Exception:  # whatever is wrong with the server, the model goes on
            self.failures += 1

    def close(self) -> None:
        """Ask no more; a question under way is waited for, but not for long."""
        source, self.source = self.source, None
        if isinstance(source, HttpSource) and self._asking.acquire(timeout=CLOSE_S):
            source.close()
            self._asking.release()

    def _ask(self, now: float) -> None:
        if self._pid != os.getpid():
            # A child forked while its parent was asking would find the lock taken for ever.
            self._pid, self._asking = os.getpid(), threading.Lock()
        if self._asking.acquire(blocking=False):
            self._asked = now
            threading.Thread(target=self._answer, name="holdfast-orders", daemon=True).start()

    def _answer(self) -> None:
        try:
            self.refresh()
        finally:
            self._asking.release()


def _over(item: Directive, moment: datetime) -> bool:
    return item.until is not None and item.until <= moment


class Throttle:
    """Calls per client and minute, as buckets that fill evenly; the longest silent client is forgotten first."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str, per_minute: float, now: float, calls: int = 1) -> float | None:
        """None if the client may call now; else the seconds until it may."""
        rate = max(per_minute, 0.0) / 60
        with self._lock:
            left, since = self._buckets.pop(client, (per_minute, now))
            left = min(per_minute, left + (now - since) * rate)
            passes = left >= 1
            self._buckets[client] = (left - min(calls, left) if passes else left, now)
            while len(self._buckets) > MAX_CLIENTS:
                self._buckets.popitem(last=False)
        if passes:
            return None
        return (1 - left) / rate if rate else 3600.0


def plan(orders: Iterable[Directive], client: str, throttle: Throttle, now: float, calls: int = 1) -> Plan:
    """What the orders on a client amount to for a call of so many rows."""
    given = tuple(orders)
    if not given:
        return FREE
    enforced = {item.action: item for item in given if item.enforce}
    would = {item.action.value for item in given if not item.enforce and item.action not in enforced}
    wait = None
    if Action.THROTTLE in enforced:
        limit = _number(enforced[Action.THROTTLE], "per_minute", PER_MINUTE)
        wait = throttle.take(client, limit, now, calls)
    digits = None
    if Action.COARSEN in enforced:
        digits = int(max(0, min(15, _number(enforced[Action.COARSEN], "digits", DIGITS))))
    silent = {Action.WATCH} | ({Action.THROTTLE} if wait is None else set())
    return Plan(
        block=bool(enforced.keys() & {Action.BLOCK, Action.QUARANTINE}),
        retry_s=wait,
        digits=digits,
        step_up=Action.STEP_UP in enforced,
        shadow=Action.SHADOW in enforced,
        freeze=Action.FREEZE in enforced,
        applied=tuple(sorted(action.value for action in enforced if action not in silent)),
        would=tuple(sorted(would)),
    )


def _number(item: Directive, name: str, default: float) -> float:
    value = item.body.get(name, default)
    numeric = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if numeric and isinstance(value, int | float) else float(default)


class HttpSource:
    """Asks a Holdfast server for the orders on a model, over a connection of its own."""

    def __init__(self, server: str, model: str, token: str | None, timeout_s: float = 2.0) -> None:
        from urllib.parse import quote

        from holdfast.watch.wire import Wire

        self._model, self._path = model, f"/api/respond/directives?model={quote(model, safe='')}"
        self._wire = Wire(server, token, timeout_s)

    def __call__(self) -> list[Directive]:
        """The orders in force now. Raises OSError, http.client.HTTPException or ValueError."""
        answer = self._wire.get(self._path)
        if answer.status != 200:
            raise ValueError(f"the server answered {answer.status}")
        return [item for item in parse(answer.body) if item.model == self._model]

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()
