"""The response: directives in force, runs of playbooks, sinks, incidents."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.core.domain.incident import IncidentClass
from holdfast.respond.people import approve, classify, close_incident, undo
from holdfast.respond.queries import (
    DirectiveView,
    IncidentView,
    RunView,
    SinkView,
    directives_view,
    incidents_view,
    runs_view,
    sinks_view,
)
from holdfast.server.auth.rights import Right
from holdfast.server.faults import not_found, wrong_parameter
from holdfast.server.page import AS_OF, Done, action, page
from holdfast.server.visit import Deed, Visit


@dataclass(frozen=True, slots=True)
class Respond:
    """Everything that was done about alerts, and who was told."""

    directives: tuple[DirectiveView, ...]
    runs: tuple[RunView, ...]
    sinks: tuple[SinkView, ...]
    incidents: tuple[IncidentView, ...]
    classes: tuple[str, ...] = tuple(item.value for item in IncidentClass)


@page("/respond", "respond.html", "respond", query=AS_OF)
def respond(visit: Visit) -> Respond:
    """Directives in force, runs, sinks, incidents."""
    return Respond(
        tuple(item for item in directives_view(visit.tx, visit.as_of).directives if item.model in visit.models),
        tuple(item for item in runs_view(visit.tx).runs if item.model in visit.models),
        sinks_view(visit.tx, visit.now).sinks,
        tuple(item for item in incidents_view(visit.tx).incidents if item.model in visit.models),
    )


def _run(deed: Deed) -> str:
    found = deed.tx.runs.find(deed.params["id"])
    if found is None:
        raise not_found(f"run '{deed.params['id'][:80]}'")
    deed.demand_model(found.model)
    return found.id


@action("/respond/runs/{id}/approve", Right.APPROVE_RESPONSE, said="You stand behind this response now.")
def approve_run(deed: Deed) -> Done:
    """Stand behind a run that waits for approval."""
    approve(deed.tx, _run(deed), deed.who.name)
    return Done("/respond")


@action(
    "/respond/runs/{id}/undo",
    Right.UNDO_RESPONSE,
    said="The response is taken back; exactly its effects end.",
    fields={"reason": "Why it is taken back."},
)
def undo_run(deed: Deed) -> Done:
    """Take a run back."""
    undo(deed.tx, _run(deed), deed.who.name, deed.text("reason"))
    return Done("/respond")


def _incident(deed: Deed) -> str:
    found = deed.tx.incidents.find(deed.params["id"])
    if found is None:
        raise not_found(f"incident '{deed.params['id'][:80]}'")
    deed.demand_model(found.model)
    return found.id


@action(
    "/respond/incidents/{id}/classify",
    Right.APPROVE_RESPONSE,
    said="The incident is classified; reporting clocks count from now.",
    fields={"class": "What it is."},
)
def classify_incident(deed: Deed) -> Done:
    """Say what an incident is."""
    word = deed.text("class", most=40)
    if word not in list(IncidentClass):
        raise wrong_parameter("class", f"{word!r} is no class", f"take one of {', '.join(IncidentClass)}")
    classify(deed.tx, _incident(deed), IncidentClass(word), deed.who.name)
    return Done("/respond#incidents")


@action(
    "/respond/incidents/{id}/close",
    Right.APPROVE_RESPONSE,
    said="The incident is closed.",
    fields={"reason": "What was found."},
)
def end_incident(deed: Deed) -> Done:
    """Close an incident with a reason."""
    close_incident(deed.tx, _incident(deed), deed.who.name, deed.text("reason"))
    return Done("/respond#incidents")
