"""Builders for what a judge is given. Session scope, because property tests use them too."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.core.domain import (
    Advisory,
    Attempt,
    Fact,
    Judgement,
    Measurement,
    Model,
    ModelVersion,
    Observation,
    Recorded,
    Severity,
    Task,
    Tier,
    VersionRange,
    digest,
)
from holdfast.core.policy import Baseline, Policy, Snapshot, Subject, judge

NOW = datetime(2026, 7, 25, 9, tzinfo=UTC)


class Build:
    """Small examples with everything that does not matter filled in."""

    now = NOW

    def record(
        self,
        check: str,
        *seen: Fact | Measurement,
        age: timedelta = timedelta(hours=1),
        unknown: str | None = None,
        key: str | None = None,
    ) -> Recorded:
        observation = Observation.of(*seen) if unknown is None else Observation.unknown(unknown, *seen)  # type: ignore[arg-type]
        return Recorded(digest(key or check), check, 1, "credit", digest("v1"), observation, NOW - age, 1.0)

    def subject(
        self,
        *records: Recorded,
        tier: Tier = Tier.HIGH,
        kinds: Iterable[str] = (),
        attempts: Iterable[Attempt] = (),
        name: str = "credit",
        version: str = "v1",
    ) -> Subject:
        model = Model(name, "retail", "eu", "team@bank.example", tier, "decide", Task("binary"))
        artifact = ModelVersion(name, digest(version), "xgboost-ubj")
        return Subject(model, artifact, frozenset(kinds), tuple(records), tuple(attempts))

    def attempt(self, check: str, reason: str = "memory", *, key: str | None = None, number: int = 1) -> Attempt:
        return Attempt(digest(key or check), check, "credit", reason, NOW, None, number)

    def policy(self, body: str) -> Policy:
        return Policy.parse(f"version: 1\nid: test\n{body}", "test.yaml")

    def advisory(
        self,
        package: str = "torch",
        severity: Severity = Severity.CRITICAL,
        *ranges: VersionRange,
        name: str = "PYSEC-1",
        versions: tuple[str, ...] = (),
    ) -> Advisory:
        spans = ranges or (() if versions else (VersionRange(fixed="2.6.0"),))
        return Advisory(name, package, "runs code", severity, spans, versions)

    def intel(self, *advisories: Advisory, dated: datetime = NOW - timedelta(days=1)) -> Snapshot:
        return Snapshot("test", dated, advisories, {}, digest([item.id for item in advisories]))

    def judge(
        self,
        body: str,
        *records: Recorded,
        tier: Tier = Tier.HIGH,
        kinds: Iterable[str] = (),
        attempts: Iterable[Attempt] = (),
        intel: Snapshot | None = None,
        baseline: Baseline | None = None,
        as_of: datetime = NOW,
    ) -> Judgement:
        subject = self.subject(*records, tier=tier, kinds=kinds, attempts=attempts)
        return judge(subject, self.policy(body), as_of=as_of, intel=intel or self.intel(), baseline=baseline)


@pytest.fixture(scope="session")
def build() -> Build:
    """The builders."""
    return Build()
