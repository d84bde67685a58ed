"""What one rule says about one subject, before all are folded into a judgement."""

from __future__ import annotations

from dataclasses import dataclass, replace

from holdfast.core.domain import Finding, Reason, Severity, Verdict, fingerprint
from holdfast.core.policy.subject import Subject


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rule's verdict, why, and the findings it mints. A passed outcome gives no reason unless it is worth a word."""

    rule: str
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    findings: tuple[Finding, ...] = ()

    @classmethod
    def passed(cls, rule: str) -> Outcome:
        """Nothing to say."""
        return cls(rule, Verdict.PASSED)

    @classmethod
    def unknown(cls, rule: str, why: str, fix: str, next_command: str | None = None) -> Outcome:
        """The rule could not decide."""
        return cls(rule, Verdict.UNKNOWN, (Reason(rule, Verdict.UNKNOWN, why, fix, next_command),))

    @classmethod
    def failed(
        cls, rule: str, why: str, fix: str, findings: tuple[Finding, ...], next_command: str | None = None
    ) -> Outcome:
        """The rule is broken."""
        return cls(rule, Verdict.FAILED, (Reason(rule, Verdict.FAILED, why, fix, next_command),), findings)

    @classmethod
    def note(cls, rule: str, why: str, fix: str, next_command: str | None = None) -> Outcome:
        """Passed, with something to know."""
        return cls(rule, Verdict.PASSED, (Reason(rule, Verdict.PASSED, why, fix, next_command, blocking=False),))

    @classmethod
    def worst(cls, rule: str, outcomes: list[Outcome]) -> Outcome:
        """Several outcomes of one rule as one."""
        return cls(
            rule,
            Verdict.worst(item.verdict for item in outcomes),
            tuple(reason for item in outcomes for reason in item.reasons),
            tuple(finding for item in outcomes for finding in item.findings),
        )

    def not_blocking(self) -> Outcome:
        """The same, with unknown reasons that do not block."""
        return replace(
            self,
            reasons=tuple(
                replace(reason, blocking=False) if reason.verdict is Verdict.UNKNOWN else reason
                for reason in self.reasons
            ),
        )


def finding(
    subject: Subject,
    *,
    rule: str,
    severity: Severity,
    technique: str | None,
    check: str,
    message: str,
    location: str,
) -> Finding:
    """A finding on the subject's model, under its stable fingerprint."""
    name = subject.model.name
    return Finding(
        fingerprint(name, check, technique, location), rule, severity, technique, name, check, message, location
    )


def audit_command(subject: Subject) -> str:
    """What takes missing observations."""
    return f"holdfast audit {subject.model.name}"
