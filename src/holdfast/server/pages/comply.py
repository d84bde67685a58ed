"""Compliance: every framework and clause at any moment, with the evidence behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from holdfast.comply.queries import ClauseView, ModelState, clause_view, posture
from holdfast.core.domain.control import State
from holdfast.core.errors import ConfigError, UsageError
from holdfast.server.auth.rights import Right, holds
from holdfast.server.faults import not_found
from holdfast.server.page import AS_OF, page
from holdfast.server.visit import Visit


@dataclass(frozen=True, slots=True)
class FrameworkRow:
    """One framework in the overview."""

    id: str
    title: str
    status: str
    state: State
    counts: Mapping[str, int]
    clauses: int
    binding: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Every framework; `state` is the worst of all."""

    state: State
    counts: Mapping[str, int]
    states: tuple[str, ...]
    frameworks: tuple[FrameworkRow, ...]
    models: int
    may_take: bool


KNOWN = {"known_at": "Only what had been recorded by then. Default: all that is known now."}


@page("/comply", "comply.html", "comply", query={**AS_OF, **KNOWN})
def comply(visit: Visit) -> Overview:
    """Where every framework stands."""
    found = posture(visit.tx, visit.as_of, visit.moment("known_at"))
    rows = tuple(
        FrameworkRow(
            one.id,
            one.title,
            one.status,
            one.state,
            {state.value: count for state, count in one.counts.items()},
            len(one.clauses),
            sum(clause.binding for clause in one.clauses),
        )
        for one in found.frameworks
    )
    counts = {state.value: count for state, count in found.counts.items()}
    may = holds(visit.who.role, Right.TAKE_EVIDENCE) and visit.who.sees_everything
    return Overview(found.state, counts, tuple(state.value for state in State), rows, len(found.models), may)


@dataclass(frozen=True, slots=True)
class ClauseRow:
    """One clause in a list."""

    ref: str
    title: str
    text: str
    level: str
    state: State
    binding: bool
    age_s: float | None
    reasons: tuple[str, ...]
    models: int


@dataclass(frozen=True, slots=True)
class FrameworkPage:
    """One framework with its clauses."""

    id: str
    title: str
    source: str
    status: str
    verified: str
    note: str
    state: State
    counts: Mapping[str, int]
    clauses: tuple[ClauseRow, ...]


@page("/comply/{framework}", "framework.html", "comply", query={**AS_OF, **KNOWN})
def framework(visit: Visit) -> FrameworkPage:
    """One framework: where each of its clauses stands."""
    name = visit.params["framework"]
    try:
        (found,) = posture(visit.tx, visit.as_of, visit.moment("known_at"), framework=name).frameworks
    except ConfigError:
        raise not_found(f"framework '{name[:80]}'") from None
    return FrameworkPage(
        found.id,
        found.title,
        found.source,
        found.status,
        found.verified,
        found.note,
        found.state,
        {state.value: count for state, count in found.counts.items()},
        tuple(_row(clause, open_to_all=visit.who.sees_everything) for clause in found.clauses),
    )


def _row(clause: ClauseView, *, open_to_all: bool) -> ClauseRow:
    """Reasons name models, so they are for those who see every unit."""
    return ClauseRow(
        clause.ref,
        clause.title,
        clause.text,
        clause.level.value,
        clause.state,
        clause.binding,
        clause.age_s,
        clause.reasons if open_to_all else (),
        len(clause.models),
    )


@dataclass(frozen=True, slots=True)
class ClausePage:
    """One clause with all its evidence, on the models that the user may see."""

    clause: ClauseView
    hidden_models: int
    known_at: datetime | None


@page("/comply/{framework}/{ref}", "clause.html", "comply", query={**AS_OF, **KNOWN})
def clause(visit: Visit) -> ClausePage:
    """One clause: what it asks, where it stands on each model, and the evidence with its leaves."""
    name, ref, known_at = visit.params["framework"], visit.params["ref"], visit.moment("known_at")
    try:
        found = clause_view(visit.tx, visit.as_of, name, ref, known_at)
    except (ConfigError, UsageError):
        raise not_found(f"clause '{name[:40]} {ref[:60]}'") from None
    shown = tuple(one for one in found.models if _mine(visit, one))
    hidden = len(found.models) - len(shown)
    reasons = found.reasons if visit.who.sees_everything else ()
    return ClausePage(replace(found, models=shown, reasons=reasons), hidden, known_at)


def _mine(visit: Visit, state: ModelState) -> bool:
    return state.model in visit.models
