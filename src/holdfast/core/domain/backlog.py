"""Security work as agile work: ranked items that close only when the same check passes on what is deployed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from holdfast.core.domain.ids import digest
from holdfast.core.domain.severity import Scale


class ItemState(StrEnum):
    """A person may move an item up to CLAIMED; only a check's new result makes it PROVEN."""

    OPEN = "open"
    PLANNED = "planned"
    ACTIVE = "active"
    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    PROVEN = "proven"


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
    due_at: datetime
    points: int
    sprint: str | None = None
    assignee: str | None = None
    claimed_at: datetime | None = None
    proven_at: datetime | None = None
    reopened: int = 0


def item_id(fingerprint: str) -> str:
    """The id of the item of a finding."""
    return "itm_" + digest(["item", fingerprint]).removeprefix("sha256:")[:32]


@dataclass(frozen=True, slots=True)
class Sprint:
    """A span of days with a capacity in points."""

    id: str
    name: str
    starts: date
    ends: date
    capacity: int


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A risk taken for a while: owner and approver are two people, and `check` must stay green meanwhile."""

    id: str
    item: str
    owner: str
    approver: str | None
    reason: str
    check: str | None
    expires_at: datetime
    approved_at: datetime | None
