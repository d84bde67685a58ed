"""Typed views of the backlog; the CLI's JSON, the API and the console show these and nothing else.

Every function takes the moment to look from; the items are then those of that moment, read from the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from holdfast.backlog.evidence import alerts_of
from holdfast.backlog.measures import DAY, Measures, burn_down, last_moment, measure
from holdfast.backlog.ranking import rank_key
from holdfast.core.domain.backlog import UNDONE, Acceptance, BacklogItem, ItemState, Sprint, Urgency, fold
from holdfast.core.errors import UsageError
from holdfast.core.report.plot import Plot
from holdfast.core.store import Transaction


class _View:
    """What every view can do."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values: moments as RFC 3339, plots as their numbers."""
        said: dict[str, Any] = msgspec.to_builtins(self)
        return said


@dataclass(frozen=True, slots=True)
class ItemRow(_View):
    """One item in a list. `days_left` until due, negative when overdue; None where no clock runs."""

    id: str
    fingerprint: str
    model: str
    tier: str
    title: str
    state: ItemState
    urgency: Urgency
    score: float
    reasons: tuple[str, ...]
    points: int
    opened_at: datetime
    due_at: datetime
    days_left: float | None
    sprint: str | None
    assignee: str | None
    elsewhere: bool
    reopened: int
    accepted_by: str | None
    accepted_until: datetime | None

    @property
    def overdue(self) -> bool:
        """Whether it is late."""
        return self.days_left is not None and self.days_left <= 0


@dataclass(frozen=True, slots=True)
class BacklogView(_View):
    """The backlog at a moment, most urgent first."""

    as_of: datetime
    items: tuple[ItemRow, ...]
    open_by_urgency: Mapping[str, int]
    overdue: int


@dataclass(frozen=True, slots=True)
class HistoryRow(_View):
    """One line of an item's journal, and the state it led to."""

    effective_at: datetime
    recorded_at: datetime
    step: str
    state: str
    actor: str
    why: str


@dataclass(frozen=True, slots=True)
class OccurrenceRow(_View):
    """A version that shows or showed the finding."""

    version: str
    present: bool
    serves: bool
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Proof(_View):
    """What proved an item: a judgement of the version that serves, without the finding."""

    judgement: str
    version: str | None
    observation: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class TicketRow(_View):
    """The item in a tracker."""

    tracker: str
    number: str
    url: str | None
    closed: bool


@dataclass(frozen=True, slots=True)
class ItemView(_View):
    """Everything about one item."""

    as_of: datetime
    item: ItemRow
    rule: str
    severity: str
    technique: str | None
    check: str
    message: str
    history: tuple[HistoryRow, ...]
    occurrences: tuple[OccurrenceRow, ...]
    alerts: tuple[str, ...]
    acceptances: tuple[Acceptance, ...]
    proof: Proof | None
    tickets: tuple[TicketRow, ...]
    leaves: tuple[tuple[str, int | None], ...]
    """Kinds of ledger entries about it, each with its leaf."""


@dataclass(frozen=True, slots=True)
class SprintRow(_View):
    """A sprint in figures, as of the moment of the view."""

    id: str
    name: str
    starts: date
    ends: date
    capacity: int
    items: int
    points: int
    proven_points: int
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class SprintsView(_View):
    """Every sprint, by start."""

    as_of: datetime
    sprints: tuple[SprintRow, ...]


@dataclass(frozen=True, slots=True)
class Column(_View):
    """One state on the board."""

    state: ItemState
    points: int
    items: tuple[ItemRow, ...]


@dataclass(frozen=True, slots=True)
class SprintView(_View):
    """One sprint: its board, one column per state, and its burn-down."""

    as_of: datetime
    sprint: SprintRow
    board: tuple[Column, ...]
    burn_down: Plot


MeasuresView = Measures


def backlog_view(tx: Transaction, now: datetime, *, model: str | None = None, every: bool = False) -> BacklogView:
    """The backlog at `now`, most urgent first. `every` adds what is proven; `model` keeps one model's."""
    items = [item for item in tx.backlog.as_of(now) if model in (None, item.model)]
    kept = sorted((item for item in items if every or item.state is not ItemState.PROVEN), key=rank_key)
    rows = _rows(tx, kept, now)
    work = [item for item in kept if item.undone]
    counts = {word.value: sum(item.rank.urgency is word for item in work) for word in reversed(Urgency)}
    return BacklogView(now, rows, counts, sum(row.overdue for row in rows))


def item_view(tx: Transaction, item: str, now: datetime | None = None) -> ItemView:
    """One item by its id or the beginning of it. Raises UsageError (HF-BLG-001) where there is none."""
    moment = now or tx.now
    entries = [entry for entry in tx.backlog.history(find_id(tx, item)) if entry.effective_at <= moment]
    if not entries:
        raise no_item(item)
    history, found = [], None
    for place in range(len(entries)):
        found = fold(entries[: place + 1])[entries[0].item]
        said = entries[place]
        history.append(
            HistoryRow(said.effective_at, said.recorded_at, said.step.value, found.state.value, said.actor, said.why)
        )
    assert found is not None
    finding = next(one.finding for one in tx.findings.of(found.model) if one.finding.fingerprint == found.fingerprint)
    serving = tx.models.deployed(found.model)
    return ItemView(
        as_of=moment,
        item=_rows(tx, [found], moment)[0],
        rule=finding.rule,
        severity=finding.severity.value,
        technique=finding.technique,
        check=finding.check,
        message=finding.message,
        history=tuple(history),
        occurrences=tuple(
            OccurrenceRow(one.version, one.present, one.version == serving, one.first_at, one.last_at)
            for one in tx.findings.occurrences(found.fingerprint)
            if one.first_at <= moment
        ),
        alerts=tuple(alert.id for alert in alerts_of(tx, found.fingerprint)),
        acceptances=tuple(one for one in tx.acceptances.of_item(found.id) if one.requested_at <= moment),
        proof=_proof(found, entries),
        tickets=tuple(TicketRow(one.tracker, one.number, one.url, one.closed) for one in tx.tickets.of_item(found.id)),
        leaves=tuple(tx.intents.about(found.id)),
    )


