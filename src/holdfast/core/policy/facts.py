"""Rules on facts: which values are denied, left open or allowed."""

from __future__ import annotations

from holdfast.core.domain import Fact, Recorded, Verdict
from holdfast.core.policy.outcome import Outcome, audit_command, finding
from holdfast.core.policy.schema import FactRule
from holdfast.core.policy.subject import ARRIVING, Evidence

SHOWN = 5
"""How many values a reason names before it counts the rest."""

Seen = tuple[Recorded, Fact]


def judge_facts(rule: FactRule, evidence: Evidence) -> Outcome:
    """Worst over the values seen; one finding per check and place, whatever the number of values."""
    seen = list(evidence.facts(rule.kind, rule.check))
    if not seen:
        return _absent(rule, evidence)
    by_verdict: dict[Verdict, list[Seen]] = {}
    for item in seen:
        by_verdict.setdefault(rule.judge(item[1].value), []).append(item)
    outcomes = [Outcome.passed(rule.id)]
    if denied := by_verdict.get(Verdict.FAILED):
        outcomes.append(_denied(rule, evidence, denied))
    if unclear := by_verdict.get(Verdict.UNKNOWN):
        outcomes.append(_unclear(rule, evidence, unclear))
    return Outcome.worst(rule.id, outcomes)


def _absent(rule: FactRule, evidence: Evidence) -> Outcome:
    if rule.absent is Verdict.FAILED:
        why = f"{rule.kind} was not found, and has to be there"
        found = finding(
            evidence.subject,
            rule=rule.id,
            severity=rule.severity,
            technique=rule.technique,
            check=rule.check or rule.kind,
            message=why,
            location=rule.kind,
        )
        return Outcome.failed(rule.id, why, rule.fix or f"see to it that {rule.kind} is stated", (found,))
    if rule.absent is Verdict.PASSED and rule.check is not None and _would_have_seen(rule.check, evidence):
        return Outcome.passed(rule.id)
    return _unseen(rule, evidence)


def _would_have_seen(check: str, evidence: Evidence) -> bool:
    """A check that was measured would have; one that speaks by itself would have spoken."""
    return evidence.measured(check) or (check in ARRIVING and not evidence.of_check(check))


def _unseen(rule: FactRule, evidence: Evidence) -> Outcome:
    command = audit_command(evidence.subject)
    return Outcome.unknown(rule.id, f"{rule.kind} was not observed", "run the check that states it", command)


def _denied(rule: FactRule, evidence: Evidence, denied: list[Seen]) -> Outcome:
    places: dict[tuple[str, str], list[Fact]] = {}
    for record, fact in denied:
        places.setdefault((record.check, _place(fact)), []).append(fact)
    findings = tuple(
        finding(
            evidence.subject,
            rule=rule.id,
            severity=rule.severity,
            technique=_technique(rule, check, facts),
            check=check,
            message=f"{rule.kind} is {_values(facts)}",
            location=place,
        )
        for (check, place), facts in sorted(places.items())
    )
    why = f"{rule.kind} is {_values([fact for _, fact in denied])}, which the policy denies"
    return Outcome.failed(rule.id, why, rule.fix or "remove the cause, then audit again", findings)


def _technique(rule: FactRule, check: str, facts: list[Fact]) -> str | None:
    """The rule's; a live campaign names its own, as the member of its fact. No file's members are believed so far."""
    return (facts[0].member or rule.technique) if check in ARRIVING else rule.technique


def _unclear(rule: FactRule, evidence: Evidence, unclear: list[Seen]) -> Outcome:
    why = f"{rule.kind} is {_values([fact for _, fact in unclear])}, which decides nothing"
    return Outcome.unknown(
        rule.id, why, rule.fix or "look at the facts and resolve them", audit_command(evidence.subject)
    )


def _place(fact: Fact) -> str:
    """Where a fact is, without its value and offset: those change while the weakness stays the same."""
    return fact.kind if fact.member is None else f"{fact.member}#{fact.kind}"


def _values(facts: list[Fact]) -> str:
    texts = sorted({str(fact.value)[:80] + (f" ({fact.detail[:120]})" if fact.detail else "") for fact in facts})
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
