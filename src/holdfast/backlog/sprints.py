"""Sprints: a span of days, a capacity, and what fits into it in the order of rank."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from holdfast.backlog.lifecycle import person, record
from holdfast.backlog.queries import find_sprint
from holdfast.backlog.ranking import rank_key
from holdfast.core.domain import new_id
from holdfast.core.domain.backlog import BacklogItem, ItemState, Sprint, Step
from holdfast.core.errors import UsageError
from holdfast.core.store import Transaction

MAX_DAYS: Final = 92
MAX_CAPACITY: Final = 10_000
MAX_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class Left:
    """An item that was not taken, and why."""

    item: BacklogItem
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sprint takes on, and what it leaves."""

    sprint: Sprint
    taken: tuple[BacklogItem, ...]
    left: tuple[Left, ...]
    used: int
    """Points of everything in the sprint afterwards."""


@dataclass(frozen=True, slots=True)
class Closed:
    """How a sprint ended: what was proven, claims that were sent back, and what returned to the backlog."""

    sprint: Sprint
    proven: tuple[BacklogItem, ...]
    returned: tuple[BacklogItem, ...]
    released: tuple[BacklogItem, ...]


def create(tx: Transaction, name: str, starts: date, ends: date, capacity: int, who: str) -> Sprint:
    """A new sprint. Raises UsageError (HF-BLG-010) for impossible days, capacity or name."""
    by = person(who)
    wrong = _wrong(tx, name, starts, ends, capacity)
    if wrong is not None:
        raise UsageError(
            "this sprint cannot be created",
            cause=wrong,
            fix="correct it and try again; `holdfast backlog sprint show` lists what there is",
            code="HF-BLG-010",
        )
    sprint = tx.sprints.add(Sprint(new_id("spr", lambda: tx.now), name, starts, ends, capacity))
    said = {"sprint": sprint.id, "starts": starts.isoformat(), "ends": ends.isoformat(), "capacity": capacity}
    tx.intend("sprint.created", {**said, "by": by}, about=sprint.id)
    return sprint


def _wrong(tx: Transaction, name: str, starts: date, ends: date, capacity: int) -> str | None:
    if not (name.strip() and name.isprintable() and len(name) <= MAX_NAME):
        return f"its name must be 1 to {MAX_NAME} printable characters"
    if tx.sprints.find(name) is not None:
        return f"there is a sprint '{name}' already"
    if not 0 <= (ends - starts).days < MAX_DAYS:
        return f"it would last {(ends - starts).days + 1} days; 1 to {MAX_DAYS} are possible"
    if not 1 <= capacity <= MAX_CAPACITY:
        return f"its capacity would be {capacity} points; 1 to {MAX_CAPACITY:,} are possible"
    return None


def plan(tx: Transaction, sprint: str, who: str, *, keep: bool = True) -> Plan:
    """Take the top-ranked items that fit what is left of the capacity; `keep` False only says which they would be.

    Raises UsageError (HF-BLG-004 no such sprint, -011 closed).
    """
    by, found = person(who), _standing(tx, sprint)
    items = sorted(tx.backlog.all(), key=rank_key)
    used = sum(item.points for item in items if item.sprint == found.id)
    taken: list[BacklogItem] = []
    left: list[Left] = []
    for item in items:
        if item.state not in (ItemState.OPEN, ItemState.ACTIVE) or item.sprint is not None:
            continue
        why = _why_left(item, found.capacity - used)
        if why is not None:
            left.append(Left(item, why))
            continue
        used += item.points
        taken.append(_take(tx, item, found, by) if keep else item)
    if keep:
        said = {"sprint": found.id, "taken": [item.id for item in taken[:500]], "used": used, "by": by}
        tx.intend("sprint.planned", said, about=found.id)
    return Plan(found, tuple(taken), tuple(left), used)


def _why_left(item: BacklogItem, room: int) -> str | None:
    if item.elsewhere:
        return "it is only on versions that do not serve"
    return f"it needs {item.points} points, {max(0, room)} are left" if item.points > room else None


def _take(tx: Transaction, item: BacklogItem, sprint: Sprint, by: str) -> BacklogItem:
    return record(tx, item, Step.PLANNED, actor=by, why=f"planned for {sprint.name}", body={"sprint": sprint.id})


def close(tx: Transaction, sprint: str, who: str) -> Closed:
    """End a sprint. What is not proven goes back to the backlog; a claim whose finding is still open goes back too.

    Raises UsageError (HF-BLG-004, -011).
    """
    by, found = person(who), _standing(tx, sprint)
    tx.sprints.close(found.id)
    mine = sorted((item for item in tx.backlog.all() if item.sprint == found.id), key=rank_key)
    returned, released = [], []
    for item in mine:
        if item.state in (ItemState.PROVEN, ItemState.ACCEPTED):
            continue
        if item.state is ItemState.CLAIMED:
            why = "claimed, but its finding was still open when the sprint was closed"
            returned.append(item := record(tx, item, Step.RETURNED, actor=by, why=why))
        released.append(record(tx, item, Step.RELEASED, actor=by, why=f"{found.name} was closed"))
    proven = [item for item in mine if item.state is ItemState.PROVEN]
    said = {"sprint": found.id, "proven": len(proven), "returned": len(returned), "released": len(released), "by": by}
    tx.intend("sprint.closed", said, about=found.id)
    return Closed(find_sprint(tx, found.id), tuple(proven), tuple(returned), tuple(released))


def _standing(tx: Transaction, sprint: str) -> Sprint:
    found = find_sprint(tx, sprint)
    if found.closed_at is not None:
        raise UsageError(
            f"the sprint '{found.name}' is closed",
            cause="what was left in it went back to the backlog",
            fix="create the next one: holdfast backlog sprint create NAME --starts DATE --ends DATE --capacity POINTS",
            code="HF-BLG-011",
        )
    return found
