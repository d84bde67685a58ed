"""Three-valued verdicts and the findings a policy reads out of observations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from holdfast.core.domain.ids import digest
from holdfast.core.domain.severity import Severity


class Verdict(StrEnum):
    """Worst wins: failed, then unknown, then passed."""

    PASSED = "passed"
    UNKNOWN = "unknown"
    FAILED = "failed"

    @classmethod
    def worst(cls, verdicts: Iterable[Verdict]) -> Verdict:
        """The worst of `verdicts`; of none at all: unknown, because nothing was shown."""
        order = list(cls)
        return max(verdicts, key=order.index, default=cls.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is, and the next thing to type."""

    rule: str
    verdict: Verdict
    why: str
    fix: str
    next_command: str | None = None
    blocking: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that an observation breaks. The fingerprint outlives versions, wording, severity and time."""

    fingerprint: str
    rule: str
    severity: Severity
    technique: str | None
    model: str
    check: str
    message: str
    location: str = ""


def fingerprint(model: str, check: str, technique: str | None, location: str) -> str:
    """The stable identity of a finding: model family, check, technique, location."""
    return digest([model, check, technique, location])


@dataclass(frozen=True, slots=True)
class Judgement:
    """A policy's answer for one model version at one moment. `key` covers all that it was made from."""

    key: str
    model: str
    version: str
    verdict: Verdict
    blocks: bool
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...]
    policy: str
    policy_digest: str
    intel: str
    as_of: datetime
    valid_until: datetime | None
