"""Rules on matches: pinned packages joined with known advisories, without opening anything again."""

from __future__ import annotations

from holdfast.core.domain import Finding, Severity
from holdfast.core.policy.outcome import Outcome, audit_command, finding
from holdfast.core.policy.schema import MatchRule
from holdfast.core.policy.snapshot import Hit, Snapshot
from holdfast.core.policy.subject import Evidence

SHOWN = 5


def judge_matches(rule: MatchRule, evidence: Evidence, intel: Snapshot) -> Outcome:
    """Failed where a release is hit, unknown where that cannot be told: worst over all packages."""
    packages = [str(fact.value) for _, fact in evidence.facts("package", rule.check)]
    loose = [str(fact.value) for _, fact in evidence.facts("package.unpinned", rule.check)]
    if not evidence.measured(rule.check) or not (packages or loose):
        return _absent(rule, evidence)
    hits, unclear = _join(rule, sorted(set(packages)), intel)
    unclear += [line for line in sorted(set(loose)) if _may_be_hit(rule, line, intel)]
    outcomes = [Outcome.passed(rule.id)]
    if hits:
        outcomes.append(_hit(rule, evidence, hits))
    if unclear:
        outcomes.append(_unclear(rule, unclear))
    return Outcome.worst(rule.id, outcomes)


def _absent(rule: MatchRule, evidence: Evidence) -> Outcome:
    tried = evidence.of_check(rule.check) or any(item.check == rule.check for item in evidence.failures)
    if rule.absent == "passed" and not tried:
        return Outcome.passed(rule.id)
    return Outcome.unknown(
        rule.id,
        f"{rule.check} has listed no packages, so there is nothing to compare with known advisories",
        "name a lock file with pinned versions under `lock:` in holdfast.yaml",
        audit_command(evidence.subject),
    )


def _join(rule: MatchRule, packages: list[str], intel: Snapshot) -> tuple[list[Hit], list[str]]:
    hits: list[Hit] = []
    unclear: list[str] = []
    for purl in packages:
        found = intel.hits(purl)
        if found is None:
            unclear.append(purl)
        elif found:
            grave = [hit for hit in found if rule.severity.holds(hit.advisory.severity)]
            hits += [hit for hit in grave if hit.certain]
            unclear += [purl] if any(not hit.certain for hit in grave) else []
    return hits, unclear


def _may_be_hit(rule: MatchRule, line: str, intel: Snapshot) -> bool:
    """A line that pins nothing is open as soon as any release of its package is hit, or its name cannot be read."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        name = Requirement(line[:1000]).name
    except InvalidRequirement:
        return True
    return any(rule.severity.holds(item.severity) for item in intel.on(name))


def _hit(rule: MatchRule, evidence: Evidence, hits: list[Hit]) -> Outcome:
    findings = tuple(_finding(rule, evidence, hit) for hit in hits)
    names = [f"{hit.package.name} {hit.package.version} by {hit.advisory.id}" for hit in hits]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return Outcome.failed(
        rule.id,
        f"hit by known advisories: {', '.join(names[:SHOWN])}{more}",
        rule.fix or _upgrade(hits),
        findings,
    )


def _finding(rule: MatchRule, evidence: Evidence, hit: Hit) -> Finding:
    item = hit.advisory
    return finding(
        evidence.subject,
        rule=rule.id,
        severity=Severity(item.severity),
        technique=rule.technique,
        check=rule.check,
        message=f"{hit.package.name} {hit.package.version}: {item.id}, {item.summary}",
        location=f"pkg:pypi/{hit.package.name}#{item.id}",
    )


def _upgrade(hits: list[Hit]) -> str:
    names = sorted({hit.package.name for hit in hits})
    return f"pin releases that are not affected of: {', '.join(names[:20])}; then audit again"


def _unclear(rule: MatchRule, unclear: list[str]) -> Outcome:
    more = f" and {len(unclear) - SHOWN} more" if len(unclear) > SHOWN else ""
    return Outcome.unknown(
        rule.id,
        f"cannot tell whether an advisory hits {', '.join(text[:120] for text in unclear[:SHOWN])}{more}",
        "pin each of them to one version, as name==1.2.3",
    )
