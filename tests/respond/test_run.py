"""Runs become claims and messages, once; taking one back ends exactly what it did."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from alerted import Scene
from holdfast.core.domain import Cause, Tier, state_digest
from holdfast.core.domain.alert import Alert
from holdfast.core.domain.intelligence import Tlp
from holdfast.core.domain.response import Notice, Run, RunState
from holdfast.core.domain.topics import CLAIMS_CHANGED, SINK
from holdfast.respond import people
from holdfast.respond.config import Response
from holdfast.respond.interface import Outlet
from holdfast.respond.playbook import Playbook
from holdfast.respond.queries import directives_view, runs_view
from holdfast.respond.run import respond
from holdfast.respond.schema import Mode

TEXT = """\
version: 1
id: {id}
mode: enforce
on: {{severity: ">= low"}}
steps:
{steps}
caps: {{enforced: 100, clients_share: 1, models_share: 1}}
cases:
  - {{given: {{technique: AML.T0015, severity: low, tier: low}}, expect: [{words}]}}
  - {{given: {{technique: AML.T0015, severity: info, tier: low}}, expect: []}}
"""
THROTTLE = "  - {do: throttle, on: client, for: 6h, ceiling: warn, body: {per_minute: 30}}"
SHORT = "  - {do: throttle, on: client, for: 1h, ceiling: warn, body: {per_minute: 30}}"
BLOCK = "  - {do: block, on: client, for: 2h, ceiling: block-new}"
TELL = "  - {notify: [soc]}"


class Silent:
    """A sink that nothing is sent to in these tests."""

    def send(self, notice: Notice) -> None:
        raise AssertionError(notice)


def playbook(name: str, *steps: str) -> Playbook:
    words = [step.split(":")[1].split(",")[0].strip(" [") if "do:" in step else "notify" for step in steps]
    return Playbook.parse(TEXT.format(id=name, steps="\n".join(steps), words=", ".join(words)), name)


def response(*playbooks: Playbook) -> Response:
    outlets = (Outlet("siem", "x", Tlp.AMBER, Silent()), Outlet("soc", "x", Tlp.AMBER, Silent(), always=False))
    return Response(Mode.ENFORCE, playbooks, outlets)


def answer(scene: Scene, alert: Alert, *playbooks: Playbook, clients: int | None = 100) -> tuple[Run, ...]:
    return scene.store.run(lambda tx: respond(tx, alert, response(*playbooks), clients))


def state(scene: Scene) -> str:
    with scene.store.reading() as tx:
        return state_digest(tx.claims.effects())


def queued(scene: Scene, sink: str) -> list[str]:
    messages = scene.store.run(lambda tx: tx.outbox.claim_batch("looker", topics=[SINK + sink]))
    for message in messages:
        scene.store.run(lambda tx, m=message: tx.outbox.postpone(m.sequence, "looker", 0))  # type: ignore[misc]
    return [message.body["state"] for message in messages]


def test_a_run_is_recorded_with_claims_messages_and_leaves(scene: Scene) -> None:
    scene.model()
    alert = scene.alert()
    [run] = answer(scene, alert, playbook("own", THROTTLE, TELL))
    with scene.store.reading() as tx:
        [claim] = tx.claims.active()
        assert (claim.effect, claim.target, str(claim.cause)) == (
            "throttle",
            "client:card-fraud/c1",
            f"alert:{alert.id}",
        )
        assert claim.body == {"per_minute": 30, "enforce": True}
        assert claim.until == scene.clock() + timedelta(hours=6)
        assert [kind for kind, _ in tx.intents.about(run.id)] == ["playbook.run"]
        [view] = directives_view(tx, tx.now, "card-fraud").directives
        assert (view.action, view.client, view.enforce) == ("throttle", "c1", True)
        assert runs_view(tx).runs[0].leaves == (("playbook.run", None),)
        assert tx.outbox.waiting([CLAIMS_CHANGED]) == 1
    assert queued(scene, "siem") == ["raised"]
    assert queued(scene, "soc") == ["raised"]


def test_a_sink_that_hears_only_where_it_is_named_hears_nothing_else(lite: Scene) -> None:
    lite.model()
    answer(lite, lite.alert(), playbook("own", THROTTLE))
    assert (queued(lite, "siem"), queued(lite, "soc")) == (["raised"], [])


def test_answering_twice_changes_nothing(scene: Scene) -> None:
    scene.model()
    alert, book = scene.alert(), playbook("own", THROTTLE, TELL)
    answer(scene, alert, book)
    with scene.store.reading() as tx:
        before = (tx.claims.all(), tx.runs.recent(), tx.intents.count_pending())
    scene.clock.advance(timedelta(minutes=3))
    answer(scene, alert, book)
    with scene.store.reading() as tx:
        assert (tx.claims.all(), tx.runs.recent(), tx.intents.count_pending()) == before
    assert queued(scene, "siem") == ["raised"]


def test_of_two_overlapping_causes_each_is_withdrawn_alone(scene: Scene) -> None:
    scene.model()
    nothing = state(scene)
    book = playbook("own", THROTTLE)
    [first] = answer(scene, scene.alert(), book)
    only_first = state(scene)
    [second] = answer(scene, scene.alert(), book)
    with scene.store.reading() as tx:
        [effect] = tx.claims.effects()
    assert len(effect.causes) == 2
    scene.store.run(lambda tx: people.undo(tx, second.id, "ana", "a test"))
    assert state(scene) == only_first
    scene.store.run(lambda tx: people.undo(tx, first.id, "ana", "a test"))
    assert state(scene) == nothing


def test_of_two_playbooks_on_one_alert_each_is_undone_alone(lite: Scene) -> None:
    """Both make the same claim; the one that goes further stands, and without it the other one does."""
    lite.model()
    nothing = state(lite)
    alert = lite.alert()
    long, short = answer(lite, alert, playbook("a-long", THROTTLE), playbook("b-short", SHORT, BLOCK))
    with lite.store.reading() as tx:
        assert [(item.effect, item.until) for item in tx.claims.active(effect="throttle")] == [
            ("throttle", lite.clock() + timedelta(hours=6))
        ]
    lite.store.run(lambda tx: people.undo(tx, long.id, "ana", "a test"))
    with lite.store.reading() as tx:
        ends = {item.effect: item.until for item in tx.claims.active()}
    assert ends == {"throttle": lite.clock() + timedelta(hours=1), "block": lite.clock() + timedelta(hours=2)}
    lite.store.run(lambda tx: people.undo(tx, short.id, "ana", "a test"))
    assert state(lite) == nothing


def test_what_was_said_is_compensated(lite: Scene) -> None:
    lite.model()
    alert = lite.alert()
    [run] = answer(lite, alert, playbook("own", THROTTLE, TELL))
    lite.store.run(lambda tx: people.undo(tx, run.id, "ana", "a test"))
    assert queued(lite, "soc") == ["raised", "undone"]
    assert queued(lite, "siem") == ["raised"]  # it was told of the alert, which stands, and not of the run


def test_closing_the_alert_tells_whoever_was_told_of_it(lite: Scene) -> None:
    lite.model()
    lite.response = response(playbook("own", THROTTLE, TELL))
    alert = lite.alert()
    lite.settle()
    lite.close(alert)
    lite.settle()
    assert queued(lite, "siem")[0] == "raised"
    assert "withdrawn" in queued(lite, "siem")
    assert "withdrawn" in queued(lite, "soc")
    with lite.store.reading() as tx:
        assert tx.claims.active() == []
        assert {run.state(tx.now) for run in tx.runs.recent()} == {RunState.UNDONE}


def test_a_grave_order_calls_people_and_is_noted_meanwhile(lite: Scene) -> None:
    lite.model(tier=Tier.CRITICAL)
    [run] = answer(lite, lite.alert(), playbook("own", BLOCK))
    assert run.state(lite.clock()) is RunState.PENDING
    assert queued(lite, "siem") == ["raised", "waiting"]
    with lite.store.reading() as tx:
        [effect] = tx.claims.effects()
    assert (effect.effect, effect.body["enforce"]) == ("block", False)


def test_a_tier_that_is_not_known_counts_as_the_gravest(lite: Scene) -> None:
    [run] = answer(lite, lite.alert(model="unheard-of"), playbook("own", BLOCK))
    assert run.missing == 2


def test_a_withdrawn_model_wide_order_leaves_the_clients_one(lite: Scene) -> None:
    lite.model()
    [run] = answer(lite, lite.alert(clients=("c1", "c2")), playbook("own", THROTTLE))
    with lite.store.reading() as tx:
        assert [item.target for item in tx.claims.active()] == ["client:card-fraud/c1", "client:card-fraud/c2"]
        assert tx.claims.of_cause(Cause("alert", run.cause.id)) == tx.claims.all()


@pytest.mark.parametrize("name", ["a/b", "ü mlaut", "x" * 900, 'quote"]\\'])
def test_clients_of_any_name_are_ordered_about_and_freed(lite: Scene, name: str) -> None:
    lite.model()
    nothing = state(lite)
    [run] = answer(lite, lite.alert(clients=(name,)), playbook("own", THROTTLE))
    with lite.store.reading() as tx:
        [view] = directives_view(tx, tx.now).directives
    assert (view.model, view.client) == ("card-fraud", name)
    lite.store.run(lambda tx: people.undo(tx, run.id, "ana", "a test"))
    assert state(lite) == nothing


def test_the_modes_of_installation_playbook_and_step_all_have_to_agree(lite: Scene) -> None:
    lite.model()
    book = playbook("own", THROTTLE)
    observing = replace(response(book), mode=Mode.OBSERVE)
    alert = lite.alert()
    [run] = lite.store.run(lambda tx: respond(tx, alert, observing, 100))
    assert not run.enforced(run.orders[0])


def test_capture_reads_what_the_view_gives(lite: Scene) -> None:
    """The view is the answer of the server; the monitor's own reader has to understand it."""
    from holdfast.watch.directives import parse

    lite.model()
    answer(lite, lite.alert(), playbook("own", THROTTLE))
    with lite.store.reading() as tx:
        view = directives_view(tx, tx.now, "card-fraud")
        [read] = parse(json.dumps(view.to_json()).encode())
        [meant] = tx.claims.effects()
    assert (read.action.value, read.client, read.enforce, read.until) == ("throttle", "c1", True, meant.until)
    assert read.body["per_minute"] == 30


def test_a_cap_holds_when_alerts_are_answered_side_by_side(scene: Scene) -> None:
    text = TEXT.format(id="own", steps=THROTTLE, words="throttle").replace("enforced: 100", "enforced: 3")
    book = Playbook.parse(text, "own")
    scene.model()
    alerts = [scene.alert(clients=(f"c{number}",)) for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda alert: answer(scene, alert, book), alerts))
    with scene.store.reading() as tx:
        assert sum(item.enforce for item in directives_view(tx, tx.now).directives) == 3


def test_of_two_people_who_approve_at_once_both_count(scene: Scene) -> None:
    scene.model(tier=Tier.CRITICAL)
    [run] = answer(scene, scene.alert(), playbook("own", BLOCK))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda who: scene.store.run(lambda tx: people.approve(tx, run.id, who)), ("ana", "ben")))
    with scene.store.reading() as tx:
        assert [item.enforce for item in directives_view(tx, tx.now).directives] == [True]
