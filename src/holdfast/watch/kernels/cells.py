"""Cells: how many different people, and how many events, were lately where an event is.

A cell is a key in one of several tables. Its slot remembers decayed counts, what level is usual there, the last two
people, and the family: the event from which, cell by cell, all others in it derive. Everything is done event by
event, so that how events are cut into batches changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

import holdfast.attack.evasion.kernels.jit  # noqa: F401 - names the private folder that compiled kernels are kept in

Function = TypeVar("Function", bound=Callable[..., Any])

WAYS = 4
SLOT = np.dtype(
    [
        ("tag", "<u4"),
        ("last", "<u4"),
        ("count", "<f4"),
        ("usual", "<f4"),
        ("total", "<f4"),
        ("usual_total", "<f4"),
        ("one", "<u4"),
        ("two", "<u4"),
        ("family", "<u4"),
        ("parent", "<u4"),
    ]
)
"""`last`, `family` and `parent` number events; `one` and `two` are the people seen last."""

NOTHING = -1


def compiled(function: Function) -> Function:
    """To machine code, kept on disk, the GIL released."""
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@compiled
def mix(value: Any) -> Any:
    """A well-spread 64-bit number of another (the finaliser of splitmix64)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def project(U: Any, directions: Any, offsets: Any, widths: Any, seeds: Any, keys: Any, first: Any) -> None:
    """Keys of (n, d) points in random grids: `directions` (tables, p, d), one grid per table and width.

    Products are added one by one, in order: a matrix product's last bits depend on how many rows it is given.
    """
    n, d = U.shape
    tables, p = offsets.shape
    for row in range(n):
        for table in range(tables):
            for width in range(widths.size):
                keys[row, first + width * tables + table] = seeds[table]
            for line in range(p):
                total = 0.0
                for column in range(d):
                    total += U[row, column] * directions[table, line, column]
                for width in range(widths.size):
                    place = np.int64(np.floor(total / widths[width] + offsets[table, line]))
                    at = first + width * tables + table
                    keys[row, at] = mix(keys[row, at] ^ np.uint64(place))


@compiled
def hash_columns(bits: Any, members: Any, seeds: Any, keys: Any) -> None:
    """Keys of exact values: `bits` (n, d) as uint64, `members` (parts, d) says which columns count."""
    n, d = bits.shape
    for row in range(n):
        for part in range(members.shape[0]):
            key = seeds[part]
            for column in range(d):
                if members[part, column]:
                    key = mix(key ^ bits[row, column])
            keys[row, part] = key


