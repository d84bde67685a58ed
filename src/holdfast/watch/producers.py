"""Where each producer stands: pure arithmetic on runs of sequence numbers.

Each producer numbers its events from 0 within an epoch. Numbers arrive out of order (retries, spilled batches), so what
is kept is the highest one and the holes below it. A hole is a gap in the monitoring until it is filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from holdfast.core.domain import to_iso
from holdfast.core.store.producers import Key, Missing, ProducerRow

MAX_HOLES = 256
"""Holes remembered per producer and epoch; beyond that the oldest are told as one that spans them."""

Run = tuple[int, int]
"""First and last of consecutive numbers."""


def tally(events: pa.Table) -> dict[Key, list[Run]]:
    """The runs of numbers of each producer and epoch in a batch."""
    columns = events.select(["producer", "epoch", "sequence"])
    producers, epochs = pc.unique(columns["producer"]), pc.unique(columns["epoch"])
    if len(producers) == len(epochs) == 1:
        return {(producers[0].as_py(), epochs[0].as_py()): runs_of(columns["sequence"].to_numpy())}
    grouped = columns.group_by(["producer", "epoch"]).aggregate([("sequence", "list")])
    found: dict[Key, list[Run]] = {}
    for position in range(grouped.num_rows):
        key = (grouped["producer"][position].as_py(), grouped["epoch"][position].as_py())
        found[key] = runs_of(grouped["sequence_list"][position].values.to_numpy(zero_copy_only=False))
    return found


def runs_of(numbers: Any) -> list[Run]:
    """Consecutive numbers as runs, in order."""
    if len(numbers) and int(numbers[-1]) - int(numbers[0]) == len(numbers) - 1 and (np.diff(numbers) == 1).all():
        return [(int(numbers[0]), int(numbers[-1]))]
    ordered = np.unique(numbers)
    breaks = np.nonzero(np.diff(ordered) != 1)[0]
    firsts = ordered[np.concatenate([[0], breaks + 1])]
    lasts = ordered[np.concatenate([breaks, [len(ordered) - 1]])]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def together(tallies: Iterable[Mapping[Key, Sequence[Run]]]) -> dict[Key, list[Run]]:
    """Several tallies as one: runs in order, those that touch joined."""
    gathered: dict[Key, list[Run]] = {}
    for one in tallies:
        for key, runs in one.items():
            gathered.setdefault(key, []).extend(runs)
    return {key: _joined(runs) for key, runs in gathered.items()}


def _joined(runs: list[Run]) -> list[Run]:
    found: list[Run] = []
    for first, last in sorted(runs):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def advance(row: ProducerRow | None, key: Key, runs: Sequence[Run], now: datetime) -> ProducerRow:
    """Where a producer stands after these runs arrived (in order, none touching another)."""
    last = -1 if row is None else row.last
    known = [] if row is None else list(row.missing)
    missing = _without(known, [run for run in runs if run[0] <= last])
    since = to_iso(now)
    for first, end in runs:
        if first > last + 1:
            missing.append(Missing(last + 1, first - 1, since))
        last = max(last, end)
    missing = _bounded(missing)
    arrived = last + 1 - sum(hole.events for hole in missing)
    return ProducerRow(*key, arrived, last, tuple(missing), now if row is None else row.first_at, now)


def _without(holes: list[Missing], runs: Sequence[Run]) -> list[Missing]:
    """The holes less what has arrived; both in order, walked once."""
    left: list[Missing] = []
    position = 0
    for hole in holes:
        first = hole.first
        while position < len(runs) and runs[position][1] < first:
            position += 1
        at = position
        while at < len(runs) and runs[at][0] <= hole.last:
            if runs[at][0] > first:
                left.append(Missing(first, runs[at][0] - 1, hole.since))
            first = runs[at][1] + 1
            at += 1
        if first <= hole.last:
            left.append(Missing(first, hole.last, hole.since))
    return left


def _bounded(holes: list[Missing]) -> list[Missing]:
    if len(holes) <= MAX_HOLES:
        return holes
    spare = len(holes) - MAX_HOLES + 1
    oldest = holes[:spare]
    return [Missing(oldest[0].first, oldest[-1].last, oldest[0].since), *holes[spare:]]


def overdue(row: ProducerRow, now: datetime, grace_s: float) -> tuple[Missing, ...]:
    """The holes that have been open for longer than `grace_s`: what is late is not yet lost."""
    limit = to_iso(now - timedelta(seconds=grace_s))
    return tuple(hole for hole in row.missing if hole.since[:19] <= limit[:19])
