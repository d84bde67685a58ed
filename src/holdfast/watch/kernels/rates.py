"""Rates: whether a client does something rare more often than it, and others, are used to.

Per client a cumulative sum of log-likelihood ratios (Page 1954; Wald's test without the lower bound) between its own
learned rate and a much higher one. The learned rate moves with every event, so that who is always like that is not
told of for ever. Clients of few events also share one sum, which a client that changes its name does not escape.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.watch.kernels.cells import WAYS, compiled

CLIENT = np.dtype(
    [
        ("key", "<u8"),
        ("last", "<u4"),
        ("n", "<f4"),
        ("hits", "<f4"),
        ("sum", "<f4"),
        ("prior", "<f4"),
        ("one", "<u8"),
        ("two", "<u8"),
    ]
)
SKIP = 2
"""The mark of an event that says nothing either way."""
MEMORY = 2_000.0
KNOWN = 10.0
YOUNG = 20.0
CALM = 0.2
"""Clients above this rate say nothing of what is usual among others."""

TRIED, HITS, SUM, PEAK, FROZEN, POOL_TRIED, POOL_HITS = range(7)


@compiled
def _client(clients: Any, key: Any, now: Any, prior: Any) -> Any:
    mask = np.uint64(clients.size // WAYS - 1)
    base = np.int64((key ^ (key >> np.uint64(31))) & mask) * WAYS
    worst: Any = base
    least: Any = np.inf
    for at in range(base, base + WAYS):
        slot = clients[at]
        if slot.key == key:
            return at
        worth = 0.0 if slot.key == 0 else slot.n * np.exp2(-float(now - slot.last) / 200_000.0) + 1e-3
        if worth < least:
            worst, least = at, worth
    slot = clients[worst]
    slot.key, slot.last, slot.prior, slot.one, slot.two = key, np.uint32(now), prior, 0, 0
    slot.n, slot.hits, slot.sum = 0.0, 0.0, 0.0
    return worst


@compiled
def _step(total: Any, hit: bool, usual: Any, alarming: Any) -> Any:
    ratio = np.log(alarming / usual) if hit else np.log((1.0 - alarming) / (1.0 - usual))
    return max(0.0, total + ratio)


START, LEARNING, ALARMING, FLOOR, PRIOR, LEAST = range(6)
"""Places in `settings`: events before the batch, events to learn from, the rate looked for, the least rate thought
usual, how many questions at everybody's rate a new client counts as having asked, the least bound."""


@compiled
def _everybody(hits: Any, tried: Any, floor: Any) -> Any:
    return max(floor, 1.5 * (hits + 1.0) / (tried + 100.0))


@compiled
def _pool(numbers: Any, hit: bool, floor: Any) -> Any:
    """Take a mark of a client of few events; gives the sum of all such clients."""
    shared = _everybody(numbers[POOL_HITS], numbers[POOL_TRIED], floor)
    sought = min(0.5, max(0.1, 8.0 * shared))
    numbers[SUM] = _step(numbers[SUM], hit, min(shared, 0.4), max(sought, 0.5 if shared > 0.06 else sought))
    numbers[POOL_TRIED] += 1.0
    numbers[POOL_HITS] += 1.0 if hit else 0.0
    return numbers[SUM]


@compiled
def _take(slot: Any, numbers: Any, hit: bool, settings: Any) -> Any:
    """Take a mark of one client; gives the rate that was usual for it before."""
    everybody = _everybody(numbers[HITS], numbers[TRIED], settings[FLOOR])
    usual = (slot.prior * everybody + slot.hits) / (slot.prior + slot.n)
    usual = min(usual * 1.25, 0.95)
    slot.sum = _step(slot.sum, hit, usual, max(settings[ALARMING], min(0.97, 1.5 * usual)))
    if usual < CALM:
        numbers[TRIED] += 1.0
        numbers[HITS] += 1.0 if hit else 0.0
    fade = 1.0 - 1.0 / MEMORY
    slot.n = slot.n * fade + 1.0
    slot.hits = slot.hits * fade + (1.0 if hit else 0.0)
    if usual > 0.5:
        # What has become a habit is told of once, not for ever.
        slot.sum *= 1.0 - 0.1 * (usual - 0.5)
    return usual


@compiled
def watch_rates(clients: Any, numbers: Any, keys: Any, people: Any, marks: Any, settings: Any, found: Any) -> None:
    """Take each event's mark (0, 1 or SKIP). The same person's next event at a client counts nothing.

    Writes per event (n, 2) the ratio of its client's sum to the bound, and that of the clients of few events together.
    """
    for row in range(keys.size):
        now: Any = np.int64(settings[START]) + row + 1
        found[row, 0], found[row, 1] = 0.0, 0.0
        if marks[row] == SKIP:
            continue
        learning = now <= settings[LEARNING]
        # What a client does while detectors learn is its habit; of a later one that has yet to be seen.
        slot = clients[_client(clients, keys[row], now, KNOWN if learning else settings[PRIOR])]
        person = people[row]
        if person != 0 and person in (slot.one, slot.two):
            continue
        slot.two, slot.one, slot.last = slot.one, person, np.uint32(now)
        young, hit = slot.n < YOUNG, marks[row] == 1
        usual = _take(slot, numbers, hit, settings)
        shared = _pool(numbers, hit, settings[FLOOR]) if young else 0.0
        factor = 1.2 + 0.45 * np.sqrt(10_000.0 / max(now, 10_000))
        bound = max(settings[LEAST], factor * numbers[PEAK])
        if not learning:
            found[row, 0], found[row, 1] = slot.sum / bound, shared / bound
        if slot.n >= 2.0 * YOUNG and usual < CALM:
            # Who is always like that must not teach that everybody may be.
            _remember(numbers, slot.sum, learning, found[row, 0])


@compiled
def _remember(numbers: Any, value: Any, learning: bool, strength: Any) -> None:
    if value <= numbers[PEAK] or strength >= 1.0:
        return
    if learning:
        numbers[PEAK] = value
        numbers[FROZEN] = value
    else:
        numbers[PEAK] = min(numbers[PEAK] + min(value - numbers[PEAK], 0.02), 2.0 * numbers[FROZEN] + 1.0)


def empty_clients(size: int) -> NDArray[Any]:
    """Clients never seen."""
    return np.zeros(size, CLIENT)


def empty_numbers() -> NDArray[np.float64]:
    """What is known of everybody: nothing yet."""
    return np.zeros(7)
