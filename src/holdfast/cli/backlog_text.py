"""The backlog's views as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from holdfast.cli.output import table
from holdfast.core.domain.clock import to_iso
from holdfast.core.report.escape import visible

if TYPE_CHECKING:
    from holdfast.backlog.measures import Measures
    from holdfast.backlog.queries import BacklogView, ItemRow, ItemView, SprintsView, SprintView
    from holdfast.backlog.sprints import Plan
    from holdfast.core.domain.backlog import Acceptance

SHORT = 12
"""Letters of an item's id that a list shows; enough to name it by."""


def list_text(view: BacklogView) -> str:
    """One block per item: what, how urgent, due when, and why."""
    if not view.items:
        return f"nothing to do as of {at(view.as_of)}"
    blocks = ["\n".join([_head(row), *(f"    {visible(reason)}" for reason in row.reasons)]) for row in view.items]
    counts = ", ".join(f"{count} {word}" for word, count in view.open_by_urgency.items() if count)
    return "\n".join([*blocks, "", f"{counts or 'no open work'}; {view.overdue} overdue; as of {at(view.as_of)}"])


def _head(row: ItemRow) -> str:
    marks = [row.state.value, f"{row.points} points", _clock(row)]
    marks += [f"in {visible(row.sprint)}"] if row.sprint else []
    marks += [f"{visible(row.assignee)} works on it"] if row.assignee else []
    marks += ["not on what serves"] if row.elsewhere else []
    what = f"{row.urgency.value.upper()}  {row.id[:SHORT]}  {visible(row.model)}  {visible(row.title)}"
    return f"{what}\n  {', '.join(marks)}"


def _clock(row: ItemRow) -> str:
    if row.accepted_until is not None:
        return f"accepted by {visible(row.accepted_by or '')} until {at(row.accepted_until)}"
    if row.days_left is None:
        return "no clock runs"
    days = abs(row.days_left)
    return f"{'overdue by' if row.overdue else 'due in'} {days:.1f} days ({at(row.due_at)})"


def item_text(view: ItemView) -> str:
    """One item with its history, versions, acceptances and proof."""
    row = view.item
    about = (
        f"  {visible(view.rule)} of {visible(view.check)}, severity {view.severity}, technique {view.technique or '-'}"
    )
    lines = [_head(row), about, f"  {visible(view.message)}", *(f"    {visible(reason)}" for reason in row.reasons), ""]
    history = [
        (at(one.effective_at), one.step, one.state, visible(one.actor), visible(one.why)) for one in view.history
    ]
    lines += [table(history, ("WHEN", "STEP", "STATE", "BY", "WHY")), ""]
    seen = [
        (visible(one.version[:19]), _yes(one.present), _yes(one.serves), at(one.first_at), at(one.last_at))
        for one in view.occurrences
    ]
    lines += [table(seen, ("VERSION", "PRESENT", "SERVES", "FIRST SEEN", "LAST SEEN"))]
    lines += [f"acceptance {one.id}: {_acceptance(one)}" for one in view.acceptances]
    lines += [f"alert {alert}" for alert in view.alerts]
    lines += [f"ticket {visible(one.tracker)} {visible(one.number)}{' (closed)' * one.closed}" for one in view.tickets]
    if view.proof is not None:
        lines.append(f"proven {at(view.proof.at)} by judgement {view.proof.judgement[:19]}")
    return "\n".join(lines)


def _acceptance(one: Acceptance) -> str:
    said = "asked for, not approved" if one.approved_at is None else f"approved by {visible(one.approver or '')}"
    end = f", ended {at(one.ended_at)}: {visible(one.end or '')}" if one.ended_at is not None else ""
    return f"{visible(one.owner)} owns it, {said}, until {at(one.expires_at)}, while {visible(one.check)} is green{end}"


def sprints_text(view: SprintsView) -> str:
    """One line per sprint."""
    if not view.sprints:
        return "no sprint yet"
    rows = [
        (
            visible(one.name),
            one.starts.isoformat(),
            one.ends.isoformat(),
            f"{one.points}/{one.capacity}",
            str(one.proven_points),
            at(one.closed_at) if one.closed_at else "-",
        )
        for one in view.sprints
    ]
    return table(rows, ("SPRINT", "STARTS", "ENDS", "POINTS", "PROVEN", "CLOSED"))


def sprint_text(view: SprintView) -> str:
    """One sprint: its board by state, and the burn-down as numbers."""
    one = view.sprint
    span = f"{one.starts.isoformat()} to {one.ends.isoformat()}"
    points = f"{one.points} of {one.capacity} points planned, {one.proven_points} proven"
    lines = [f"{visible(one.name)}: {span}, {points}"]
    for column in view.board:
        if column.items:
            lines.append(f"{column.state.value} ({column.points} points)")
            lines += [f"  {_head(row)}" for row in column.items]
    head, rows = view.burn_down.table()
    return "\n".join([*lines, "", table(rows, head)])


def plan_text(plan: Plan) -> str:
    """What a sprint takes on, what it leaves, and why."""
    lines = [f"{visible(plan.sprint.name)}: {plan.used} of {plan.sprint.capacity} points are planned"]
    lines += [f"  taken  {_short(one.id, one.points, one.model, one.title)}" for one in plan.taken]
    lines += [
        f"  left   {_short(one.item.id, one.item.points, one.item.model, one.item.title)}: {visible(one.why)}"
        for one in plan.left
    ]
    return "\n".join(lines)


def _short(item: str, points: int, model: str, title: str) -> str:
    return f"{item[:SHORT]}  {points} points  {visible(model)}  {visible(title)}"


def measures_text(view: Measures) -> str:
    """The figures as a table, then what is or will be late."""
    rows = [*((f"open, {word}", str(count)) for word, count in view.open_by_urgency.items()), *_figures(view)]
    lines = [table(rows, ("MEASURE", "VALUE"))]
    for one in view.breaches:
        ahead = f"its turn ends {at(one.projected_at)}" if one.projected_at else "nothing was proven of late"
        late = "is overdue" if one.overdue else f"will be late: {ahead}"
        lines.append(f"{one.item[:SHORT]}  {visible(one.model)}  {one.urgency}  due {at(one.due_at)}  {late}")
    return "\n".join([*lines, f"as of {at(view.as_of)}"])


def _figures(view: Measures) -> Iterable[tuple[str, str]]:
    yield "found", str(view.found)
    yield "proven", str(view.proven)
    figures = {
        "days to proof, mean": view.mean_days_to_proof,
        "days to proof, median": view.median_days_to_proof,
        "days to proof, 90th percentile": view.p90_days_to_proof,
        "age in days, median": view.median_age_days,
        "age in days, 90th percentile": view.p90_age_days,
        "age in days, oldest": view.oldest_age_days,
        "came back after proof, share": view.recurrence_share,
        "first found while serving, share": view.escape_share,
        "points proven a day": view.points_per_day,
    }
    yield from ((name, "-" if value is None else f"{value:.3g}") for name, value in figures.items())


def at(moment: datetime) -> str:
    """A moment in whole seconds."""
    return to_iso(moment.replace(microsecond=0))


def _yes(value: bool) -> str:
    return "yes" if value else "no"
