"""Settles one row by prices: whether there is a nearer evasion than the one known, else how near there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from holdfast.attack.evasion.exact import price_kernels as kernels
from holdfast.attack.evasion.exact.box import Box, nearer
from holdfast.attack.evasion.exact.formula import within
from holdfast.attack.evasion.exact.ground import Floats, Place
from holdfast.attack.evasion.exact.prices import Prices
from holdfast.attack.interface import Norm

SLICE = 1_000_000
"""Leaves looked at between two looks at the clock."""
PART, LATER, REST = 0.3, 0.8, 0.05
"""Of the budget left: what the box below the distance known may take, before and after bisection; when to stop."""
LEAPS, LEAP_PART = (0.75, 0.9), 0.1
"""Shares of the distance known, whose boxes are asked about next, and what each may take of the budget left: after an
arrival, because nearer rows are often found as easily, and where a box stays open, because a smaller one leaves fewer
conditions open."""
NARROW, NARROW_PART = 0.03, 0.12
"""Between floor and distance, as a share of it: what bisection leaves; what each of its boxes may take."""


class Offered(Enum):
    """What became of a row that leads."""

    KEPT = 0
    INVALID = 1
    REFUTED = 2
    """The model itself says that it does not cross."""


REFUSALS = {Offered.INVALID: 4, Offered.REFUTED: 200}
"""Rows of one box that the contract or the model may refuse before only a proof is asked for."""


class Known(Protocol):
    """A row's answer: its distance, the floor below it, and whether they meet."""

    distance: float
    floor: float

    @property
    def closed(self) -> bool: ...


class Settling:
    """Asks about boxes of one row. `offer` takes rows that lead, and keeps them; `limit` counts leaves looked at."""

    def __init__(
        self, place: Place, known: Known, offer: Callable[[Floats], Offered], limit: int, seconds: float | None
    ) -> None:
        self.place, self.known, self.offer, self.limit = place, known, offer, limit
        self.visited, self.limited = 0, False
        self._seconds, self._begun = seconds, time.monotonic()

    def run(self) -> None:
        """Until the row is settled, or the budget or what prices can say is used up."""
        answer, part = kernels.LIMIT, PART
        while not self.known.closed and self._left() > REST:
            answer = self._ask(self.known.distance, part)
            arrived = answer == kernels.ARRIVED
            if arrived or answer == kernels.UNSURE:
                if not self._leap() and not arrived:
                    break
            elif answer == kernels.NONE or math.isinf(self.known.distance):
                break
            else:
                self._narrow()
                part = LATER
        self.limited = answer == kernels.LIMIT

    def _narrow(self) -> None:
        """Bisect between the floor and the distance, as far as boxes are settled."""
        high, known = self.known.distance, self.known
        while high - known.floor > NARROW * known.distance and self._left() > REST:
            middle = 0.5 * (known.floor + high)
            answer = self._ask(middle, NARROW_PART)
            if answer != kernels.NONE:
                high = known.distance if answer == kernels.ARRIVED else middle

    def _leap(self) -> bool:
        """Go on to ever nearer rows while that is easy; whether there were any."""
        before, turn = self.known.distance, 0
        while turn < len(LEAPS) and math.isfinite(before) and not self.known.closed and self._left() > REST:
            answer = self._ask(self.known.distance * LEAPS[turn], LEAP_PART)
            turn = 0 if answer == kernels.ARRIVED else turn + 1
        return self.known.distance < before

    def _left(self) -> float:
        """The share of the budget that is left."""
        if self._seconds is None:
            return 1.0 - self.visited / self.limit
        return 1.0 - (time.monotonic() - self._begun) / max(self._seconds, 1e-9)

    def _ask(self, radius: float, part: float) -> int:
        """Settle the box below a radius with a part of the budget; ARRIVED: a nearer row is known now, and kept."""
        box = Box.of(self.place, within(self.place, nearer(self.place, Norm.LINF, radius)))
        prices = Prices.of(box)
        if prices is None:
            return kernels.UNSURE
        until, before = self._left() * (1.0 - part), self.visited
        refused = dict.fromkeys(REFUSALS, 0)
        answer = kernels.LIMIT
        while answer == kernels.LIMIT and self._left() > until:
            answer = self._go_on(prices, before)
            if answer == kernels.ARRIVED:
                offered = self.offer(prices.row())
                if offered is Offered.KEPT:
                    return answer
                refused[offered] += 1
                prices.refuse(refuted=offered is Offered.REFUTED, quiet=refused[offered] >= REFUSALS[offered])
                answer = kernels.LIMIT
        if answer == kernels.NONE:
            self.known.floor = min(max(self.known.floor, radius), self.known.distance)
        return answer

    def _go_on(self, prices: Prices, before: int) -> int:
        answer = prices.search(prices.visited + SLICE)
        self.visited = before + prices.visited
        return answer
