"""Regulatory clocks as pure functions: from the moments of an incident to what is due when, and whether it was done.

The clocks themselves, and the thresholds of the DORA classification, are data (`clocks.yaml`), each with its source and
whether that was read. Moments are UTC. A duty that has not started has no due time.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from holdfast.core.documents import Document
from holdfast.core.domain import to_iso
from holdfast.core.policy.duration import parse_duration

MAJOR: Final = "major"
HARMLESS: Final = ("false-alarm",)
MINOR: Final = ("minor", *HARMLESS)


@dataclass(frozen=True, slots=True)
class Incident:
    """The moments that clocks count from. `grave`: the special case of a regime, such as a death or wide disruption."""

    aware_at: datetime
    classified_at: datetime | None = None
    classified_as: str | None = None
    grave: frozenset[str] = frozenset()

    def classified(self, as_: str, at: datetime) -> Incident:
        """The same after a (new) classification; the first moment at which it was major counts."""
        first = self.classified_at if self.classified_as == as_ else at
        return replace(self, classified_as=as_, classified_at=first)

    @property
    def major_at(self) -> datetime | None:
        """When it was classified as major, if it is."""
        return self.classified_at if self.classified_as == MAJOR else None


class Bound(BaseModel):
    """`within` after `after`: a moment of the incident, or `done:<clock>` for what another clock's report started."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: str = Field(pattern=r"^(aware|classified|major|done:[a-z0-9-]+)$")
    within: str = Field(pattern=r"^([1-9][0-9]{0,4}[mhdw]|[1-9][0-9]?mo)$")


class Clock(BaseModel):
    """A duty to report. It starts when every bound has started; the earliest of their ends from then on is due.

    `only`: for incidents classified as major, or of a grave case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    regime: str = Field(pattern=r"^[a-z0-9-]+$")
    clause: str
    what: str
    bounds: tuple[Bound, ...] = Field(min_length=1)
    only: str | None = None
    source: str
    verified: Literal["primary", "secondary", "knowledge"]


class Recurring(BaseModel):
    """Small incidents of one cause add up to a major one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    times: int
    within: str


class Thresholds(BaseModel):
    """When an incident is major under DORA. Shares of all clients, counterparts, daily transactions; spans; EUR."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    verified: dict[str, str]
    needed: int
    clients_share: float
    clients: int
    counterparts_share: float
    transactions_share: float
    amount_share: float
    duration: str
    downtime: str
    member_states: int
    cost_eur: int
    recurring: Recurring


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    clocks: tuple[Clock, ...]
    dora_major: Thresholds


@dataclass(frozen=True, slots=True)
class Timer:
    """One clock on one incident: due when, done when, and how long is left (negative: overdue)."""

    clock: Clock
    due_at: datetime
    done_at: datetime | None
    left: timedelta

    @property
    def missed(self) -> bool:
        """Whether it was done too late, or is not done and overdue."""
        return self.done_at > self.due_at if self.done_at is not None else self.left < timedelta(0)

    @property
    def state(self) -> str:
        """`done`, `done late`, `running` or `overdue`."""
        if self.done_at is not None:
            return "done late" if self.missed else "done"
        return "overdue" if self.missed else "running"

    def words(self) -> str:
        """The timer in one line."""
        due = f"due {to_iso(self.due_at)}"
        return f"{self.state} ({due})" if self.done_at is None else f"{self.state} at {to_iso(self.done_at)} ({due})"


@cache
def _file() -> _File:
    text = (resources.files("holdfast.comply") / "clocks.yaml").read_text("utf-8")
    return Document.parse(text, "clocks.yaml", code="HF-CPL").into(_File)


CLOCKS: Final = _file().clocks
DORA_MAJOR: Final = _file().dora_major


def timers(
    incident: Incident, as_of: datetime, done: Mapping[str, datetime] | None = None, *, regime: str | None = None
) -> list[Timer]:
    """The clocks that run on an incident at a moment. `done`: when each report was made, by clock id."""
    made = {name: at for name, at in (done or {}).items() if at <= as_of}
    found = (_timer(clock, incident, as_of, made) for clock in CLOCKS if regime in (None, clock.regime))
    return [timer for timer in found if timer is not None]


def _timer(clock: Clock, incident: Incident, as_of: datetime, made: Mapping[str, datetime]) -> Timer | None:
    if not _concerns(clock, incident):
        return None
    starts = [_start(bound.after, incident, made) for bound in clock.bounds]
    known = [start for start in starts if start is not None]
    if len(known) < len(starts) or max(known) > as_of:
        return None
    ends = [add(start, bound.within) for start, bound in zip(known, clock.bounds, strict=True)]
    # A bound that had run out before the duty began binds nobody: classified late, four hours are left.
    due = min(end for end in ends if end >= max(known))
    return Timer(clock, due, made.get(clock.id), due - as_of)


def _concerns(clock: Clock, incident: Incident) -> bool:
    if clock.only is None:
        return incident.classified_as not in HARMLESS
    return incident.major_at is not None if clock.only == MAJOR else clock.only in incident.grave


def open_cases(incident: Incident, regime: str, said: Collection[str]) -> tuple[str, ...]:
    """Which special cases of a regime nobody has spoken about yet, of an incident that may be grave.

    `said` are the cases that somebody has affirmed or denied. A regime that asks for `major` is settled by classifying.
    """
    wanted = {clock.only for clock in CLOCKS if clock.regime == regime and clock.only is not None}
    if MAJOR in wanted:
        return () if incident.classified_at is not None else (MAJOR,)
    if incident.classified_as in MINOR:
        return ()
    return tuple(sorted(wanted - set(said)))


def _start(after: str, incident: Incident, made: Mapping[str, datetime]) -> datetime | None:
    if after.startswith("done:"):
        return made.get(after.removeprefix("done:"))
    return {"aware": incident.aware_at, "classified": incident.classified_at, "major": incident.major_at}[after]


def add(start: datetime, within: str) -> datetime:
    """`start` plus `72h`, `15d`, or calendar months (`1mo`: the same day of the next month, or its last)."""
    if not within.endswith("mo"):
        return start + parse_duration(within)
    months = start.month - 1 + int(within[:-2])
    year, month = start.year + months // 12, months % 12 + 1
    return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))
