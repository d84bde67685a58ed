"""Security work as agile work: ranked items that close only when the same check passes on what is deployed.

An item is what its journal amounts to: `advance` takes one entry, and nothing else changes an item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from holdfast.core.domain.clock import from_iso
from holdfast.core.domain.ids import JSONValue, digest
from holdfast.core.domain.severity import Scale


class ItemState(StrEnum):
    """A person may move an item up to CLAIMED; only a check's new result makes it PROVEN."""

    OPEN = "open"
    PLANNED = "planned"
    ACTIVE = "active"
    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    PROVEN = "proven"


UNDONE: Final = (ItemState.OPEN, ItemState.PLANNED, ItemState.ACTIVE, ItemState.CLAIMED)
"""The states in which an item is work and its clock runs."""


class Urgency(Scale):
    """What the ranking table decides (the shape of SSVC's deployer tree)."""

    DEFER = "defer"
    SCHEDULED = "scheduled"
    OUT_OF_CYCLE = "out-of-cycle"
    IMMEDIATE = "immediate"


@dataclass(frozen=True, slots=True)
class Rank:
    """An urgency, the inputs of the table that gave it in words, and a number that only breaks ties."""

    urgency: Urgency
    reasons: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class BacklogItem:
    """The work that one finding is. Its id derives from the fingerprint: one finding is one item for ever."""

    id: str
    fingerprint: str
    model: str
    title: str
    state: ItemState
    rank: Rank
    opened_at: datetime
    """Since when the clock runs: first sight on what is deployed, or the last reopening."""
    due_at: datetime
    points: int
    sprint: str | None = None
    assignee: str | None = None
    claimed_at: datetime | None = None
    proven_at: datetime | None = None
    proof: str | None = None
    """Key of the judgement that proved it."""
    reopened: int = 0
    elsewhere: bool = False
    """Only on versions that do not serve: kept in sight, but no work on what is deployed."""
    escaped: bool = False
    """Found on a version that was already serving."""
    changed_at: datetime | None = None

    @property
    def undone(self) -> bool:
        """Whether it is work on what is deployed."""
        return self.state in UNDONE and not self.elsewhere


class Step(StrEnum):
    """What can happen to an item. OPENED, HERE, RANKED, RETURNED, REOPENED and PROVEN are said by results alone."""

    OPENED = "opened"
    HERE = "here"
    RANKED = "ranked"
    PLANNED = "planned"
    RELEASED = "released"
    STARTED = "started"
    CLAIMED = "claimed"
    RETURNED = "returned"
    ACCEPTED = "accepted"
    REOPENED = "reopened"
    PROVEN = "proven"
    NOTED = "noted"


_OPEN, _PLANNED, _ACTIVE, _CLAIMED = UNDONE
_SAME: Final = MappingProxyType({state: state for state in ItemState})

MOVES: Final[Mapping[Step, Mapping[ItemState, ItemState]]] = MappingProxyType(
    {
        Step.HERE: _SAME,
        Step.RANKED: _SAME,
        Step.NOTED: _SAME,
        Step.PLANNED: {_OPEN: _PLANNED, _ACTIVE: _ACTIVE},
        Step.RELEASED: {_PLANNED: _OPEN, _ACTIVE: _ACTIVE, _CLAIMED: _CLAIMED},
        Step.STARTED: {_OPEN: _ACTIVE, _PLANNED: _ACTIVE},
        Step.CLAIMED: {_OPEN: _CLAIMED, _PLANNED: _CLAIMED, _ACTIVE: _CLAIMED},
        Step.RETURNED: {_CLAIMED: _ACTIVE},
        Step.ACCEPTED: dict.fromkeys(UNDONE, ItemState.ACCEPTED),
        Step.REOPENED: {ItemState.ACCEPTED: _OPEN, ItemState.PROVEN: _OPEN},
        Step.PROVEN: dict.fromkeys((*UNDONE, ItemState.ACCEPTED), ItemState.PROVEN),
    }
)
"""The life of an item after OPENED: for each step, from which states it leads, and to which."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an item's journal. `effective_at` never runs backwards within an item.

    `actor` is `kind:id`: person:<name>, check:<judgement key>, acceptance:<id>, alert:<id>, tracker:<name>.
    """

    item: str
    step: Step
    actor: str
    why: str
    effective_at: datetime
    recorded_at: datetime
    body: Mapping[str, JSONValue] = field(default_factory=dict)
    sequence: int = 0


def item_id(fingerprint: str) -> str:
    """The id of the item of a finding."""
    return "itm_" + digest(["item", fingerprint]).removeprefix("sha256:")[:32]


