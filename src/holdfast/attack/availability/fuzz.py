"""Sends an endpoint what could slow, break or fill it, politely: one request at a time, bounded in bytes and number.

A valid request is timed first and asked again after every payload that was answered oddly. What brings the endpoint
down ends the test: there is nothing more to learn from a server that is down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median

from holdfast.attack.availability.payloads import Payload
from holdfast.attack.availability.wire import Answer, Place, hold, post

RATE_PER_S = 20.0
WARM = 5
"""Valid requests whose median time is what others are compared with."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a test may send, and how long it waits."""

    bytes: int = 8 * 2**20
    requests: int = 120
    seconds: float = 15.0
    patience_s: float = 3.0
    """For how long a half-sent body is held open."""


@dataclass
class Damage:
    """What was seen. Names are those of the payloads."""

    baseline_s: float = 0.0
    slowest_s: float = 0.0
    slowest: str = ""
    broke: dict[str, int] = field(default_factory=dict)
    """Answered with a 5xx, or not at all (0)."""
    taken: list[str] = field(default_factory=list)
    """Accepted although only a refusal will do."""
    down_after: str | None = None
    """The payload after which a valid request was no longer answered."""
    rows_s: dict[int, float] = field(default_factory=dict)
    """Seconds by number of rows, as far as batches were accepted."""
    held_s: float = 0.0
    """For how long a body that never ended was waited for."""
    cut: bool = False
    """The bounds ended the test before all was sent."""
    requests: int = 0
    sent: int = 0

    @property
    def inflation(self) -> float:
        """How many times slower than a valid request the slowest answer was."""
        return self.slowest_s / self.baseline_s if self.baseline_s else 0.0


class Fuzz:
    """One test of one endpoint. `batch` writes a valid request of so many rows."""

    def __init__(self, place: Place, batch: Callable[[int], bytes], bounds: Bounds | None = None) -> None:
        self._place, self._batch, self._bounds = place, batch, bounds or Bounds()
        self._valid = batch(1)
        self._end = time.monotonic() + self._bounds.seconds
        self.damage = Damage()

    def run(self, bodies: Iterable[Payload], rows: Iterable[int]) -> Damage:
        """All of it, or as much as the bounds allow; nothing more once a valid request is no longer answered."""
        times = [self._send(Payload("valid", self._valid)) for _ in range(WARM)]
        if any(answer is None or not answer.accepted for answer in times):
            self.damage.down_after = "nothing: a valid request was not accepted"
            return self.damage
        self.damage.baseline_s = median(answer.seconds for answer in times if answer is not None)
        for body in bodies:
            if not self._try(body):
                return self.damage
        self._grow(rows)
        if self.damage.down_after is None:
            self._wait()
        return self.damage

    def _try(self, payload: Payload) -> bool:
        """Send a payload and see what it did; whether to go on."""
        answer = self._send(payload)
        if answer is None:
            return False
        damage = self.damage
        if answer.broken:
            damage.broke[payload.name] = answer.status
        elif answer.accepted and payload.refuse:
            damage.taken.append(payload.name)
        if answer.seconds > damage.slowest_s:
            damage.slowest_s, damage.slowest = answer.seconds, payload.name
        return not (answer.broken or answer.seconds > 1.0) or self._still_up(payload.name)

    def _still_up(self, name: str) -> bool:
        answer = self._send(Payload("valid", self._valid))
        if answer is not None and not answer.accepted:
            self.damage.down_after = name
        return answer is not None and answer.accepted

    def _grow(self, rows: Iterable[int]) -> None:
        """Larger and larger batches, until one is refused."""
        for count in rows:
            answer = self._send(Payload(f"{count:,} rows", self._batch(count)))
            if answer is None or not answer.accepted:
                if answer is not None and answer.broken:
                    self.damage.broke[f"{count:,} rows"] = answer.status
                    self._still_up(f"{count:,} rows")
                return
            self.damage.rows_s[count] = answer.seconds

    def _wait(self) -> None:
        """Hold a half-sent body open, and see whether anybody else is still served meanwhile."""
        patience = min(self._bounds.patience_s, max(0.1, self._end - time.monotonic()))
        self.damage.held_s, answer = hold(self._place, self._valid, patience)
        self.damage.requests += 1
        self.damage.sent += answer.sent
        self._still_up("a body that never ends")

    def _send(self, payload: Payload) -> Answer | None:
        """One request, at most RATE_PER_S; None where the bounds are reached."""
        damage, bounds = self.damage, self._bounds
        over = damage.requests >= bounds.requests or damage.sent + len(payload.body) > bounds.bytes
        if over or time.monotonic() > self._end:
            damage.cut = True
            return None
        if damage.requests:
            time.sleep(1.0 / RATE_PER_S)
        answer = post(self._place, payload.body, encoding=payload.encoding)
        damage.requests += 1
        damage.sent += answer.sent
        return answer
