"""What people order themselves stays their own: alerts' ends do not touch it, and theirs touch nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from alerted import Scene
from holdfast.core.domain import Severity, Tier, state_digest
from holdfast.core.domain.incident import IncidentClass, IncidentState
from holdfast.core.domain.response import Run, RunState
from holdfast.core.errors import HoldfastError, UsageError
from holdfast.respond import people
from holdfast.respond.people import Wish
from holdfast.respond.queries import directives_view, incidents_view


def order(scene: Scene, action: str = "throttle", **more: Any) -> Run:
    body = {"per_minute": 5} if action == "throttle" else {}
    values = {"client": "c1", "by": "ana", "until": scene.clock() + timedelta(hours=6), "body": body, **more}
    return scene.store.run(lambda tx: people.order(tx, Wish(action, "card-fraud", **values)))


def lift(scene: Scene, action: str = "throttle", client: str | None = "c1", by: str = "ben") -> int:
    return len(scene.store.run(lambda tx: people.lift(tx, action, "card-fraud", client, by)))


def state(scene: Scene) -> str:
    with scene.store.reading() as tx:
        return state_digest(tx.claims.effects())


def enforced(scene: Scene) -> dict[str, bool]:
    with scene.store.reading() as tx:
        return {item.action: item.enforce for item in directives_view(tx, tx.now).directives}


def fault(work: Callable[[], object]) -> str:
    with pytest.raises(HoldfastError) as caught:
        work()
    return caught.value.code


def test_an_order_by_hand_is_in_force_until_its_end_or_until_lifted(scene: Scene) -> None:
    scene.model()
    nothing = state(scene)
    order(scene, enforce=True)
    assert enforced(scene) == {"throttle": True}
    assert lift(scene) == 1
    assert state(scene) == nothing
    order(scene, enforce=True)
    scene.clock.advance(timedelta(hours=6))
    assert enforced(scene) == {}


def test_an_alerts_end_leaves_what_a_person_ordered_and_the_other_way_round(lite: Scene) -> None:
    lite.judge(lite.model())
    order(lite, enforce=True)
    mine = state(lite)
    alert = lite.alert()
    lite.settle()
    both = state(lite)
    assert both != mine
    lite.close(alert)
    lite.settle()
    assert state(lite) == mine
    later = lite.alert()
    lite.settle()
    lift(lite)
    with lite.store.reading() as tx:
        assert {str(item.cause) for item in tx.claims.active()} == {f"alert:{later.id}"}


def test_a_persons_enforced_order_leads_over_what_an_alert_only_notes(lite: Scene) -> None:
    lite.judge(lite.model())
    lite.alert()
    lite.settle()
    assert enforced(lite)["throttle"] is False
    order(lite, enforce=True)
    with lite.store.reading() as tx:
        [view] = [item for item in directives_view(tx, tx.now).directives if item.action == "throttle"]
    assert (view.enforce, view.body["per_minute"], len(view.causes)) == (True, 5, 2)


def test_a_person_can_keep_automatic_orders_off_a_client(lite: Scene) -> None:
    lite.judge(lite.model())
    lite.alert(clients=("c1", "c2"))
    lite.settle()
    order(lite, "allow")
    with lite.store.reading() as tx:
        held = {item.client for item in directives_view(tx, tx.now).directives}
    assert held == {"c2"}
    lift(lite, "allow")
    with lite.store.reading() as tx:
        assert {item.client for item in directives_view(tx, tx.now).directives} == {"c1", "c2"}


def test_a_grave_order_by_hand_waits_for_a_second_person(scene: Scene) -> None:
    scene.model(tier=Tier.HIGH)
    run = order(scene, "block", enforce=True)
    assert enforced(scene) == {"block": False}
    assert fault(lambda: scene.store.run(lambda tx: people.approve(tx, run.id, "ANA"))) == "HF-RSP-009"
    scene.store.run(lambda tx: people.approve(tx, run.id, "ben"))
    assert enforced(scene) == {"block": True}
    scene.clock.advance(timedelta(hours=6))
    assert enforced(scene) == {}, "an end given as a moment does not move with the approval"


def test_a_grave_order_on_a_model_that_matters_less_needs_nobody_else(lite: Scene) -> None:
    lite.model(tier=Tier.MEDIUM)
    assert order(lite, "block", enforce=True).state(lite.clock()) is RunState.ACTIVE
    assert enforced(lite) == {"block": True}


def test_a_newer_order_of_the_same_person_replaces_the_older(lite: Scene) -> None:
    lite.model()
    order(lite, enforce=True, body={"per_minute": 50})
    lite.clock.advance(timedelta(minutes=1))
    order(lite, enforce=True, body={"per_minute": 2}, until=lite.clock() + timedelta(minutes=30))
    with lite.store.reading() as tx:
        [view] = directives_view(tx, tx.now).directives
    assert view.body["per_minute"] == 2
    assert lift(lite) == 1


def test_two_peoples_orders_are_lifted_together_and_a_third_action_stays(lite: Scene) -> None:
    lite.model()
    order(lite, enforce=True)
    order(lite, enforce=True, by="ben")
    order(lite, "watch")
    assert lift(lite) == 2
    assert enforced(lite) == {"watch": False}


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "nobody"},
        {"client": ""},
        {"client": "x" * 2000},
        {"body": {}},
        {"body": {"per_minute": -1}},
        {"body": {"digits": 1}},
    ],
)
def test_orders_that_cannot_be_are_refused(lite: Scene, wrong: dict[str, Any]) -> None:
    lite.model()
    values = {"model": "card-fraud", "client": "c1", "body": {"per_minute": 5}} | wrong
    wish = Wish("throttle", until=lite.clock() + timedelta(hours=1), by="ana", **values)
    assert fault(lambda: lite.store.run(lambda tx: people.order(tx, wish))) == "HF-RSP-015"


@pytest.mark.parametrize("hours", [-1, 0, 91 * 24])
def test_an_order_ends_within_bounds(lite: Scene, hours: int) -> None:
    lite.model()
    assert fault(lambda: order(lite, until=lite.clock() + timedelta(hours=hours))) == "HF-RSP-015"


def test_nothing_is_lifted_where_only_alerts_speak(lite: Scene) -> None:
    lite.judge(lite.model())
    lite.alert()
    lite.settle()
    assert fault(lambda: lift(lite)) == "HF-RSP-016"
    assert "throttle" in enforced(lite)


def test_what_does_not_exist_is_named(lite: Scene) -> None:
    assert fault(lambda: lite.store.run(lambda tx: people.approve(tx, "run_x", "ana"))) == "HF-RSP-007"
    assert fault(lambda: lite.store.run(lambda tx: people.undo(tx, "run_x", "ana", "r"))) == "HF-RSP-007"
    assert fault(lambda: lite.store.run(lambda tx: people.close_incident(tx, "inc_x", "ana", "r"))) == "HF-RSP-007"


def test_a_run_is_taken_back_once_and_with_a_reason(lite: Scene) -> None:
    lite.model()
    run = order(lite)
    assert fault(lambda: lite.store.run(lambda tx: people.undo(tx, run.id, "ben", "  "))) == "HF-RSP-012"
    lite.store.run(lambda tx: people.undo(tx, run.id, "ben", "enough"))
    assert fault(lambda: lite.store.run(lambda tx: people.undo(tx, run.id, "ben", "again"))) == "HF-RSP-008"


def test_an_incident_gathers_alerts_is_classified_once_and_closed(scene: Scene) -> None:
    scene.judge(scene.model())
    first = scene.alert()
    scene.settle()
    scene.clock.advance(timedelta(minutes=10))
    second = scene.alert(severity=Severity.CRITICAL)
    scene.settle()
    with scene.store.reading() as tx:
        [incident] = tx.incidents.open("card-fraud")
    assert incident.alerts == (first.id, second.id)
    assert incident.severity is Severity.CRITICAL
    assert incident.aware_at == first.raised_at
    assert incident.occurred_at == first.campaign.started_at
    said = scene.clock()
    scene.store.run(lambda tx: people.classify(tx, incident.id, IncidentClass.SIGNIFICANT, "ana"))
    scene.clock.advance(timedelta(hours=1))
    changed = scene.store.run(lambda tx: people.classify(tx, incident.id, IncidentClass.MAJOR, "ben"))
    assert (changed.classified_at, changed.classified_as) == (said, IncidentClass.MAJOR)
    closed = scene.store.run(lambda tx: people.close_incident(tx, incident.id, "ana", "restored"))
    assert closed.state is IncidentState.CLOSED
    assert (
        fault(lambda: scene.store.run(lambda tx: people.classify(tx, incident.id, IncidentClass.MINOR, "ana")))
        == "HF-RSP-017"
    )
    with scene.store.reading() as tx:
        [view] = incidents_view(tx).incidents
        kinds = [kind for kind, _ in view.leaves]
    assert kinds == [
        "incident.opened",
        "incident.joined",
        "incident.classified",
        "incident.classified",
        "incident.closed",
    ]
    later = scene.alert()
    scene.settle()
    with scene.store.reading() as tx:
        assert [item.alerts for item in tx.incidents.open()] == [(later.id,)]


def test_an_end_is_a_span_or_a_moment(lite: Scene) -> None:
    now = lite.clock()
    assert people.ending(now, "6h") == now + timedelta(hours=6)
    assert people.ending(now, "2026-01-06T09:00:00Z") == now + timedelta(days=1)
    for wrong in ("soon", "2026-01-06T09:00:00", "6 h"):
        with pytest.raises(ValueError, match=r"timezone|Invalid isoformat"):
            people.ending(now, wrong)


def test_a_usage_error_names_what_to_type(lite: Scene) -> None:
    with pytest.raises(UsageError) as caught:
        people.person("")
    assert "--by" in caught.value.fix
