"""Runs, notices and incidents are kept once, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerted import START, Scene
from holdfast.core.domain import Cause, Ceiling, Severity
from holdfast.core.domain.alert import Alert, Campaign
from holdfast.core.domain.incident import IncidentClass, IncidentState
from holdfast.core.domain.response import Approval, Notice, Order, Run, run_id
from holdfast.core.store.notices import SinkHealth


@pytest.fixture
def scene(tmp_path: Path, database: str | None) -> Iterator[Scene]:
    scene = Scene(tmp_path, database)
    yield scene
    scene.store.close()


ORDER = Order("block", "client:m/c", Ceiling.BLOCK_NEW, 3600.0, asked=True, needs=2, body={"n": [1, {"x": None}]})


def a_run(number: int = 1) -> Run:
    cause = Cause("alert", f"alr_{number}")
    return Run(run_id("p", cause), "p", "sha256:1", cause, "m", (ORDER,), START, sinks=("a", "b"), incident="inc_1")


def an_alert(number: int, severity: Severity = Severity.HIGH, model: str = "m") -> Alert:
    moment = START + timedelta(minutes=number)
    campaign = Campaign(f"cmp_{number}", model, "AML.T0015", "c", (), (), (), (), 1, 1.0, moment, moment)
    return Alert(campaign, None, severity, f"alert {number}", moment)


def test_a_run_comes_back_as_it_was_kept(scene: Scene) -> None:
    first, second = a_run(1), replace(a_run(2), approvals=(Approval("ana", START),))
    with scene.store.transaction() as tx:
        assert tx.runs.add(first)
        assert tx.runs.add(second)
        assert not tx.runs.add(replace(first, model="other"))
    with scene.store.reading() as tx:
        assert tx.runs.find(first.id) == first
        assert tx.runs.find("run_x") is None
        assert tx.runs.recent() == [second, first]
        assert tx.runs.recent(1) == [second]
        assert tx.runs.of_cause(second.cause) == [second]


def test_a_person_approves_once_and_in_order(scene: Scene) -> None:
    run = a_run()
    with scene.store.transaction() as tx:
        tx.runs.add(run)
        assert tx.runs.approve(run.id, Approval("zoe", START))
        assert tx.runs.approve(run.id, Approval("ana", START + timedelta(minutes=1)))
        assert not tx.runs.approve(run.id, Approval("zoe", START + timedelta(minutes=2)))
    with scene.store.reading() as tx:
        found = tx.runs.find(run.id)
    assert found is not None
    assert [item.person for item in found.approvals] == ["zoe", "ana"]
    assert found.enforced(found.orders[0])
    assert found.begins(found.orders[0]) == START + timedelta(minutes=1)


def test_a_run_is_undone_once(scene: Scene) -> None:
    run = a_run()
    with scene.store.transaction() as tx:
        tx.runs.add(run)
        assert tx.runs.undo(run.id, "ana", "a test\0 of ours")
        assert not tx.runs.undo(run.id, "ben", "again")
    with scene.store.reading() as tx:
        found = tx.runs.find(run.id)
    assert found is not None
    assert (found.undone_at, found.undone_by, found.reason) == (START, "ana", "a test\ufffd of ours")


def test_a_notice_is_queued_once_for_each_sink(scene: Scene) -> None:
    said = Notice("alert", "alr_1", "raised", START, "amber", {"title": "t"})
    with scene.store.transaction() as tx:
        assert tx.notices.queue(said, "a")
        assert tx.notices.queue(said, "b")
        assert not tx.notices.queue(said, "a")
        assert tx.notices.told("alr_1", "raised") == ("a", "b")
        assert tx.notices.told("alr_1", "withdrawn") == ()
        assert tx.notices.sinks() == ("a", "b")


def test_a_notice_has_another_id_for_another_state_and_the_same_for_another_text() -> None:
    said = Notice("alert", "alr_1", "raised", START, "amber", {"title": "t"})
    assert replace(said, body={}, tlp="red", at=START + timedelta(days=1)).id == said.id
    assert len({said.id, replace(said, state="x").id, replace(said, subject="x").id, replace(said, kind="x").id}) == 4


def test_the_health_of_a_sink_adds_up(scene: Scene) -> None:
    with scene.store.transaction() as tx:
        assert tx.notices.health("a") == SinkHealth("a")
        tx.notices.queue(Notice("alert", "1", "raised", START, "amber", {}), "a")
        tx.notices.delivered("a", 2)
        tx.notices.failed("a", "x" * 1000)
        tx.notices.failed("a", "refused", refused=True)
        tx.notices.delivered("a", 0, withheld=3)
        found = tx.notices.health("a")
        assert (found.queued, found.oldest_at, found.delivered, found.withheld, found.failures) == (1, START, 2, 3, 1)
        tx.notices.delivered("a", 1)
        assert tx.notices.health("a").failures == 0


def test_alerts_of_a_model_join_its_open_incident(scene: Scene) -> None:
    with scene.store.transaction() as tx:
        first = tx.incidents.report(an_alert(1))
        assert tx.incidents.report(an_alert(1)) == first
        second = tx.incidents.report(an_alert(2, Severity.CRITICAL))
        other = tx.incidents.report(an_alert(3, model="n"))
        assert (second.id, second.alerts, second.severity) == (first.id, ("alr_1", "alr_2"), Severity.CRITICAL)
        assert other.id != first.id
        assert tx.incidents.of_alert("alr_2") == second
        assert [item.id for item in tx.incidents.open()] == [first.id, other.id]
        assert [item.id for item in tx.incidents.open("n")] == [other.id]
        closed = tx.incidents.close(second, "ana", "over")
        assert closed.state is IncidentState.CLOSED
        third = tx.incidents.report(an_alert(4))
        assert third.id != first.id
        assert [item.id for item in tx.incidents.all()] == [first.id, other.id, third.id]
        assert tx.incidents.report(an_alert(1)) == closed, "an alert stays with its incident"


def test_the_ledger_of_an_incident_names_no_person(scene: Scene) -> None:
    with scene.store.transaction() as tx:
        found = tx.incidents.report(an_alert(1))
        found = tx.incidents.classify(found, IncidentClass.MAJOR, "ana@bank.example")
        tx.incidents.close(found, "ana@bank.example", "over")
        entries = [entry for _, entry in tx.intents.pending(100)]
    assert len(entries) == 3
    assert not [entry for entry in entries if b"ana" in entry]
