"""Rules on measurements: bounds per tier, at a point, in a unit."""

from __future__ import annotations

import math
from collections.abc import Mapping

from holdfast.core.domain import Measurement, Recorded
from holdfast.core.policy.outcome import Outcome, audit_command, finding
from holdfast.core.policy.schema import MeasureRule
from holdfast.core.policy.subject import Evidence


def judge_measures(rule: MeasureRule, evidence: Evidence) -> Outcome:
    """Worst over the measurements at the rule's point; none at all is unknown."""
    seen = list(evidence.measurements(rule.name, rule.at))
    if not seen:
        return missing(rule.id, rule.name, rule.at, evidence)
    return Outcome.worst(rule.id, [_judge_one(rule, evidence, record, one) for record, one in seen])


def missing(rule: str, name: str, at: Mapping[str, float], evidence: Evidence) -> Outcome:
    """Nothing was measured at that point."""
    return Outcome.unknown(
        rule,
        f"{label(name, at)} was not measured",
        "see why the check that measures it gave no result",
        audit_command(evidence.subject),
    )


def _judge_one(rule: MeasureRule, evidence: Evidence, record: Recorded, one: Measurement) -> Outcome:
    what = label(one.name, one.at)
    if rule.unit is not None and one.unit != rule.unit:
        why = f"{what} is in {one.unit}, the rule speaks of {rule.unit}"
        return Outcome.unknown(rule.id, why, "give the rule the unit of the measurement, and its bounds with it")
    if not math.isfinite(one.value):
        why = f"{what} is {one.value}, which is no number to compare"
        return Outcome.unknown(rule.id, why, "see why the check measured nothing", audit_command(evidence.subject))
    low, high = rule.bounds(evidence.subject.model.tier)
    broken = _broken(one.value, low, high)
    if broken is None:
        return Outcome.passed(rule.id)
    why = f"{what} is {one.value:.4g} {one.unit}, {broken} for tier {evidence.subject.model.tier}"
    found = finding(
        evidence.subject,
        rule=rule.id,
        severity=rule.severity,
        technique=rule.technique,
        check=record.check,
        message=why,
        location=what,
    )
    return Outcome.failed(rule.id, why, rule.fix or f"improve {one.name}, then audit again", (found,))


def _broken(value: float, low: float | None, high: float | None) -> str | None:
    if low is not None and value < low:
        return f"the least allowed is {low:g}"
    if high is not None and value > high:
        return f"the most allowed is {high:g}"
    return None


def label(name: str, at: Mapping[str, float]) -> str:
    """`evasion.robust_recall at linf=0.005`."""
    point = ", ".join(f"{key}={value:g}" for key, value in sorted(at.items()))
    return f"{name} at {point}" if point else name
