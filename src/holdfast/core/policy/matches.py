"""Rules on matches: packages of a lock joined with known advisories, without opening anything again."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.core.domain import Advisory, Finding, Severity
from holdfast.core.policy.outcome import Outcome, audit_command, finding
from holdfast.core.policy.schema import MatchRule
from holdfast.core.policy.snapshot import Hit, Snapshot
from holdfast.core.policy.subject import Evidence
from holdfast.core.policy.versions import Package

SHOWN = 5


def judge_matches(rule: MatchRule, evidence: Evidence, intel: Snapshot) -> Outcome:
    """Failed where a release is hit, unknown where that cannot be told: worst over all packages."""
    packages = {str(fact.value) for _, fact in evidence.facts("package", rule.check)}
    loose = {str(fact.value) for _, fact in evidence.facts("package.unpinned", rule.check)}
    if not evidence.measured(rule.check) or not (packages or loose):
        return _absent(rule, evidence)
    hits, unclear = _pinned(rule, sorted(packages), intel)
    more_hits, more_unclear = _loose(rule, sorted(loose), intel)
    outcomes = [Outcome.passed(rule.id)]
    if hits or more_hits:
        outcomes.append(_hit(rule, evidence, [*hits, *more_hits]))
    if unclear or more_unclear:
        outcomes.append(_unclear(rule, [*unclear, *more_unclear]))
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


def _pinned(rule: MatchRule, packages: Iterable[str], intel: Snapshot) -> tuple[list[Hit], list[str]]:
    """Certain hits among package URLs, and those of which it cannot be told."""
    hits: list[Hit] = []
    unclear: list[str] = []
    for purl in packages:
        found = intel.hits(purl)
        if found is None:
            unclear.append(purl)
        elif found:
            meant = [hit for hit in found if _concerns(rule, hit.advisory)]
            hits += [hit for hit in meant if hit.certain]
            unclear += [purl] if any(not hit.certain for hit in meant) else []
    return hits, unclear


def _loose(rule: MatchRule, lines: Iterable[str], intel: Snapshot) -> tuple[list[Hit], list[str]]:
    """A line that pins nothing is hit where every release is, and open where some are or its name cannot be read."""
    hits: list[Hit] = []
    unclear: list[str] = []
    for line in lines:
        name = _name(line)
        meant = [] if name is None else [item for item in intel.on(name) if _concerns(rule, item)]
        hits += [Hit(item, Package(item.package, None), True) for item in meant if item.every_release]
        if name is None or any(not item.every_release for item in meant):
            unclear.append(line)
    return hits, unclear


def _name(line: str) -> str | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(line[:1000]).name
    except InvalidRequirement:
        return None


def _concerns(rule: MatchRule, advisory: Advisory) -> bool:
    return rule.concerns(advisory.severity, malicious=advisory.malicious)


def _hit(rule: MatchRule, evidence: Evidence, hits: list[Hit]) -> Outcome:
    findings = tuple(_finding(rule, evidence, hit) for hit in hits)
    malware = [hit for hit in hits if hit.advisory.malicious]
    weak = [hit for hit in hits if not hit.advisory.malicious]
    why = [words for words in (_listed("malware", malware), _listed("hit by known advisories", weak)) if words]
    return Outcome.failed(rule.id, "; ".join(why), rule.fix or _fix(malware, weak), findings)


def _listed(what: str, hits: list[Hit]) -> str:
    names = [f"{_release(hit)} by {hit.advisory.id}" for hit in hits]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{what}: {', '.join(names[:SHOWN])}{more}" if names else ""


def _release(hit: Hit) -> str:
    return f"{hit.package.name} {hit.package.version or 'of any version'}"


def _finding(rule: MatchRule, evidence: Evidence, hit: Hit) -> Finding:
    item = hit.advisory
    return finding(
        evidence.subject,
        rule=rule.id,
        severity=Severity(item.severity),
        technique=rule.technique,
        check=rule.check,
        message=f"{_release(hit)}: {item.id}, {item.summary}",
        location=f"pkg:pypi/{hit.package.name}#{item.id}",
    )


def _fix(malware: list[Hit], weak: list[Hit]) -> str:
    """Malware has no good release: it goes, and whatever it could reach counts as known to others."""
    steps = []
    if malware:
        steps.append(f"remove {_names(malware)}, and replace every secret of the machines it was installed on")
    if weak:
        steps.append(f"pin releases that are not affected of: {_names(weak)}")
    return f"{'; '.join(steps)}; then audit again"


def _names(hits: list[Hit]) -> str:
    return ", ".join(sorted({hit.package.name for hit in hits})[:20])


def _unclear(rule: MatchRule, unclear: list[str]) -> Outcome:
    more = f" and {len(unclear) - SHOWN} more" if len(unclear) > SHOWN else ""
    return Outcome.unknown(
        rule.id,
        f"cannot tell whether an advisory hits {', '.join(text[:120] for text in unclear[:SHOWN])}{more}",
        "pin each of them to one version, as name==1.2.3",
    )
