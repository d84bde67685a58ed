"""From an audit and its judgements to the documents that reports are made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.policy import Subject, rule_names
from holdfast.core.report import AuditReport, CheckResult, ModelReport
from holdfast.core.report.documents import relative

if TYPE_CHECKING:
    from holdfast.app import Holdfast, Judged
    from holdfast.audit.reconcile import Result
    from holdfast.audit.run import Audited
    from holdfast.core.domain.verdict import Judgement
    from holdfast.core.policy import Policy


def audit_report(holdfast: Holdfast, judged: Judged) -> AuditReport:
    """What checks saw and which findings follow, with paths as seen from the working folder."""
    parts = zip(judged.audit.models, judged.judgements, judged.policies, strict=True)
    return AuditReport(
        as_of=judged.as_of,
        models=tuple(_model(holdfast.manifest.path, *part) for part in parts),
        techniques=holdfast.intel.techniques,
        hash_s=judged.audit.hash_s,
        hashed_bytes=judged.audit.hashed_bytes,
    )


def _model(manifest: Path, audited: Audited, judgement: Judgement, policy: Policy) -> ModelReport:
    artifact = audited.subject.part("artifact")
    subject = Subject(audited.subject.model, audited.version, audited.kinds, ())
    return ModelReport(
        judgement=judgement,
        results=tuple(_result(result) for result in audited.results),
        rules=rule_names(subject, policy, judgement),
        artifact=None if artifact is None else relative(artifact, Path.cwd()),
        manifest=relative(manifest.resolve(), Path.cwd()),
        line=_line(audited.subject.where),
    )


def _result(result: Result) -> CheckResult:
    if result.recorded is not None:
        return CheckResult.of(result.recorded, cached=result.cached, elapsed_s=result.elapsed_s)
    work = result.work
    return CheckResult(work.check, work.version, None, result.observation, cached=False, elapsed_s=result.elapsed_s)


def _line(where: str) -> int:
    _, _, line = where.rpartition(":")
    return int(line) if line.isdigit() else 1
