"""A small estate in a real store: models, versions, results and judgements by the word, and a clock to move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from holdfast.backlog.sync import sync
from holdfast.core.domain import (
    Fact,
    Finding,
    FrozenClock,
    Judgement,
    Measurement,
    Model,
    ModelVersion,
    Observation,
    Reason,
    Recorded,
    Severity,
    Task,
    Tier,
    Verdict,
    digest,
    fingerprint,
)
from holdfast.core.domain.backlog import BacklogItem, item_id
from holdfast.core.store import Store, Transaction

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
Result = TypeVar("Result")


def finding(check: str = "evasion.search", model: str = "m", **more: Any) -> Finding:
    technique = more.pop("technique", "AML.T0015")
    location = more.pop("location", "")
    said = {"rule": check, "severity": Severity.HIGH, "message": f"{check} found something"}
    print_ = fingerprint(model, check, technique, location)
    return Finding(print_, technique=technique, model=model, check=check, location=location, **{**said, **more})


@dataclass
class Estate:
    """What a test does to the world, and what the backlog makes of it."""

    store: Store
    clock: FrozenClock
    number: int = 0

    def do(self, work: Callable[[Transaction], Result]) -> Result:
        return self.store.run(work)

    def model(self, name: str = "m", tier: Tier = Tier.HIGH, versions: str = "v1", **manifest: Any) -> None:
        made = Model(name, "u", "eu", "o", tier, "p", Task("binary"))
        for version in versions.split():
            self.do(lambda tx, v=version: tx.models.register(made, ModelVersion(name, v, "onnx"), manifest))

    def see(self, check: str, version: str = "v1", model: str = "m", success: float | None = None) -> str:
        """A new result of a check on a version."""
        self.number += 1
        seen = [Fact("kind", "value")] if success is None else [Measurement(f"{check}.success_share", success, "share")]
        key = digest([check, version, self.number])
        record = Recorded(key, check, 1, model, version, Observation.of(seen), self.clock(), 0.1)
        self.do(lambda tx: tx.observations.add(record))
        return key

    def judge(self, *found: Finding, version: str = "v1", model: str = "m") -> str:
        """A judgement that shows exactly these findings; every check seen so far counts as measured."""
        self.number += 1
        verdict = Verdict.FAILED if found else Verdict.PASSED
        reasons = tuple(Reason(one.rule, Verdict.FAILED, one.message, "fix") for one in found)
        judged = Judgement(
            digest([model, version, self.number]),
            model,
            version,
            verdict,
            bool(found),
            reasons,
            tuple(found),
            "baseline",
            digest("p"),
            digest("i"),
            self.clock(),
            None,
        )
        self.do(lambda tx: tx.judgements.add(judged))
        self.sync(model, judged.key)
        return judged.key

    def sync(self, model: str = "m", key: str = "k") -> int:
        return self.do(lambda tx: sync(tx, model, f"check:{key}"))

    def deploy(self, version: str = "v1", model: str = "m") -> None:
        self.do(lambda tx: tx.models.deploy(model, version))
        self.sync(model, "deployment")

    def item(self, found: Finding | None = None) -> BacklogItem:
        kept = self.do(lambda tx: tx.backlog.find(item_id((found or finding()).fingerprint)))
        assert kept is not None
        return kept

    def move(self, work: Callable[[Transaction, BacklogItem], Result], found: Finding | None = None) -> Result:
        """Do something with the item as it is now."""
        item = self.item(found)
        return self.do(lambda tx: work(tx, item))

    def steps(self, found: Finding | None = None) -> list[str]:
        history = self.move(lambda tx, item: tx.backlog.history(item.id), found)
        return [entry.step.value for entry in history]

    def leaves(self, found: Finding | None = None) -> list[str]:
        return [kind for kind, _ in self.move(lambda tx, item: tx.intents.about(item.id), found)]

    def later(self, **step: float) -> None:
        self.clock.advance(timedelta(**step))

    def failing(
        self, tier: Tier = Tier.HIGH, versions: str = "v1", success: float = 0.6, **manifest: Any
    ) -> BacklogItem:
        """A model whose first version fails by our own attack, with a green check beside it."""
        self.model(tier=tier, versions=versions, **manifest)
        self.see("evasion.search", success=success)
        self.see("data.contract")
        self.judge(finding())
        return self.item()


@pytest.fixture
def estate(database: str | None, tmp_path: Path) -> Iterator[Estate]:
    clock = FrozenClock(NOW)
    with Store.open(database, tmp_path / "state", clock) as store:
        yield Estate(store, clock)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Estate]:
    """The same on SQLite alone, for what does not depend on the engine."""
    clock = FrozenClock(NOW)
    with Store.open(None, tmp_path / "state", clock) as store:
        yield Estate(store, clock)
