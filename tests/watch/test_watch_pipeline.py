"""The pipeline: nothing lost, nothing told twice, whatever is killed in between, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import watchers
from happenings import NOON
from holdfast.core.contract import Contract
from holdfast.core.domain import FrozenClock
from holdfast.core.domain.alert import AlertState
from holdfast.core.domain.topics import ALERT, ALERT_CLOSED
from holdfast.core.errors import StoreError, UsageError
from holdfast.core.store import Store, Transaction
from holdfast.watch.alerts import acknowledge, close
from holdfast.watch.intake import Intake
from holdfast.watch.pipeline import Pipeline, replay
from holdfast.watch.queries import alert_view, alerts_view, campaigns_view, detectors_view, traffic_view
from holdfast.watch.settings import WatchSettings

QUICK = WatchSettings(group_wait_ms=0)
LEARNING = 2_000


class KilledError(BaseException):
    """Stands for kill -9."""


@pytest.fixture
def store(database: str | None, tmp_path: Path) -> Iterator[Store]:
    with Store.open(database, tmp_path / "state", FrozenClock(NOON)) as store:
        yield store


def contracts(model: str) -> Contract | None:
    return watchers.CONTRACT if model == watchers.MODEL else None


def pipeline(store: Store, **options: Any) -> Pipeline:
    return Pipeline(store, contracts, learning=LEARNING, **options)


def traffic() -> pa.Table:
    """Honest events with two searches among them."""
    honest = watchers.honest()
    rows = honest.X[np.flatnonzero(watchers.predict(honest.X) > 0.6)[[5, 50]]]
    parts = [
        watchers.honest_table().slice(0, 4_600),
        watchers.asked(watchers.near(rows[0], 12), "first", client="eve"),
        watchers.asked(watchers.near(rows[1], 12), "second", client="mallory", begin=4_300),
    ]
    return pa.concat_tables(parts).sort_by("time")


def take_in(store: Store, table: pa.Table, size: int = 400) -> None:
    with Intake(store, QUICK, known=lambda _: True) as intake:
        for start in range(0, table.num_rows, size):
            intake.append(table.slice(start, size))


def raised(store: Store) -> list[tuple[str, str, float]]:
    """Alerts as (id, first client, strength), checked to have been told once."""
    with store.reading() as tx:
        alerts = tx.alerts.recent(100)
        messages = tx.outbox.waiting([ALERT])
        leaves = [tx.intents.about(alert.id) for alert in alerts]
    assert messages == len(alerts)
    assert all([kind for kind, _ in of] == ["alert.raised"] for of in leaves)
    return sorted((alert.id, alert.campaign.clients[0], alert.campaign.strength) for alert in alerts)


def test_searches_among_honest_events_become_one_alert_each(store: Store) -> None:
    table = traffic()
    take_in(store, table)
    assert pipeline(store).drain() == table.num_rows
    assert {client for _, client, _ in raised(store)} == {"eve", "mallory"}
    assert len(raised(store)) == 2
    with store.reading() as tx:
        (state,) = tx.detector_states.all()
        assert state.events == table.num_rows
        assert sum(hour.events for hour in tx.traffic.since(NOON - timedelta(days=3))) == table.num_rows
        assert all(campaign.alerted for campaign in tx.campaigns.recent(10))


def test_a_back_test_says_the_same_and_keeps_nothing(store: Store) -> None:
    table = traffic()
    take_in(store, table)
    pipeline(store).drain()
    parts = [table.slice(start, 400) for start in range(0, table.num_rows, 400)]
    found = replay(parts, watchers.Context(watchers.MODEL, watchers.CONTRACT, learning=LEARNING))
    assert {"alr_" + item.id.removeprefix("cmp_") for item in found.alerts} == {name for name, _, _ in raised(store)}


def test_killed_at_any_point_it_finds_the_same(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = traffic()
    with Store.open(None, tmp_path / "calm", FrozenClock(NOON)) as calm:
        take_in(calm, table)
        pipeline(calm).drain()
        expected = raised(calm)
    random = np.random.default_rng(4)
    original = Transaction.intend
    for start in range(0, table.num_rows, 800):
        take_in(store, table.slice(start, 800))
        # Each time another process: it dies while it keeps what it found, before or after the commit.
        worker = pipeline(store, save_every=int(random.choice([500, 2_000, 10**9])))
        with monkeypatch.context() as patch:
            patch.setattr(Transaction, "intend", lambda *args, **kw: (original(*args, **kw), _die())[0])
            _until_killed(worker)
        if random.random() < 0.5:
            pipeline(store, save_every=700).step()
    pipeline(store).drain()
    assert raised(store) == expected
    with store.reading() as tx:
        assert tx.detector_states.all()[0].events == table.num_rows
        assert sum(hour.events for hour in tx.traffic.since(NOON - timedelta(days=3))) == table.num_rows


def _die() -> None:
    raise KilledError


def _until_killed(worker: Pipeline) -> None:
    try:
        worker.drain()
    except KilledError:
        return


def test_two_pipelines_on_one_store_tell_nothing_twice(store: Store) -> None:
    table = traffic()
    one, two = pipeline(store), pipeline(store, save_every=1_000)
    for start in range(0, table.num_rows, 1_200):
        take_in(store, table.slice(start, 1_200))
        one.step()
        two.step()
    one.drain(), two.drain()
    assert len(raised(store)) == 2
    with store.reading() as tx:
        assert tx.detector_states.all()[0].events == table.num_rows


def test_models_without_a_contract_wait(store: Store) -> None:
    import happenings

    with Intake(store, QUICK, known=lambda _: True) as intake:
        intake.append(happenings.events(range(5), model="unknown"))
    assert pipeline(store).drain() == 0
    with store.reading() as tx:
        assert tx.detector_states.all() == []


def test_a_damaged_memory_is_said_with_a_code_and_can_be_forgotten(store: Store) -> None:
    take_in(store, watchers.honest_table().slice(0, 500))
    pipeline(store, save_every=1).drain()
    store.run(lambda tx: tx.detector_states.save(watchers.MODEL, 2, b"rubbish"))
    take_in(store, watchers.honest_table().slice(500, 500))
    with pytest.raises(StoreError) as fault:
        pipeline(store).step()
    assert fault.value.code == "HF-WAT-060"
    worker = pipeline(store)
    worker.forget(watchers.MODEL)
    assert worker.drain() == 500


def test_a_changed_contract_starts_learning_anew(store: Store) -> None:
    take_in(store, watchers.honest_table().slice(0, 500))
    pipeline(store, save_every=1).drain()
    changed = Contract.parse(watchers.CONTRACT.text.replace("max: 1500000", "max: 1600000"))
    take_in(store, watchers.honest_table().slice(500, 500))
    worker = Pipeline(store, lambda _: changed, learning=LEARNING)
    assert worker.drain() == 500
    with store.reading() as tx:
        (view,) = detectors_view(tx)
    assert {line.note.split(" of")[0] for line in view.detectors if "learning" in line.note} == {"learning: 500"}


def test_people_answer_alerts_and_the_ledger_knows(store: Store) -> None:
    take_in(store, traffic())
    pipeline(store).drain()
    name = raised(store)[0][0]
    with store.transaction() as tx:
        assert acknowledge(tx, name, "ana@bank.example", "looking").state is AlertState.ACKNOWLEDGED
    with store.transaction() as tx:
        assert close(tx, name, "ana@bank.example", "a partner tested").state is AlertState.CLOSED
    with store.reading() as tx:
        assert [alert.id for alert in tx.alerts.open()] == [other for other, _, _ in _alerts(tx) if other != name]
        assert [kind for kind, _ in tx.intents.about(name)] == ["alert.raised", "alert.acknowledged", "alert.closed"]
        assert tx.outbox.waiting([ALERT_CLOSED]) == 1
        view = alert_view(tx, name)
    assert view is not None
    assert [(item.state, item.by, item.reason) for item in view.answers] == [
        ("acknowledged", "ana@bank.example", "looking"),
        ("closed", "ana@bank.example", "a partner tested"),
    ]
    for alert, by, reason, code in (
        (name, "ana", "again", "HF-WAT-051"),
        ("alr_none", "ana", "no such", "HF-WAT-050"),
        (raised_other(store, name), "ana", " ", "HF-WAT-052"),
        (raised_other(store, name), "", "why", "HF-WAT-052"),
    ):
        with pytest.raises(UsageError) as fault, store.transaction() as tx:
            close(tx, alert, by, reason)
        assert fault.value.code == code


def _alerts(tx: Transaction) -> list[tuple[str, str, float]]:
    return [(alert.id, "", 0.0) for alert in tx.alerts.open()]


def raised_other(store: Store, name: str) -> str:
    with store.reading() as tx:
        return next(alert.id for alert in tx.alerts.recent(9) if alert.id != name)


def test_views_show_what_was_kept(store: Store) -> None:
    take_in(store, traffic())
    worker = pipeline(store)
    worker.drain()
    worker.save()
    with store.reading() as tx:
        lines = alerts_view(tx, model=watchers.MODEL, state="open")
        view = alert_view(tx, lines[0].id)
        (day,) = traffic_view(tx, NOON, hours=48)
        campaigns = campaigns_view(tx)
        (progress,) = detectors_view(tx)
        later = tx.alerts.after(lines[-1].sequence)
        assert alert_view(tx, "alr_none") is None
        assert alerts_view(tx, state="closed") == alerts_view(tx, model="none") == ()
    assert [line.sequence for line in lines] == [2, 1]
    assert [row.alert.id for row in later] == [lines[0].id]
    assert view is not None
    assert view.line == lines[0]
    assert view.evidence[0].events
    assert view.timeline.svg().startswith("<svg")
    assert view.leaves == (("alert.raised", None),)
    assert {line.alert for line in campaigns} == {line.id for line in lines}
    assert day.events == traffic().num_rows == sum(hour.events for hour in day.hours)
    assert day.flagged == int((np.asarray(traffic()["score"]) >= 0.5).sum())
    assert day.rate is not None
    assert day.scores is not None
    assert sum(y for _, y in day.scores.series[0].points) == day.events
    assert progress.offset == progress.saved
    assert {line.detector for line in progress.detectors if line.ready} >= {"watch.contract", "watch.duplicates"}
