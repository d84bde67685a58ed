"""What is done about an alert: the run of a playbook, the orders it gives, who approved it, who was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from holdfast.core.domain.claim import PERSON, Cause, Ceiling, Claim
from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.ids import JSONValue, digest

ORDER_BY_HAND = "by-hand"
"""The playbook of a run that a person started without one."""


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's consent to a run."""

    person: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """One directive that a run gives: `effect` on `target`, for `lasts_s` or, where that is given, `until` a moment.

    `asked`: it is to be enforced, once `needs` people have approved; until then, and otherwise, it is only noted.
    """

    effect: str
    target: str
    ceiling: Ceiling
    lasts_s: float
    asked: bool
    needs: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What kept it from going further, in words: a cap, a ceiling, an approval it waits for."""
    until: datetime | None = None


class RunState(StrEnum):
    """PENDING: something in it waits for people. OVER: every order has come to its own end. UNDONE: taken back."""

    PENDING = "pending"
    ACTIVE = "active"
    OVER = "over"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Run:
    """A playbook that fired for one cause. Its claims and its state are derived, never written."""

    id: str
    playbook: str
    playbook_digest: str
    cause: Cause
    model: str
    orders: tuple[Order, ...]
    started_at: datetime
    sinks: tuple[str, ...] = ()
    incident: str | None = None
    approvals: tuple[Approval, ...] = ()
    undone_at: datetime | None = None
    undone_by: str | None = None
    reason: str | None = None

    def state(self, now: datetime) -> RunState:
        """Where the run stands."""
        if self.undone_at is not None:
            return RunState.UNDONE
        if self.orders and all(self.ends(order) <= now for order in self.orders):
            return RunState.OVER
        return RunState.PENDING if self.missing else RunState.ACTIVE

    @property
    def missing(self) -> int:
        """How many more people must approve before all that was asked is enforced."""
        needs = max((order.needs for order in self.orders if order.asked), default=0)
        return max(0, needs - len(self.approvals))

    def enforced(self, order: Order) -> bool:
        """Whether enough people stand behind an order that asks to be enforced."""
        return order.asked and len(self.approvals) >= order.needs

    def begins(self, order: Order) -> datetime:
        """When an order began to hold as it holds now: the last approval it needed, else the start."""
        waited = self.enforced(order) and order.needs > 0
        return max(self.started_at, self.approvals[order.needs - 1].at) if waited else self.started_at

    def ends(self, order: Order) -> datetime:
        """The order's own end. A span counts from when the order is enforced."""
        return order.until or self.begins(order) + timedelta(seconds=order.lasts_s)

    def claim(self, order: Order) -> Claim:
        """The claim that an order is now. What is only noted has the lowest ceiling, so that what is enforced leads."""
        enforced = self.enforced(order)
        return Claim(
            cause=self.cause,
            effect=order.effect,
            target=order.target,
            ceiling=order.ceiling if enforced else Ceiling.OBSERVE,
            since=self.begins(order),
            until=self.ends(order),
            body={**order.body, "enforce": enforced},
        )


def run_id(playbook: str, cause: Cause) -> str:
    """Derived from playbook and cause, so that no playbook runs twice for one alert."""
    return "run_" + digest(["run", playbook, str(cause)]).removeprefix("sha256:")[:32]


def by_hand(person: str, effect: str) -> Cause:
    """The cause of a person's own directive: theirs alone, one for each effect."""
    return Cause(PERSON, f"{person}/{effect}")


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to the outside. Its id derives from what it says of what, so that a receiver can drop doubles.

    `state` is what became of the subject: raised, withdrawn, waiting, test. `tlp` is a word of `Tlp`; anything else
    counts as the most restrictive. `body` holds the plain values that sinks render.
    """

    kind: str
    subject: str
    state: str
    at: datetime
    tlp: str
    body: Mapping[str, JSONValue]

    @property
    def id(self) -> str:
        return "ntc_" + digest(["notice", self.kind, self.subject, self.state]).removeprefix("sha256:")[:32]

    def to_json(self) -> dict[str, JSONValue]:
        """What travels through the outbox."""
        return {
            "id": self.id,
            "kind": self.kind,
            "subject": self.subject,
            "state": self.state,
            "at": to_iso(self.at),
            "tlp": self.tlp,
            "body": dict(self.body),
        }
