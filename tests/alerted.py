"""A store with judged models that alerts can be raised on, for the tests of the response and of the loop."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from holdfast.core.domain import (
    Fact,
    FrozenClock,
    Judgement,
    Measurement,
    Model,
    ModelVersion,
    Observation,
    Recorded,
    Severity,
    Task,
    Tier,
    digest,
    to_iso,
)
from holdfast.core.domain.alert import Alert, Campaign, campaign_id
from holdfast.core.domain.topics import ALERT
from holdfast.core.policy import Policy, Snapshot, Subject, judge
from holdfast.core.store import Store
from holdfast.loop.docket import inputs_of
from holdfast.loop.engine import Engine
from holdfast.loop.on_observation import keep
from holdfast.loop.turn import Surroundings
from holdfast.respond.config import Response, observing
from holdfast.watch.alerts import close

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
VERSION = digest("v1")
INTEL = Snapshot("test", START - timedelta(hours=1), (), {}, "test")

SEEN = (
    ("scan.artifact", (Fact("scan.verdict", "clean"), Fact("sandbox.isolation", "full"))),
    ("deps.advisories", (Fact("package", "pkg:pypi/example@1.0"),)),
    ("quality.performance", (Measurement("quality.auc", 0.9, "share"),)),
)


@cache
def _template() -> Path:
    """An empty SQLite store, made once: creating the schema is most of what a short test would take."""
    folder = Path(tempfile.mkdtemp(prefix="template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Store.open(None, folder / "home").close()
    return folder / "home"


def fresh_store(home: Path, clock: FrozenClock, database: str | None = None) -> Store:
    """An empty store in `home`."""
    if database is None:
        shutil.copytree(_template(), home, dirs_exist_ok=True)
    return Store.open(database, home, clock)


class Scene:
    """One store, one clock, and the loop turned by hand."""

    def __init__(self, home: Path, database: str | None = None, start: datetime = START) -> None:
        self.clock = FrozenClock(start)
        self.store = fresh_store(home, self.clock, database)
        self.response: Response = observing()
        self.engine = Engine(
            self.store, Surroundings(home, lambda _: INTEL, response=lambda: self.response), on_fault=self._fault
        )
        self.number = 0

    def _fault(self, _message: object, fault: Exception) -> None:
        raise fault

    def model(self, name: str = "card-fraud", tier: Tier = Tier.HIGH) -> Model:
        """Register and deploy a model."""
        model = Model(name, "cards", "eu", "team@bank.example", tier, "decide", Task("binary"))
        with self.store.transaction() as tx:
            tx.models.register(model, ModelVersion(name, VERSION, "xgboost-ubj"), {})
            tx.models.deploy(name, VERSION)
        return model

    def judge(self, model: Model, *more: Recorded, kinds: frozenset[str] = frozenset()) -> Judgement:
        """Judge a model by the baseline on a clean audit and `more`."""
        records = tuple(self.record(model.name, check, *facts) for check, facts in SEEN) + more
        policy = Policy.builtin("baseline")
        subject = Subject(model, ModelVersion(model.name, VERSION, "xgboost-ubj"), kinds, records)
        with self.store.transaction() as tx:
            for record in records:
                tx.observations.add(record)
            judgement = judge(subject, policy, as_of=self.clock(), intel=INTEL)
            keep(tx, judgement, policy, inputs_of(subject))
        return judgement

    def record(self, model: str, check: str, *seen: Fact | Measurement) -> Recorded:
        """What a check saw just now."""
        key = digest([model, check, to_iso(self.clock())])
        return Recorded(key, check, 1, model, VERSION, Observation.of(*seen), self.clock(), 1.0)

    def alert(
        self,
        model: str = "card-fraud",
        technique: str = "AML.T0015",
        severity: Severity = Severity.HIGH,
        clients: tuple[str, ...] = ("c1",),
        columns: tuple[str, ...] = (),
        detectors: tuple[str, ...] = ("near-duplicates",),
    ) -> Alert:
        """Raise an alert, as detection does; the loop has not answered it yet."""
        self.number += 1
        now, entity = self.clock(), f"cell:{self.number}"
        campaign = Campaign(
            id=campaign_id(model, technique, entity, to_iso(now)),
            model=model,
            technique=technique,
            entity=entity,
            detectors=detectors,
            clients=clients,
            columns=columns,
            events=("e1", "e2"),
            signals=3,
            strength=4.5,
            started_at=now - timedelta(minutes=2),
            last_at=now,
        )
        alert = Alert(campaign, None, severity, "near-duplicate queries climb", now)
        with self.store.transaction() as tx:
            tx.campaigns.keep(campaign, live=True)
            tx.alerts.add(alert)
            tx.outbox.publish(ALERT, alert.id, {"alert": alert.id, "model": model})
        return alert

    def close(self, alert: Alert) -> None:
        """A person closes an alert; the loop has not answered yet."""
        with self.store.transaction() as tx:
            close(tx, alert.id, "ana@bank.example", "a test of ours")

    def settle(self) -> None:
        """Let the loop answer."""
        self.engine.drain()