@compiled
def _slot(slots: Any, key: Any, now: Any, half_life: Any) -> Any:
    """The place of a key's slot: its own, or else the one whose content is worth least, emptied."""
    mask = np.uint64(slots.size // WAYS - 1)
    base = np.int64(key & mask) * WAYS
    tag = np.uint32(key >> np.uint64(32)) | np.uint32(1)
    worst: Any = base
    least: Any = np.inf
    for at in range(base, base + WAYS):
        slot = slots[at]
        if slot.tag == tag:
            return at
        worth = 0.0 if slot.tag == 0 else (slot.count + slot.usual) * np.exp2(-(now - slot.last) / half_life)
        if worth < least:
            worst, least = at, worth
    slot = slots[worst]
    slot.tag, slot.last = tag, np.uint32(now)
    slot.count, slot.usual, slot.total, slot.usual_total = 0.0, 0.0, 0.0, 0.0
    slot.one, slot.two, slot.family, slot.parent = 0, 0, np.uint32(now), np.uint32(now)
    return worst


@compiled
def _visit(slot: Any, person: Any, now: Any, half_life: Any, patience: Any) -> bool:
    """Count a visit; whether it is somebody new there. What stays high over `patience` events becomes usual."""
    gap = float(now - slot.last)
    fade = np.exp2(-gap / half_life)
    share = gap / (gap + patience)
    slot.count *= fade
    slot.total *= fade
    slot.usual += share * (slot.count - slot.usual)
    slot.usual_total += share * (slot.total - slot.usual_total)
    slot.last = np.uint32(now)
    slot.total += 1.0
    if person in (slot.one, slot.two):
        return False
    slot.two = slot.one
    slot.one = person
    slot.count += 1.0
    return True


@compiled
def _surprise(count: Any, usual: Any) -> Any:
    return (count - usual) / np.sqrt(1.0 + usual)


@compiled
def _excess(total: Any, usual: Any) -> Any:
    """Events come in series; what they usually are says less about their noise than with people."""
    return (total - usual) / np.sqrt(1.0 + usual / 20.0)


@compiled
def _learn(bounds: Any, at: Any, value: Any, learning: bool) -> None:
    """Raise what was the greatest benign value: at once while learning, afterwards a little at a time, and not far."""
    peak = bounds[PEAK, at]
    if value <= peak:
        return
    if learning:
        bounds[PEAK, at] = value
        bounds[FROZEN, at] = value
    else:
        bounds[PEAK, at] = min(peak + min(value - peak, 0.02), 2.0 * bounds[FROZEN, at] + 1.0)


START, LEARNING, HALF_LIFE = range(3)
"""Places in `numbers`: events before the batch, events to learn from, events after which a visit counts half."""
PEAK, FROZEN, FLOOR = range(3)
"""Lines of `bounds`: the greatest benign value, the same when learning ended, the least bound."""
SEEN = np.dtype([("strength", "<f8"), ("kind", "<i8"), ("family", "<i8"), ("parent", "<i8")])
"""Per event: the greatest ratio to a bound and which statistic that is, its family, and the number of the event that it
most likely derives from (NOTHING where there is none)."""


@compiled
def _enter(slots: Any, groups: Any, keys: Any, scratch: Any, when: Any) -> Any:
    """Visit one event's cells; adds up surprises by group. Gives the event's family and its parent."""
    sums, sizes, places = scratch
    now, person, half_life, patience = when
    count = sizes.size
    best: Any = 1.05
    root: Any = now
    before: Any = NOTHING
    for table in range(groups.size):
        places[table] = NOTHING
        if keys[table] == 0:
            continue
        at = _slot(slots[table], keys[table], now, half_life)
        slot, group = slots[table, at], groups[table]
        places[table] = at
        _visit(slot, person, now, half_life, patience)
        surprise, excess = _surprise(slot.count, slot.usual), _excess(slot.total, slot.usual_total)
        for sum_of in (group, count - 1):
            sums[sum_of] += surprise
            sums[count + sum_of] += excess
            sizes[sum_of] += 1.0
        likely = surprise + 0.1 * excess
        if slot.parent != now and likely > best and group < count - 2:
            best, root, before = likely, np.int64(slot.family), np.int64(slot.parent)
    return root, before


@compiled
def _leave(slots: Any, groups: Any, places: Any, now: Any, root: Any) -> None:
    """Write into the cells whom the event belongs to; coarse cells join no families."""
    for table in range(groups.size):
        if places[table] != NOTHING:
            slot = slots[table, places[table]]
            slot.parent = np.uint32(now)
            if groups[table] < groups[groups.size - 1]:
                slot.family = np.uint32(root)


@compiled
def _judge(values: Any, bounds: Any, now: Any, learning: Any, event: Any) -> None:
    """Compare an event's statistics with their bounds; what is below them is learned from."""
    factor = 1.2 + 0.45 * np.sqrt(10_000.0 / max(now, 10_000))
    event.strength, event.kind = 0.0, 0
    for statistic in range(values.size):
        ratio = values[statistic] / max(bounds[FLOOR, statistic], factor * bounds[PEAK, statistic])
        if now > learning and ratio > event.strength:
            event.strength, event.kind = ratio, statistic
    if event.strength < 1.0:
        for statistic in range(values.size):
            _learn(bounds, statistic, values[statistic], now <= learning)


@compiled
def watch_cells(
    slots: Any, groups: Any, families: Any, keys: Any, people: Any, bounds: Any, numbers: Any, seen: Any
) -> None:
    """Visit each event's cells. `slots` (tables, size), `groups` (tables,): the statistic a table's surprise joins.

    Statistics: for each group the mean surprise over its tables, of people and then of events, the last group being
    all tables together and the one before it the coarse cells, which join no families; then the same of the family.
    """
    count = bounds.shape[1] // 2 - 1
    sums, sizes, places = np.zeros(2 * count), np.zeros(count), np.zeros(groups.size, np.int64)
    values = np.zeros(2 * count + 2)
    half_life = numbers[HALF_LIFE]
    for row in range(people.size):
        now = np.int64(numbers[START]) + row + 1
        person = np.uint32(people[row] >> np.uint64(32)) | np.uint32(1)
        patience = min(max(now / 4.0, 500.0), 2.0 * half_life)
        sums[:], sizes[:] = 0.0, 0.0
        when = (now, person, half_life, patience)
        root, before = _enter(slots, groups, keys[row], (sums, sizes, places), when)
        _leave(slots, groups, places, now, root)
        family = families[_slot(families, mix(np.uint64(root)), now, half_life)]
        _visit(family, person, now, half_life, patience)
        for statistic in range(2 * count):
            size = sizes[statistic % count]
            values[statistic] = sums[statistic] / size if size > 0 else 0.0
        values[2 * count] = _surprise(family.count, family.usual)
        values[2 * count + 1] = _excess(family.total, family.usual_total)
        event = seen[row]
        event.family, event.parent = root, before
        _judge(values, bounds, now, np.int64(numbers[LEARNING]), event)


def empty_slots(*shape: int) -> NDArray[Any]:
    """Slots that remember nothing."""
    return np.zeros(shape, SLOT)