def sprints_view(tx: Transaction, now: datetime | None = None) -> SprintsView:
    """Every sprint that exists at `now` (default: the store's present)."""
    moment = now or tx.now
    rows = (_sprint_row(one, tx.backlog.as_of(last_moment(one, moment)), moment) for one in tx.sprints.all(moment))
    return SprintsView(moment, tuple(rows))


def sprint_view(tx: Transaction, sprint: str, now: datetime | None = None) -> SprintView:
    """One sprint by its id or name. Raises UsageError (HF-BLG-004) where there is none."""
    moment = now or tx.now
    found = find_sprint(tx, sprint)
    entries = tx.backlog.entries(last_moment(found, moment))
    items = sorted(fold(entries).values(), key=rank_key)
    mine = [item for item in items if item.sprint == found.id]
    rows = _rows(tx, mine, moment)
    board = (
        Column(state, _points(mine, state), tuple(row for row in rows if row.state is state)) for state in ItemState
    )
    return SprintView(moment, _sprint_row(found, items, moment), tuple(board), burn_down(found, entries, moment))


def measures_view(tx: Transaction, as_of: datetime) -> MeasuresView:
    """The backlog in figures, recomputed from the journal for any moment."""
    return measure(tx.backlog.entries(as_of), as_of)


def find_id(tx: Transaction, item: str) -> str:
    """The whole id of an item out of its beginning. Raises UsageError (HF-BLG-001) where that names not one item."""
    found = tx.backlog.matching(item) if item else []
    if len(found) != 1 and item not in found:
        raise no_item(item, found)
    return item if item in found else found[0]


def no_item(item: str, near: Iterable[str] = ()) -> UsageError:
    """The error for an item that is not there, or not alone."""
    several = ", ".join(near)
    return UsageError(
        f"there is no backlog item '{item}'",
        cause=f"it begins several: {several}" if several else "no item's id begins like that, at this moment",
        fix="`holdfast backlog list` shows the items",
        code="HF-BLG-001",
    )


def find_sprint(tx: Transaction, sprint: str) -> Sprint:
    """A sprint by its id or name. Raises UsageError (HF-BLG-004)."""
    found = tx.sprints.find(sprint)
    if found is None:
        raise UsageError(
            f"there is no sprint '{sprint}'",
            cause=f"there are {', '.join(one.name for one in tx.sprints.all()) or 'none yet'}",
            fix="create it: holdfast backlog sprint create NAME --starts DATE --ends DATE --capacity POINTS",
            code="HF-BLG-004",
        )
    return found


def _rows(tx: Transaction, items: Iterable[BacklogItem], now: datetime) -> tuple[ItemRow, ...]:
    tiers = {model.name: model.tier.value for model in tx.models.all()}
    sprints = {sprint.id: sprint.name for sprint in tx.sprints.all()}
    return tuple(_row(tx, item, tiers.get(item.model, ""), sprints, now) for item in items)


def _row(tx: Transaction, item: BacklogItem, tier: str, sprints: Mapping[str, str], now: datetime) -> ItemRow:
    accepted = _accepted(tx, item, now)
    return ItemRow(
        id=item.id,
        fingerprint=item.fingerprint,
        model=item.model,
        tier=tier,
        title=item.title,
        state=item.state,
        urgency=item.rank.urgency,
        score=item.rank.score,
        reasons=item.rank.reasons,
        points=item.points,
        opened_at=item.opened_at,
        due_at=item.due_at,
        days_left=round((item.due_at - now) / DAY, 3) if item.state in UNDONE and not item.elsewhere else None,
        sprint=None if item.sprint is None else sprints.get(item.sprint, item.sprint),
        assignee=item.assignee,
        elsewhere=item.elsewhere,
        reopened=item.reopened,
        accepted_by=None if accepted is None else accepted.approver,
        accepted_until=None if accepted is None else accepted.expires_at,
    )


def _accepted(tx: Transaction, item: BacklogItem, now: datetime) -> Acceptance | None:
    if item.state is not ItemState.ACCEPTED:
        return None
    held = [one for one in tx.acceptances.of_item(item.id) if one.approved_at is not None and one.approved_at <= now]
    return held[-1] if held else None


def _proof(item: BacklogItem, entries: Iterable[Any]) -> Proof | None:
    if item.proof is None or item.proven_at is None:
        return None
    said = [entry for entry in entries if entry.step == "proven"][-1].body
    return Proof(item.proof, said.get("version"), said.get("observation"), item.proven_at)


def _sprint_row(sprint: Sprint, items: Iterable[BacklogItem], now: datetime) -> SprintRow:
    mine = [item for item in items if item.sprint == sprint.id]
    closed = sprint.closed_at if sprint.closed_at is not None and sprint.closed_at <= now else None
    return SprintRow(
        sprint.id,
        sprint.name,
        sprint.starts,
        sprint.ends,
        sprint.capacity,
        len(mine),
        sum(item.points for item in mine),
        _points(mine, ItemState.PROVEN),
        closed,
    )


def _points(items: Iterable[BacklogItem], state: ItemState) -> int:
    return sum(item.points for item in items if item.state is state)
