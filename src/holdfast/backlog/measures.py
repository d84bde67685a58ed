"""Figures over the backlog, recomputed from the journal for any moment: nothing here is stored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from holdfast.backlog.ranking import rank_key
from holdfast.core.domain.backlog import BacklogItem, Entry, ItemState, Sprint, Step, Urgency, advance
from holdfast.core.report.plot import Plot, Series

DAY = timedelta(days=1)
VELOCITY_DAYS = 28
"""Over how many days back the speed of work is taken."""


@dataclass(frozen=True, slots=True)
class Breach:
    """An item that is or will be late. `projected_at`: when its turn is done at the speed of late; None: never."""

    item: str
    model: str
    urgency: Urgency
    due_at: datetime
    projected_at: datetime | None
    overdue: bool


@dataclass(frozen=True, slots=True)
class Measures:
    """The backlog in figures at `as_of`. Days are fractions; a figure over nothing is None, never zero."""

    as_of: datetime
    open_by_urgency: Mapping[str, int]
    by_state: Mapping[str, int]
    found: int
    proven: int
    mean_days_to_proof: float | None
    median_days_to_proof: float | None
    p90_days_to_proof: float | None
    median_age_days: float | None
    p90_age_days: float | None
    oldest_age_days: float | None
    recurrence_share: float | None
    """Proofs after which the finding came back, of all proofs."""
    escape_share: float | None
    """Findings first seen on a version that was already serving, of all that were ever on what serves."""
    points_per_day: float
    breaches: tuple[Breach, ...]


@dataclass
class _Life:
    """What the journal says of how often an item was proven, and how long that took."""

    days: list[float]
    proofs: int = 0
    returns: int = 0


def measure(entries: Iterable[Entry], as_of: datetime) -> Measures:
    """Every figure, out of the journal up to `as_of`."""
    items: dict[str, BacklogItem] = {}
    life = _Life([])
    points: list[tuple[datetime, int]] = []
    for entry in entries:
        if entry.effective_at > as_of:
            continue
        before = items.get(entry.item)
        items[entry.item] = advance(before, entry)
        if before is not None:
            _live(life, points, before, entry)
    everything = list(items.values())
    work = sorted((item for item in everything if item.undone), key=rank_key)
    ages = sorted((as_of - item.opened_at) / DAY for item in work)
    counted = [item for item in everything if not item.elsewhere]
    speed = _speed(points, as_of)
    days = sorted(life.days)
    return Measures(
        as_of=as_of,
        open_by_urgency={word.value: sum(item.rank.urgency is word for item in work) for word in reversed(Urgency)},
        by_state={state.value: sum(item.state is state for item in counted) for state in ItemState},
        found=len(counted),
        proven=life.proofs,
        mean_days_to_proof=sum(days) / len(days) if days else None,
        median_days_to_proof=percentile(days, 0.5),
        p90_days_to_proof=percentile(days, 0.9),
        median_age_days=percentile(ages, 0.5),
        p90_age_days=percentile(ages, 0.9),
        oldest_age_days=ages[-1] if ages else None,
        recurrence_share=life.returns / life.proofs if life.proofs else None,
        escape_share=sum(item.escaped for item in counted) / len(counted) if counted else None,
        points_per_day=speed,
        breaches=tuple(_breaches(work, speed, as_of)),
    )


def _live(life: _Life, points: list[tuple[datetime, int]], before: BacklogItem, entry: Entry) -> None:
    if entry.step is Step.PROVEN:
        life.proofs += 1
        life.days.append((entry.effective_at - before.opened_at) / DAY)
        points.append((entry.effective_at, before.points))
    elif entry.step is Step.REOPENED and before.state is ItemState.PROVEN:
        life.returns += 1


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of them do not exceed (nearest rank); None of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _speed(points: Iterable[tuple[datetime, int]], as_of: datetime) -> float:
    since = as_of - VELOCITY_DAYS * DAY
    return sum(count for at, count in points if at > since) / VELOCITY_DAYS


def _breaches(work: Iterable[BacklogItem], speed: float, as_of: datetime) -> Iterable[Breach]:
    """Items taken in the order of their rank at the speed of late: which are late, or will be when their turn ends."""
    before = 0
    for item in work:
        before += item.points
        overdue = item.due_at <= as_of
        # Beyond a century the sum of days would leave the calendar; nobody plans for it either.
        wait = before / speed if speed > 0 else math.inf
        projected = as_of + wait * DAY if wait < 36_500 else None
        if overdue or projected is None or projected > item.due_at:
            yield Breach(item.id, item.model, item.rank.urgency, item.due_at, projected, overdue)


def end_of(day: date) -> datetime:
    """The last moment of a day, UTC."""
    return datetime.combine(day, time.max, UTC)


def days_of(sprint: Sprint, until: datetime) -> list[date]:
    """The days of a sprint that have begun at a moment; at least the first."""
    last = min(sprint.ends, until.date(), sprint.ends if sprint.closed_at is None else sprint.closed_at.date())
    count = max(0, (last - sprint.starts).days)
    return [sprint.starts + step * DAY for step in range(count + 1)]


def last_moment(sprint: Sprint, as_of: datetime) -> datetime:
    """The moment whose items are a sprint's: `as_of`, or just before it was closed, which sent back what was left."""
    closed = sprint.closed_at
    return as_of if closed is None or closed > as_of else closed - timedelta(microseconds=1)


def burn_down(sprint: Sprint, entries: Sequence[Entry], as_of: datetime) -> Plot:
    """Points left at the end of each day: not proven, and not even claimed; beside the straight way to nothing."""
    left: list[tuple[float, float]] = []
    unclaimed: list[tuple[float, float]] = []
    items: dict[str, BacklogItem] = {}
    position, most = 0, 0
    ordered = sorted(entries, key=lambda entry: (entry.effective_at, entry.sequence))
    for number, day in enumerate(days_of(sprint, as_of)):
        until = min(end_of(day), last_moment(sprint, as_of))
        while position < len(ordered) and ordered[position].effective_at <= until:
            entry = ordered[position]
            items[entry.item] = advance(items.get(entry.item), entry)
            position += 1
        mine = [item for item in items.values() if item.sprint == sprint.id]
        most = max(most, sum(item.points for item in mine))
        left.append((number, sum(item.points for item in mine if item.state is not ItemState.PROVEN)))
        done = (ItemState.PROVEN, ItemState.CLAIMED)
        unclaimed.append((number, sum(item.points for item in mine if item.state not in done)))
    days = max(1, (sprint.ends - sprint.starts).days)
    straight = tuple((day, most * (1 - day / days)) for day in range(days + 1))
    return Plot(
        f"Burn-down of {sprint.name}",
        f"Points not proven at the end of each day from {sprint.starts.isoformat()} on; {left[-1][1]:g} of {most} left",
        "day of the sprint",
        "points",
        "line",
        (Series("not proven", tuple(left)), Series("not claimed", tuple(unclaimed)), Series("even pace", straight)),
    )
