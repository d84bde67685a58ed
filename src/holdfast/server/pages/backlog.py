"""The backlog, one item, sprints and their boards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from holdfast.backlog.acceptance import Wish, approve, request, withdraw
from holdfast.backlog.lifecycle import claim, start
from holdfast.backlog.queries import (
    BacklogView,
    ItemRow,
    ItemView,
    SprintRow,
    SprintView,
    backlog_view,
    item_view,
    no_item,
    sprint_view,
    sprints_view,
)
from holdfast.backlog.sprints import close, create, plan
from holdfast.core.domain.backlog import BacklogItem
from holdfast.server.auth.rights import Right
from holdfast.server.faults import not_found, wrong_parameter
from holdfast.server.page import AS_OF, Done, action, page
from holdfast.server.visit import Deed, Visit

MAX_ACCEPT_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Backlog:
    """The items that the filters leave, most urgent first."""

    open_by_urgency: dict[str, int]
    overdue: int
    items: tuple[ItemRow, ...]
    sprints: tuple[SprintRow, ...]


FILTERS = {"model": "Only items of this model.", "every": "Any word here adds items that are proven done."}


@page("/backlog", "backlog.html", "backlog", query={**AS_OF, **FILTERS})
def backlog(visit: Visit) -> Backlog:
    """The work that findings are, most urgent first."""
    view: BacklogView = backlog_view(
        visit.tx, visit.as_of, model=visit.word("model"), every=visit.word("every") is not None
    )
    mine = tuple(item for item in view.items if item.model in visit.models)
    work = [item for item in mine if item.state.value not in ("proven", "accepted")]
    counts = {word: sum(item.urgency.value == word for item in work) for word in view.open_by_urgency}
    return Backlog(counts, sum(item.overdue for item in mine), mine, sprints_view(visit.tx, visit.as_of).sprints)


@page("/backlog/items/{id}", "item.html", "backlog", query=AS_OF)
def item(visit: Visit) -> ItemView:
    """One item: why it is ranked so, its history, its proof."""
    found = item_view(visit.tx, visit.params["id"], visit.as_of)
    if found.item.model not in visit.models:
        raise no_item(visit.params["id"])
    return found


@dataclass(frozen=True, slots=True)
class Sprints:
    """Every sprint, by start."""

    sprints: tuple[SprintRow, ...]


@page("/backlog/sprints", "sprints.html", "backlog", query=AS_OF)
def sprints(visit: Visit) -> Sprints:
    """Sprints and what they achieved."""
    return Sprints(sprints_view(visit.tx, visit.as_of).sprints)


@page("/backlog/sprints/{id}", "sprint.html", "backlog", query=AS_OF)
def sprint(visit: Visit) -> SprintView:
    """One sprint: its board and its burn-down."""
    found = sprint_view(visit.tx, visit.params["id"], visit.as_of)
    board = tuple(
        replace(column, items=tuple(item for item in column.items if item.model in visit.models))
        for column in found.board
    )
    return replace(found, board=board)


def _item(deed: Deed) -> BacklogItem:
    """The item of an action, where its model is the user's to see."""
    found = deed.tx.backlog.find(deed.params["id"])
    if found is None:
        raise no_item(deed.params["id"])
    deed.demand_model(found.model)
    return found


def _back(deed: Deed) -> Done:
    return Done(f"/backlog/items/{deed.params['id']}")


@action("/backlog/items/{id}/start", Right.WORK_ON_ITEMS, said="The item is yours; work has begun.")
def start_item(deed: Deed) -> Done:
    """Begin to work on an item."""
    start(deed.tx, _item(deed), deed.who.name)
    return _back(deed)


@action(
    "/backlog/items/{id}/claim",
    Right.WORK_ON_ITEMS,
    said="The item is claimed done. It is proven when its check passes on what serves.",
    fields={"reason": "What was done."},
)
def claim_item(deed: Deed) -> Done:
    """Say that an item is done."""
    claim(deed.tx, _item(deed), f"person:{deed.who.name}", deed.text("reason"))
    return _back(deed)


ASKED = {
    "reason": "Why the risk can be borne.",
    "check": "The check that must stay green meanwhile.",
    "days": "For how many days.",
    "approver": "Who is to approve; empty: any lead.",
}


@action(
    "/backlog/items/{id}/accept", Right.ASK_ACCEPTANCE, said="The acceptance waits for another person.", fields=ASKED
)
def ask_acceptance(deed: Deed) -> Done:
    """Ask that the risk of an item be accepted for a while."""
    days = deed.text("days", most=5)
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= MAX_ACCEPT_DAYS):
        raise wrong_parameter("days", f"{days!r} is no number of days", f"write 1 to {MAX_ACCEPT_DAYS}")
    until = deed.now + timedelta(days=int(days))
    wish = Wish(deed.who.name, deed.optional("approver", 128), until, deed.text("check", most=128), deed.text("reason"))
    request(deed.tx, _item(deed), wish)
    return _back(deed)


@action("/backlog/items/{id}/approve", Right.ACCEPT_RISK, said="The risk is accepted until its end.")
def approve_acceptance(deed: Deed) -> Done:
    """Approve the acceptance that somebody else asked for."""
    approve(deed.tx, _item(deed), deed.who.name)
    return _back(deed)


@action(
    "/backlog/items/{id}/withdraw",
    Right.ACCEPT_RISK,
    said="The acceptance is taken back.",
    fields={"reason": "Why it is taken back."},
)
def withdraw_acceptance(deed: Deed) -> Done:
    """Take an acceptance back, or the wish for one."""
    withdraw(deed.tx, _item(deed), deed.who.name, deed.text("reason"))
    return _back(deed)


SPRINT = {"name": "Name.", "starts": "First day.", "ends": "Last day.", "capacity": "Points."}


@action("/backlog/sprints", Right.PLAN_SPRINTS, said="The sprint is created.", fields=SPRINT)
def create_sprint(deed: Deed) -> Done:
    """Create a sprint."""
    capacity = deed.text("capacity", most=6)
    if not (capacity.isascii() and capacity.isdigit()):
        raise wrong_parameter("capacity", f"{capacity!r} is no number of points", "write it in digits")
    made = create(
        deed.tx, deed.text("name", most=200), _day(deed, "starts"), _day(deed, "ends"), int(capacity), deed.who.name
    )
    return Done(f"/backlog/sprints/{made.id}")


def _day(deed: Deed, name: str) -> date:
    try:
        return date.fromisoformat(deed.text(name, most=10))
    except ValueError:
        raise wrong_parameter(name, "it is no day", "write 2026-01-05") from None


@action("/backlog/sprints/{id}/plan", Right.PLAN_SPRINTS, said="The most urgent items that fit are planned.")
def plan_sprint(deed: Deed) -> Done:
    """Fill a sprint with the most urgent items that fit."""
    plan(deed.tx, _sprint(deed), deed.who.name)
    return Done(f"/backlog/sprints/{deed.params['id']}")


@action("/backlog/sprints/{id}/close", Right.PLAN_SPRINTS, said="The sprint is closed; what is not proven went back.")
def close_sprint(deed: Deed) -> Done:
    """Close a sprint."""
    close(deed.tx, _sprint(deed), deed.who.name)
    return Done(f"/backlog/sprints/{deed.params['id']}")


def _sprint(deed: Deed) -> str:
    if deed.tx.sprints.find(deed.params["id"]) is None:
        raise not_found(f"sprint '{deed.params['id'][:80]}'")
    return deed.params["id"]
