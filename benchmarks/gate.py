"""Policy, reports and the gate: judging again, rendering, signing and verifying.

    python -m benchmarks.gate [--quick] [--json FILE]

Judging again is what follows new intelligence: no artifact is opened, no check runs. One core does it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from benchmarks.metrics import Metric, Target, report
from holdfast.core.domain import (
    Fact,
    Judgement,
    Measurement,
    Model,
    ModelVersion,
    Observation,
    Recorded,
    Task,
    Tier,
    digest,
    digest_bytes,
)
from holdfast.core.policy import Policy, Snapshot, Subject, judge
from holdfast.core.report import FORMATS, AuditReport, CheckResult, GateReport, ModelReport, render
from holdfast.core.sign import SigningKey
from holdfast.gate import Attested, decide, summarize, verify_summary

NOW = datetime(2026, 7, 25, tzinfo=UTC)
KEY = SigningKey(bytes(range(32)))
PACKAGES = 150
ARTIFACT = b"artifact"


def seconds(work: Callable[[], object], times: int) -> float:
    """The best of `times` runs: what the work takes when nobody disturbs it."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def subject(number: int) -> Subject:
    """A tree model with a lock file of 150 packages, one of them hit by an advisory."""
    name = f"model-{number}"
    boxes = [Measurement("evasion.robust_recall", 0.3, "share", {"linf": box}, 200, 0) for box in (0.002, 0.005, 0.01)]
    pinned = [Fact("package", f"pkg:pypi/package-{place}@1.{place}") for place in range(PACKAGES - 1)]
    seen: dict[str, tuple[Fact | Measurement, ...]] = {
        "scan.artifact": (Fact("scan.verdict", "clean"),),
        "evasion.search": tuple(boxes),
        "data.contract": (Measurement("data.contract.broken_share", 0.0, "share"),),
        "quality.performance": (Measurement("quality.auc", 0.8, "share"), Fact("sandbox.isolation", "full")),
        "deps.advisories": (*pinned, Fact("package", "pkg:pypi/torch@2.5.0")),
    }
    records = tuple(
        Recorded(digest([name, check]), check, 1, name, name, Observation.of(what), NOW - timedelta(hours=1), 1.0)
        for check, what in seen.items()
    )
    model = Model(name, "retail", "eu", "team", Tier.HIGH, "decide", Task("binary"))
    return Subject(model, ModelVersion(name, digest_bytes(ARTIFACT), "onnx"), frozenset({"tree"}), records)


def judging(count: int) -> Iterator[Metric]:
    """Reading the policy and the snapshot, and judging many models again."""
    yield Metric("policy.read_ms", 1000 * seconds(lambda: Policy.builtin("baseline"), 3), "ms", Target("<=", 100))
    policy, intel = Policy.builtin("baseline"), Snapshot.builtin()
    subjects = [subject(number) for number in range(count)]

    def again() -> None:
        for one in subjects:
            assert judge(one, policy, as_of=NOW, intel=intel).findings

    per_model = 1000 * seconds(again, 3) / count
    yield Metric("policy.rejudge_ms_per_model", per_model, "ms", Target("<=", 2))
    yield Metric("policy.rejudge_10k_models_s", per_model * 10, "s", Target("<=", 20))


def rendering(count: int) -> Iterator[Metric]:
    """A gate report over many models, in each form."""
    policy, intel = Policy.builtin("baseline"), Snapshot.builtin()
    models = [_model(subject(number), policy, intel) for number in range(count)]
    audit = AuditReport(NOW, tuple(models), intel.techniques)
    decision = decide([model.judgement for model in models])
    gated = GateReport(audit, decision.verdict, decision.blocks, decision.exit_code, decision.valid_until)
    for form in FORMATS:
        spent = seconds(partial(render, gated, form), 3)
        yield Metric(f"report.{form}_ms_per_model", 1000 * spent / count, "ms")


def _model(one: Subject, policy: Policy, intel: Snapshot) -> ModelReport:
    judged = judge(one, policy, as_of=NOW, intel=intel)
    return ModelReport(judged, tuple(CheckResult.of(record, cached=True) for record in one.observations))


def proving(folder: Path, times: int) -> Iterator[Metric]:
    """Signing a summary and verifying it, hashing of a small artifact included."""
    one = subject(0)
    judged: Judgement = judge(one, Policy.builtin("baseline"), as_of=NOW, intel=Snapshot.builtin())
    attested = [Attested(judged, "model.onnx", tuple((record.check, record.key) for record in one.observations))]
    artifact, summary = folder / "model.onnx", folder / "verdict.json"
    artifact.write_bytes(ARTIFACT)
    decision = decide([judged])

    def sign() -> None:
        summary.write_bytes(summarize(decision, attested, KEY, verified_at=NOW))

    yield Metric("gate.sign_ms", 1000 * seconds(sign, times), "ms")
    yield Metric(
        "gate.verify_ms",
        1000 * seconds(lambda: verify_summary(summary, KEY.public, [artifact], as_of=NOW), times),
        "ms",
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer models")
    parser.add_argument("--json", type=Path, help="write the metrics to this file")
    options = parser.parse_args(arguments)
    count = 100 if options.quick else 2_000
    with tempfile.TemporaryDirectory() as folder:
        metrics = [*judging(count), *rendering(count // 10), *proving(Path(folder), 20)]
    return report(metrics, options.json)


if __name__ == "__main__":
    sys.exit(main())