def leads_to(state: ItemState, step: Step) -> ItemState | None:
    """The state after a step; None where the step is not possible."""
    return MOVES[step].get(state) if step in MOVES else None


def advance(item: BacklogItem | None, entry: Entry) -> BacklogItem:
    """The item after one entry of its journal. Raises ValueError where the entry is not possible in its state."""
    if item is None:
        if entry.step is not Step.OPENED:
            raise ValueError(f"a journal begins with '{Step.OPENED}', not with '{entry.step}'")
        return _opened(entry)
    state = leads_to(item.state, entry.step)
    if state is None:
        raise ValueError(f"'{entry.step}' is not possible for an item that is {item.state}")
    return replace(item, state=state, changed_at=entry.effective_at, **_changes(item, entry))


def fold(entries: Iterable[Entry]) -> dict[str, BacklogItem]:
    """The items that a journal amounts to, by id. Entries in the order they were recorded."""
    items: dict[str, BacklogItem] = {}
    for entry in entries:
        items[entry.item] = advance(items.get(entry.item), entry)
    return items


def _opened(entry: Entry) -> BacklogItem:
    said: Any = entry.body
    return BacklogItem(
        id=entry.item,
        fingerprint=said["fingerprint"],
        model=said["model"],
        title=said["title"],
        state=ItemState.OPEN,
        opened_at=entry.effective_at,
        elsewhere=bool(said.get("elsewhere")),
        escaped=bool(said.get("escaped")),
        changed_at=entry.effective_at,
        **_ranked(entry),
    )


def _ranked(entry: Entry) -> dict[str, Any]:
    said: Any = entry.body
    rank = Rank(Urgency(said["urgency"]), tuple(said["reasons"]), float(said["score"]))
    return {"rank": rank, "points": int(said["points"]), "due_at": from_iso(said["due_at"])}


def _changes(item: BacklogItem, entry: Entry) -> dict[str, Any]:
    """What a step says besides the state."""
    at, said = entry.effective_at, entry.body
    if entry.step in (Step.RANKED, Step.HERE, Step.REOPENED):
        return {**_ranked(entry), **_restarted(item, entry)}
    changes: dict[Step, dict[str, Any]] = {
        Step.PLANNED: {"sprint": said.get("sprint")},
        Step.RELEASED: {"sprint": None},
        Step.STARTED: {"assignee": said.get("assignee")},
        Step.CLAIMED: {"claimed_at": at},
        Step.RETURNED: {"claimed_at": None},
        Step.PROVEN: {"proven_at": at, "proof": said.get("proof")},
    }
    return changes.get(entry.step, {})


def _restarted(item: BacklogItem, entry: Entry) -> dict[str, Any]:
    """Where the clock starts (again), and what no longer holds then."""
    if entry.step is Step.HERE:
        return {"elsewhere": False, "opened_at": entry.effective_at, "escaped": bool(entry.body.get("escaped"))}
    if entry.step is Step.REOPENED:
        undone = {"sprint": None, "claimed_at": None, "proven_at": None, "proof": None}
        again = item.reopened + (item.state is ItemState.PROVEN)
        return {"opened_at": entry.effective_at, "reopened": again, "elsewhere": False, **undone}
    return {}


@dataclass(frozen=True, slots=True)
class Sprint:
    """A span of days, both ends included, with a capacity in points."""

    id: str
    name: str
    starts: date
    ends: date
    capacity: int
    created_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A risk taken for a while: owner and approver are two people, and `check` must stay green meanwhile.

    Asked for until it is approved; in force from then until its end, whichever comes first: `expires_at`, the check
    no longer green, somebody withdraws it, or the finding is proven gone.
    """

    id: str
    item: str
    fingerprint: str
    model: str
    owner: str
    approver: str | None
    reason: str
    check: str
    requested_at: datetime
    expires_at: datetime
    approved_at: datetime | None = None
    ended_at: datetime | None = None
    end: str | None = None

    @property
    def approved(self) -> bool:
        """Whether the second person has said yes and nothing has ended it yet."""
        return self.approved_at is not None and self.ended_at is None


ACCEPT: Final = "accept"
"""The effect of the claim that an approved acceptance is, on `finding:<fingerprint>`."""


@dataclass(frozen=True, slots=True)
class TrackerLink:
    """A tracker that the backlog is shown in. The token is never stored, only the name of its environment variable."""

    name: str
    kind: str
    url: str
    project: str
    token_env: str | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """An item as one tracker knows it. `version` is the tracker's own (an ETag), against lost updates."""

    tracker: str
    item: str
    number: str
    version: str | None
    closed: bool
    url: str | None = None
