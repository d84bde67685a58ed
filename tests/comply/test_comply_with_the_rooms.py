"""Evidence as the other rooms really write it: findings, acceptances, alerts, incidents, feeds, hardening."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from holdfast.backlog.acceptance import Wish, approve, request
from holdfast.backlog.lifecycle import claim, person
from holdfast.backlog.sync import sync
from holdfast.comply.queries import chain_view, clause_view, clocks_view
from holdfast.core.domain import Severity
from holdfast.core.domain.alert import Alert, AlertState, Campaign, campaign_id
from holdfast.core.domain.control import State
from holdfast.core.domain.hardening import BoxFigures, Hardening, HardeningFigures, HardeningPoint
from holdfast.core.domain.incident import IncidentClass
from holdfast.watch.alerts import close
from ledgered_bank import Bank


def seen(bank: Bank, framework: str, ref: str) -> tuple[State, str]:
    bank.settle()
    with bank.store.reading() as tx:
        view = clause_view(tx, bank.clock(), framework, ref)
    for state in view.models:
        for answer in state.answers:
            assert all(piece.leaf is not None for piece in answer.evidence), answer
    return view.state, " ".join(view.reasons)


def answer(bank: Bank, framework: str, ref: str, query: str) -> Any:
    bank.settle()
    with bank.store.reading() as tx:
        (state,) = clause_view(tx, bank.clock(), framework, ref).models
    return next(one for one in state.answers if one.query == query)


def broken(bank: Bank) -> None:
    """A finding on what serves, and its item."""
    bank.register()
    bank.audit(broken="evasion.search")
    bank.deploy()
    with bank.store.transaction() as tx:
        sync(tx, "limits", "check:j1")


def test_a_finding_is_work_until_it_is_overdue_and_done_when_proven(bank: Bank) -> None:
    broken(bank)
    state, why = seen(bank, "ISO-42001", "10.2")
    assert state is State.SATISFIED
    assert "due" in why
    bank.pass_time(days=400)
    assert seen(bank, "ISO-42001", "10.2")[0] is State.FAILING
    with bank.store.transaction() as tx:
        (item,) = tx.backlog.of("limits")
        claim(tx, item, person("ana"), "done, I think")
    assert seen(bank, "ISO-42001", "10.2")[0] is State.FAILING
    bank.audit()
    with bank.store.transaction() as tx:
        sync(tx, "limits", "check:j2")
    state, why = seen(bank, "ISO-42001", "10.2")
    assert state is State.SATISFIED
    assert "proven by the same check" in why
    with bank.store.reading() as tx:
        decided = {link.risk: link.decision for link in chain_view(tx, bank.clock()).links}
    assert any(words.startswith("proven") for words in decided.values())


def test_an_accepted_finding_fails_its_clause_by_name_and_expiry(bank: Bank) -> None:
    broken(bank)
    until = bank.clock() + timedelta(days=20)
    with bank.store.transaction() as tx:
        (item,) = tx.backlog.of("limits")
        request(tx, item, Wish("ana@bank.example", None, until, "data.contract", "a release is near"))
        approve(tx, tx.backlog.find(item.id) or item, "bo@bank.example")
    assert seen(bank, "EU-AI-ACT", "15(5)")[0] is State.FAILING
    with bank.store.reading() as tx:
        (state,) = clause_view(tx, bank.clock(), "EU-AI-ACT", "15(5)").models
        links = chain_view(tx, bank.clock()).links
    (exempt,) = state.exempt
    assert (exempt.owner, exempt.approver, exempt.expires_at) == ("ana@bank.example", "bo@bank.example", until)
    assert exempt.leaf is not None
    assert links[0].decision.startswith("accepted by ana@bank.example, approved by bo@bank.example, until")
    found = answer(bank, "DORA", "24(5)", "backlog:exceptions")
    assert found.state is State.SATISFIED
    bank.pass_time(days=20)
    assert answer(bank, "DORA", "24(5)", "backlog:exceptions").state is State.NOT_APPLICABLE


def raised(bank: Bank) -> Alert:
    """An alert, as detection raises it."""
    now = bank.clock()
    mark = campaign_id("limits", "AML.T0015", "client:c", now.isoformat())
    campaign = Campaign(
        id=mark,
        model="limits",
        technique="AML.T0015",
        entity="client:c",
        detectors=("d",),
        clients=("c",),
        columns=(),
        events=(),
        signals=3,
        strength=1.0,
        started_at=now - timedelta(hours=1),
        last_at=now,
    )
    alert = Alert(campaign, "sha256:v1", Severity.CRITICAL, "probing", now)
    with bank.store.transaction() as tx:
        tx.campaigns.keep(campaign, live=True)
        assert tx.alerts.add(alert)
        tx.intend("alert.raised", {"alert": alert.id, "model": "limits"}, about=alert.id)
        tx.incidents.report(alert)
    return alert


def test_an_alert_and_its_incident_are_followed_to_the_last_report(bank: Bank) -> None:
    bank.register()
    bank.attest("doc:incident-process")
    alert = raised(bank)
    assert answer(bank, "DORA", "10(1)", "monitor:alerts").state is State.SATISFIED
    bank.pass_time(hours=25)
    assert answer(bank, "DORA", "10(1)", "monitor:alerts").state is State.FAILING
    assert seen(bank, "DORA", "17(2)")[0] is State.FAILING
    with bank.store.transaction() as tx:
        close(tx, alert.id, by="ana", reason="handled")
        (incident,) = tx.incidents.all()
        tx.incidents.classify(incident, IncidentClass.MAJOR, "ana")
    assert answer(bank, "DORA", "10(1)", "monitor:alerts").state is State.SATISFIED
    assert seen(bank, "DORA", "17(2)")[0] is State.SATISFIED
    with bank.store.reading() as tx:
        due = {one.timer.clock.id: one.timer.due_at for one in clocks_view(tx, bank.clock())}
    assert due["dora-initial"] == bank.clock() + timedelta(hours=4)
    assert answer(bank, "EU-AI-ACT", "73(2)", "incident:ai-act").state is State.AWAITING
    bank.attest("register:incident-serious")
    assert answer(bank, "EU-AI-ACT", "73(2)", "incident:ai-act").state is State.AWAITING
    bank.pass_time(days=15)
    assert answer(bank, "EU-AI-ACT", "73(2)", "incident:ai-act").state is State.FAILING


def test_a_false_alarm_starts_no_clock(small_bank: Bank) -> None:
    small_bank.register()
    raised(small_bank)
    with small_bank.store.reading() as tx:
        assert [one.timer.clock.id for one in clocks_view(tx, small_bank.clock())] == ["gdpr-33"]
    with small_bank.store.transaction() as tx:
        (incident,) = tx.incidents.all()
        tx.incidents.classify(incident, IncidentClass.FALSE_ALARM, "ana")
    with small_bank.store.reading() as tx:
        assert clocks_view(tx, small_bank.clock()) == ()
    assert answer(small_bank, "EU-AI-ACT", "73(2)", "incident:ai-act").state is State.NOT_APPLICABLE


def test_denied_cases_start_no_clock(small_bank: Bank) -> None:
    small_bank.register()
    raised(small_bank)
    for case in ("serious", "widespread", "death"):
        assert answer(small_bank, "EU-AI-ACT", "73(2)", "incident:ai-act").state is State.AWAITING
        small_bank.attest(f"register:incident-{case}", holds=False)
    assert answer(small_bank, "EU-AI-ACT", "73(2)", "incident:ai-act").state is State.NOT_APPLICABLE


def figures(recall: float) -> HardeningFigures:
    return HardeningFigures(0.9, 0.8, 0.1, 0.1, 50, (BoxFigures(0.005, recall, 0.1),))


def test_a_hardening_run_is_told_with_its_figures(small_bank: Bank) -> None:
    broken(small_bank)
    fields: dict[str, Any] = dict.fromkeys(Hardening.__dataclass_fields__)
    fields |= {"model": "limits", "source": "sha256:v1", "version": "sha256:v2", "seed": 7}
    point = HardeningPoint(1, "copies", {}, figures(0.4), 0.0, True)
    fields |= {"linf": 0.005, "before": figures(0.1), "points": (point,), "chosen": 1, "made_from": {}}
    fields |= {"recorded_at": small_bank.clock(), "recipes": (), "max_auc_loss": 0.01, "complete": True, "file": ""}
    with small_bank.store.transaction() as tx:
        assert tx.hardenings.add(Hardening(**fields))
    found = answer(small_bank, "EU-AI-ACT", "15(5)", "harden:runs")
    assert found.state is State.SATISFIED
    assert found.reason == "hardened: robust recall 0.1 before, 0.4 after, at linf 0.005"


@pytest.mark.parametrize("alert_state", list(AlertState))
def test_the_states_of_alerts_are_those_that_evidence_reads(alert_state: AlertState) -> None:
    assert f"alert.{alert_state.value}" in ("alert.open", "alert.acknowledged", "alert.closed")
