"""Judged models, artifacts on disk, and keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.domain import Judgement, Measurement, Observation, Recorded, Verdict, digest, digest_bytes
from holdfast.core.sign import SigningKey
from holdfast.gate import Attested, Decision, decide, summarize

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


class Desk:
    """Builders with everything that does not matter filled in."""

    now = NOW

    def judgement(self, verdict: Verdict = Verdict.PASSED, blocks: bool | None = None, **more: Any) -> Judgement:
        blocks = verdict is Verdict.FAILED if blocks is None else blocks
        until = more.pop("valid_until", NOW + timedelta(days=2))
        judged = Judgement(
            key=digest(str(more)),
            model="credit",
            version=digest_bytes(b"artifact"),
            verdict=verdict,
            blocks=blocks,
            reasons=(),
            findings=(),
            policy="baseline",
            policy_digest=digest("policy"),
            intel=digest("intel"),
            as_of=NOW,
            valid_until=until,
        )
        return replace(judged, **more)

    def record(self, check: str, *seen: Measurement, version: str = "v1") -> Recorded:
        observation = Observation.of(*seen)
        return Recorded(digest([check, version]), check, 1, "credit", digest(version), observation, NOW, 1.0)


@dataclass(frozen=True)
class Run:
    """A gate run that was attested: the artifact, the summary, the key, and what was decided."""

    artifact: Path
    summary: Path
    key: SigningKey
    decision: Decision


@pytest.fixture(scope="session")
def desk() -> Desk:
    """The builders."""
    return Desk()


@pytest.fixture
def attested(tmp_path: Path, desk: Desk) -> Any:
    """Makes attested runs."""

    def run(verdict: Verdict = Verdict.PASSED, **more: Any) -> Run:
        artifact, summary = tmp_path / "model.ubj", tmp_path / "gate.intoto.json"
        artifact.write_bytes(b"artifact")
        decision = decide([desk.judgement(verdict, **more)])
        key = SigningKey.generate()
        models = [Attested(decision.judgements[0], "model.ubj", (("evasion.search", digest("k")),))]
        summary.write_bytes(summarize(decision, models, key, verified_at=NOW))
        return Run(artifact, summary, key, decision)

    return run
