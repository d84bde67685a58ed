"""An alert is joined, judged and answered in one turn; its closing ends all of that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerted import VERSION, Scene
from holdfast.core.domain import Fact, Measurement, Severity, Tier, Verdict, state_digest
from holdfast.core.domain.alert import CAMPAIGN_CHECK, Alert
from holdfast.core.domain.topics import ALERT
from holdfast.core.store import FindingState, TrackedFinding
from holdfast.loop.on_alert import clients_of
from holdfast.respond.schema import Mode


@pytest.fixture
def scene(tmp_path: Path, database: str | None) -> Iterator[Scene]:
    scene = Scene(tmp_path, database)
    yield scene
    scene.store.close()


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Scene]:
    """Where the engine does not matter."""
    scene = Scene(tmp_path)
    yield scene
    scene.store.close()


def weak(scene: Scene, *columns: str) -> tuple[object, ...]:
    """What an audit says of a model that can be evaded: a finding of technique AML.T0015."""
    facts = [Fact("evasion.column", name) for name in columns]
    return (
        scene.record(
            "card-fraud", "evasion.search", Measurement("evasion.robust_recall", 0.02, "share", {"linf": 0.005}), *facts
        ),
        scene.record("card-fraud", "data.contract", Measurement("data.contract.broken_share", 0.0, "share")),
    )


def findings(scene: Scene, state: FindingState = FindingState.OPEN) -> list[TrackedFinding]:
    with scene.store.reading() as tx:
        return tx.findings.of("card-fraud", state)


def verdict(scene: Scene) -> Verdict:
    with scene.store.reading() as tx:
        standing = tx.judgements.standing("card-fraud", VERSION)
    assert standing is not None
    return standing.verdict


def stored(scene: Scene, alert: Alert) -> Alert:
    with scene.store.reading() as tx:
        found = tx.alerts.find(alert.id)
    assert found is not None
    return found


def test_an_alert_that_a_finding_predicted_is_joined_to_it_and_changes_no_verdict(scene: Scene) -> None:
    model = scene.model()
    judged = scene.judge(model, *weak(scene), kinds=frozenset({"tree"}))
    assert judged.verdict is Verdict.FAILED
    predicted = next(item.fingerprint for item in judged.findings if item.technique == "AML.T0015")
    alert = scene.alert()
    scene.settle()
    assert stored(scene, alert).finding == predicted
    assert [item.finding.check for item in findings(scene)] == ["evasion.search"]
    with scene.store.reading() as tx:
        facts = [fact for item in tx.observations.of(model.name, VERSION) for fact in item.observation.facts]
        assert [item.id for item in tx.alerts.of_finding(predicted)] == [alert.id]
    assert [fact.value for fact in facts if fact.kind == CAMPAIGN_CHECK] == ["predicted"]


def test_an_alert_that_nothing_predicted_fails_a_model_that_had_passed_and_its_closing_restores_it(
    scene: Scene,
) -> None:
    scene.judge(scene.model())
    assert verdict(scene) is Verdict.PASSED
    alert = scene.alert(technique="AML.T0024.002")
    scene.settle()
    assert verdict(scene) is Verdict.FAILED
    [found] = findings(scene)
    assert (found.finding.check, found.finding.technique) == (CAMPAIGN_CHECK, "AML.T0024.002")
    assert stored(scene, alert).finding == found.finding.fingerprint
    scene.clock.advance(timedelta(hours=1))
    scene.close(alert)
    scene.settle()
    assert verdict(scene) is Verdict.PASSED
    assert findings(scene) == []
    assert [item.finding.fingerprint for item in findings(scene, FindingState.CLOSED)] == [found.finding.fingerprint]


def test_two_alerts_of_one_moment_hold_the_finding_until_both_are_closed(lite: Scene) -> None:
    lite.judge(lite.model())
    first, second = lite.alert(), lite.alert()
    lite.settle()
    lite.close(first)
    lite.settle()
    assert verdict(lite) is Verdict.FAILED
    lite.close(second)
    lite.settle()
    assert verdict(lite) is Verdict.PASSED


def test_campaigns_of_two_techniques_are_two_findings(lite: Scene) -> None:
    lite.judge(lite.model())
    lite.alert()
    lite.alert(technique="AML.T0024.002")
    lite.settle()
    assert {item.finding.technique for item in findings(lite)} == {"AML.T0015", "AML.T0024.002"}


@pytest.mark.parametrize(
    ("named", "seen", "joined"),
    [
        (("amount",), ("amount", "hour"), True),
        (("amount",), ("hour",), False),
        (("amount",), (), True),
        ((), ("x",), True),
    ],
)
def test_columns_decide_where_both_sides_name_some(
    lite: Scene, named: tuple[str, ...], seen: tuple[str, ...], joined: bool
) -> None:
    judged = lite.judge(lite.model(), *weak(lite, *named), kinds=frozenset({"tree"}))
    predicted = next(item.fingerprint for item in judged.findings if item.technique == "AML.T0015")
    alert = lite.alert(columns=seen)
    lite.settle()
    assert (stored(lite, alert).finding == predicted) is joined


def test_the_finding_of_an_earlier_alert_predicts_nothing(lite: Scene) -> None:
    lite.judge(lite.model())
    lite.alert()
    lite.settle()
    lite.clock.advance(timedelta(minutes=5))
    later = lite.alert()
    lite.settle()
    with lite.store.reading() as tx:
        last = [item for item in tx.observations.of("card-fraud", VERSION) if item.check == CAMPAIGN_CHECK][-1]
    values = [fact.value for fact in last.observation.facts if fact.kind == CAMPAIGN_CHECK]
    assert values == ["unpredicted", "unpredicted"]
    assert stored(lite, later).finding == findings(lite)[0].finding.fingerprint


def test_the_answer_is_given_once_however_often_the_message_comes(scene: Scene) -> None:
    scene.judge(scene.model())
    alert = scene.alert()
    scene.settle()

    def everything() -> list[object]:
        with scene.store.reading() as tx:
            return [
                tx.claims.all(),
                tx.runs.recent(),
                tx.incidents.all(),
                len(tx.intents.about(alert.id)),
                findings(scene),
            ]

    before = everything()
    with scene.store.transaction() as tx:
        tx.outbox.prune(scene.clock() + timedelta(days=1))
    with scene.store.transaction() as tx:
        assert tx.outbox.publish(ALERT, alert.id, {"alert": alert.id, "model": alert.model})
    scene.settle()
    assert everything() == before


def test_closing_withdraws_the_alerts_claims_and_leaves_the_state_as_it_was(lite: Scene) -> None:
    lite.judge(lite.model())
    with lite.store.reading() as tx:
        before = state_digest(tx.claims.effects())
    alert = lite.alert()
    lite.settle()
    with lite.store.reading() as tx:
        during = tx.claims.effects()
    assert {effect.effect for effect in during} >= {"watch", "coarsen", "throttle"}
    lite.close(alert)
    lite.settle()
    with lite.store.reading() as tx:
        assert state_digest(tx.claims.effects()) == before


def test_an_alert_closed_before_its_turn_does_nothing(lite: Scene) -> None:
    lite.judge(lite.model())
    alert = lite.alert()
    lite.close(alert)
    lite.settle()
    assert verdict(lite) is Verdict.PASSED
    with lite.store.reading() as tx:
        assert tx.runs.recent() == []
        assert tx.claims.all() == []


def test_an_alert_on_a_model_that_nobody_registered_is_answered_all_the_same(lite: Scene) -> None:
    lite.alert(model="unheard-of")
    lite.settle()
    with lite.store.reading() as tx:
        assert [run.model for run in tx.runs.recent()] == ["unheard-of"]
        assert [item.model for item in tx.incidents.open()] == ["unheard-of"]


@pytest.mark.parametrize(
    ("tier", "severity", "opens"),
    [
        (Tier.HIGH, Severity.HIGH, True),
        (Tier.CRITICAL, Severity.CRITICAL, True),
        (Tier.MEDIUM, Severity.CRITICAL, False),
        (Tier.HIGH, Severity.MEDIUM, False),
    ],
)
def test_grave_alerts_on_models_that_matter_open_an_incident(
    lite: Scene, tier: Tier, severity: Severity, opens: bool
) -> None:
    lite.judge(lite.model(tier=tier))
    alert = lite.alert(severity=severity)
    lite.settle()
    with lite.store.reading() as tx:
        assert bool(tx.incidents.open()) is opens
        assert (tx.incidents.of_alert(alert.id) is not None) is opens


def test_clients_are_counted_from_the_traffic_of_the_last_day(lite: Scene) -> None:
    from holdfast.core.store.traffic import SCORE_BINS, TrafficHour

    with lite.store.transaction() as tx:
        assert clients_of(tx, "card-fraud") is None
        hours = [
            TrafficHour("card-fraud", lite.clock() - timedelta(hours=age), 10, 0, 0, (0,) * SCORE_BINS, n)
            for age, n in ((1, 40), (3, 70), (40, 900))
        ]
        tx.traffic.add(hours)
        assert clients_of(tx, "card-fraud") == 70
        assert clients_of(tx, "other") is None


def test_enforcing_needs_playbook_and_installation_to_say_so(lite: Scene) -> None:
    lite.judge(lite.model())
    lite.response = replace(lite.response, mode=Mode.ENFORCE)
    lite.alert()
    lite.settle()
    with lite.store.reading() as tx:
        assert {bool(item.body["enforce"]) for item in tx.claims.effects()} == {False}
