"""The one judge: evidence, a policy, intelligence and a moment become a verdict.

Pure: no clock, no files, no chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import cast

from holdfast.core.domain import Finding, JSONValue, Judgement, Reason, Verdict, digest, to_iso
from holdfast.core.policy.facts import judge_facts
from holdfast.core.policy.matches import judge_matches
from holdfast.core.policy.measures import judge_measures
from holdfast.core.policy.outcome import Outcome
from holdfast.core.policy.policy import Policy
from holdfast.core.policy.ratchet import NO_BASELINE, judge_ratchet, no_baseline
from holdfast.core.policy.schema import FactRule, MatchRule, Rule
from holdfast.core.policy.snapshot import Snapshot
from holdfast.core.policy.standing import (
    ADDITION_FACT,
    NAMES_FACT,
    judge_intel,
    judge_isolation,
    judge_names,
    judge_observed,
    judge_required,
    judge_results,
    valid_until,
)
from holdfast.core.policy.subject import Baseline, Evidence, Subject


def judge(
    subject: Subject, policy: Policy, *, as_of: datetime, intel: Snapshot, baseline: Baseline | None = None
) -> Judgement:
    """The verdict on a model version at `as_of` (UTC-aware). The same arguments always give the same judgement."""
    evidence = Evidence(subject, as_of)
    tier = subject.model.tier
    outcomes = list(evaluate(evidence, policy, intel, baseline))
    verdict = Verdict.worst(item.verdict for item in outcomes)
    holds = policy.unknown_blocks(tier)
    kept = outcomes if holds else [item.not_blocking() for item in outcomes]
    return Judgement(
        key=_key(evidence, policy, intel, baseline),
        model=subject.model.name,
        version=subject.version.digest,
        verdict=verdict,
        blocks=verdict is Verdict.FAILED or (verdict is Verdict.UNKNOWN and holds),
        reasons=_reasons(kept),
        findings=_findings(outcomes),
        policy=policy.id,
        policy_digest=policy.digest,
        intel=intel.digest,
        as_of=as_of,
        valid_until=valid_until(evidence, intel, policy.results_age(tier), policy.intel_age(tier), policy.names),
    )


def evaluate(evidence: Evidence, policy: Policy, intel: Snapshot, baseline: Baseline | None) -> Iterator[Outcome]:
    """Every outcome, one by one: what a policy always demands, its rules, its ratchet."""
    yield from _standing(evidence, policy, intel)
    for rule in policy.rules:
        if rule.binds(evidence.subject.model.tier, evidence.subject.kinds):
            yield apply(rule, evidence, intel)
    if policy.ratchet:
        yield from _ratchet(evidence, policy, baseline)


def apply(rule: Rule, evidence: Evidence, intel: Snapshot) -> Outcome:
    """One rule on one subject."""
    if isinstance(rule, FactRule):
        return judge_facts(rule, evidence)
    if isinstance(rule, MatchRule):
        return judge_matches(rule, evidence, intel)
    return judge_measures(rule, evidence)


def rule_names(subject: Subject, policy: Policy, judgement: Judgement) -> tuple[str, ...]:
    """All that was decided on for a subject, whether it gave a reason or not; for reports that count passes."""
    rules = [rule.id for rule in policy.rules if rule.binds(subject.model.tier, subject.kinds)]
    compared = all(reason.rule != NO_BASELINE for reason in judgement.reasons)
    ratchet = [item.id for item in policy.ratchet] if compared else []
    return (*(["required"] if policy.required(subject.kinds) else []), *rules, *ratchet)


def _standing(evidence: Evidence, policy: Policy, intel: Snapshot) -> Iterator[Outcome]:
    tier = evidence.subject.model.tier
    yield from judge_observed(evidence)
    yield from judge_names(evidence)
    for check in policy.required(evidence.subject.kinds):
        yield judge_required(check, evidence)
    if (age := policy.results_age(tier)) is not None:
        yield judge_results(age, evidence)
    if (age := policy.intel_age(tier)) is not None:
        yield judge_intel(age, intel, evidence.as_of)
    if (minimum := policy.isolation(tier)) is not None:
        yield judge_isolation(minimum, evidence)


def _ratchet(evidence: Evidence, policy: Policy, baseline: Baseline | None) -> Iterator[Outcome]:
    if baseline is None:
        yield no_baseline(evidence)
        return
    for item in policy.ratchet:
        worse = policy.worse(item)
        assert worse is not None, "refused when the policy was read"
        yield judge_ratchet(item, worse, evidence, baseline)


def _reasons(outcomes: list[Outcome]) -> tuple[Reason, ...]:
    """Worst first, then by rule and words; each once."""
    worst = list(Verdict)
    reasons = {reason for item in outcomes for reason in item.reasons}
    return tuple(sorted(reasons, key=lambda reason: (-worst.index(reason.verdict), reason.rule, reason.why)))


def _findings(outcomes: list[Outcome]) -> tuple[Finding, ...]:
    """Gravest first; of several under one fingerprint the gravest."""
    found: dict[str, Finding] = {}
    for item in sorted(
        (finding for outcome in outcomes for finding in outcome.findings),
        key=lambda finding: (-finding.severity.rank, finding.rule, finding.location, finding.message),
    ):
        found.setdefault(item.fingerprint, item)
    return tuple(found.values())


def _key(evidence: Evidence, policy: Policy, intel: Snapshot, baseline: Baseline | None) -> str:
    """Covers all that the judgement was made from, and nothing else."""
    subject = evidence.subject
    given = {(item.key, item.check, to_iso(item.recorded_at)) for item in subject.observations}
    made_from = {
        "model": subject.model.name,
        "tier": subject.model.tier.value,
        "kinds": sorted(subject.kinds),
        "version": subject.version.digest,
        "observations": [list(item) for item in sorted(given)],
        "attempts": sorted([item.key, item.check, item.number, item.reason] for item in evidence.failures),
        "policy": policy.digest,
        "intel": [intel.digest, to_iso(intel.dated)],
        "baseline": None if baseline is None else [baseline.source, baseline.digest],
        "as_of": to_iso(evidence.as_of),
    }
    # Stored facts are judged by the list and the additions in force: which ones is not in the observations' keys.
    names = sorted({str(fact.value) for kind in (NAMES_FACT, ADDITION_FACT) for _, fact in evidence.facts(kind)})
    return digest(cast("JSONValue", {**made_from, "names": names} if names else made_from))
