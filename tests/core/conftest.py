"""A store on each engine, a clock that moves when told, and nouns with little to say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

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
    fingerprint,
)
from holdfast.core.store import Store


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 1, 5, 9, tzinfo=UTC))


@pytest.fixture
def store(database: str | None, tmp_path: Path, clock: FrozenClock) -> Iterator[Store]:
    with Store.open(database, tmp_path / "state", clock) as opened:
        yield opened


class Nouns:
    """Makes nouns that differ only in what a test names."""

    def __init__(self, clock: FrozenClock) -> None:
        self.clock = clock

    def model(self, name: str = "m", **changes: Any) -> Model:
        said = {"unit": "u", "region": "eu", "owner": "o", "tier": Tier.HIGH, "purpose": "p", "task": Task("binary")}
        return Model(name=name, **{**said, **changes})

    def version(self, model: str = "m", digest: str = "v1") -> ModelVersion:
        return ModelVersion(model, digest, "onnx")

    def recorded(self, key: str, check: str = "c", model: str = "m", version: str = "v1", **changes: Any) -> Recorded:
        seen = Observation.of(Fact("kind", "value", 3), Measurement("name", 0.5, "share", {"linf": 0.01}, 10, 0))
        said = {"observation": seen, "recorded_at": self.clock(), "elapsed_s": 0.25, "check_version": 1}
        return Recorded(key=key, check=check, model=model, version=version, **{**said, **changes})

    def finding(self, rule: str = "r", check: str = "c", model: str = "m", **changes: Any) -> Finding:
        said = {"severity": Severity.HIGH, "technique": "AML.T0015", "message": f"{rule} is broken"}
        return Finding(
            fingerprint=fingerprint(model, check, rule, ""), rule=rule, model=model, check=check, **{**said, **changes}
        )

    def judgement(self, key: str, *findings: Finding, undecided: tuple[str, ...] = (), **changes: Any) -> Judgement:
        reasons = [Reason(item.rule, Verdict.FAILED, item.message, "fix it", "holdfast explain") for item in findings]
        reasons += [Reason(rule, Verdict.UNKNOWN, "no answer", "look") for rule in undecided]
        said = {
            "model": "m",
            "version": "v1",
            "verdict": Verdict.worst([reason.verdict for reason in reasons] or [Verdict.PASSED]),
            "blocks": bool(findings),
            "policy": "baseline",
            "policy_digest": "sha256:p",
            "intel": "sha256:i",
            "as_of": self.clock(),
            "valid_until": self.clock() + timedelta(days=30),
        }
        return Judgement(key=key, reasons=tuple(reasons), findings=findings, **{**said, **changes})


@pytest.fixture
def nouns(clock: FrozenClock) -> Nouns:
    return Nouns(clock)
