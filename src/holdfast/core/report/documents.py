"""What reports are made of. The rooms fill these from their results; the renderers read nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import PurePath
from typing import Final

from holdfast.core.domain import (
    Attempt,
    Fact,
    Finding,
    Judgement,
    Measurement,
    Observation,
    Reason,
    Recorded,
    Status,
    Technique,
    Verdict,
)

ADDED: Final = "scan.addition"
"""The fact that names a site's addition which a verdict rests on."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's row: what it saw, or why it did not. `observation_key` is None where nothing could be keyed."""

    check: str
    check_version: int
    observation_key: str | None
    observation: Observation
    cached: bool
    elapsed_s: float

    @classmethod
    def of(cls, recorded: Recorded, *, cached: bool, elapsed_s: float | None = None) -> CheckResult:
        """A recorded observation. `elapsed_s`: what it took now; default: nothing if cached, else what it took."""
        spent = (0.0 if cached else recorded.elapsed_s) if elapsed_s is None else elapsed_s
        return cls(recorded.check, recorded.check_version, recorded.key, recorded.observation, cached, spent)

    @classmethod
    def failed(cls, attempt: Attempt, check_version: int, elapsed_s: float = 0.0) -> CheckResult:
        """An attempt that gave no observation."""
        seen = Observation.unknown(attempt.reason)
        return cls(attempt.check, check_version, attempt.key, seen, cached=False, elapsed_s=elapsed_s)

    @property
    def facts(self) -> tuple[Fact, ...]:
        return self.observation.facts

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        return self.observation.measurements

    @property
    def status(self) -> Status:
        return self.observation.status

    @property
    def reason(self) -> str | None:
        return self.observation.reason


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model version. `artifact` and `manifest` are paths as a reader of the repository knows them.

    `rules` names all that was decided on, so that what passed can be counted too.
    """

    judgement: Judgement
    results: tuple[CheckResult, ...] = ()
    rules: tuple[str, ...] = ()
    artifact: str | None = None
    manifest: str | None = None
    line: int = 1

    @property
    def model(self) -> str:
        return self.judgement.model

    @property
    def version(self) -> str:
        return self.judgement.version

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.judgement.findings

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return self.judgement.reasons

    def of_rule(self, rule: str) -> tuple[Reason, ...]:
        """The reasons a rule gave; none means that it passed."""
        return tuple(reason for reason in self.reasons if reason.rule == rule)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What checks saw and which findings follow. Hashing is timed apart from checking."""

    as_of: datetime
    models: tuple[ModelReport, ...]
    techniques: Mapping[str, Technique] = field(default_factory=dict)
    hash_s: float | None = None
    hashed_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class AcceptedFinding:
    """A finding that is let pass for a while: the rule it breaks, who owns the risk, who approved it, until when."""

    model: str
    fingerprint: str
    rule: str
    owner: str
    approver: str
    until: datetime


@dataclass(frozen=True, slots=True)
class GateReport:
    """An audit and what was decided on it."""

    audit: AuditReport
    verdict: Verdict
    blocks: bool
    exit_code: int
    valid_until: datetime | None
    accepted: tuple[AcceptedFinding, ...] = ()

    @property
    def as_of(self) -> datetime:
        return self.audit.as_of

    @property
    def models(self) -> tuple[ModelReport, ...]:
        return self.audit.models

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Of all models, each once."""
        return tuple(dict.fromkeys(reason for model in self.models for reason in model.reasons))


@dataclass(frozen=True, slots=True)
class FileRow:
    """One regular file on disk. `verdict` is clean, review, blocked or unknown; `sha256` None when not hashed."""

    path: str
    sha256: str | None
    format: str
    verdict: str
    inspect_ms: float
    hash_ms: float
    bytes: int
    coverage: Mapping[str, int]
    facts: tuple[Fact, ...] = ()

    @property
    def added(self) -> tuple[Fact, ...]:
        """The names that a site added and that the verdict rests on."""
        return tuple(fact for fact in self.facts if fact.kind == ADDED)

    @property
    def noted(self) -> bool:
        """Whether there is a word to say of the file: it is not clean, or by a site's additions alone."""
        return self.verdict != "clean" or bool(self.added)


@dataclass(frozen=True, slots=True)
class NamesUsed:
    """The list of names that files were judged by: its version, its day, and the names a site has added to it."""

    version: str
    dated: date
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What files contain, and by which list that was judged."""

    files: tuple[FileRow, ...]
    names: NamesUsed | None = None

    def exit_code(self, *, fail_on_review: bool = False) -> int:
        """1 where a file is blocked, else 3 where one is unknown, else 0."""
        seen = {row.verdict for row in self.files}
        if "blocked" in seen or (fail_on_review and "review" in seen):
            return 1
        return 0 if seen <= {"clean", "review"} else 3


Report = AuditReport | GateReport | ScanReport


def relative(path: PurePath, base: PurePath) -> str:
    """A path as seen from `base`, with forward slashes; as it is when it lies elsewhere."""
    inside = path.is_relative_to(base)
    return (path.relative_to(base) if inside else path).as_posix()
