"""The ratchet: a new version may not be worse than the deployed one, beyond a declared tolerance."""

from __future__ import annotations

import math

from holdfast.core.domain import Measurement, Recorded
from holdfast.core.policy.measures import label, missing
from holdfast.core.policy.outcome import Outcome, finding
from holdfast.core.policy.schema import Ratchet, Worse
from holdfast.core.policy.subject import Baseline, Evidence, lies

NO_BASELINE = "ratchet"
"""The reason that there was nothing to compare with."""

_ROUNDING = 1e-9
"""Slack for decimal tolerances in binary: 0.25 - 0.23 is a little more than 0.02."""


def no_baseline(evidence: Evidence) -> Outcome:
    """Nothing to compare with is worth a word and no more: the first version of a model has to pass somehow."""
    return Outcome.note(
        NO_BASELINE,
        "no baseline: no version is deployed and no baseline file was given, so nothing was compared",
        "save one when this version is accepted",
        f"holdfast gate {evidence.subject.model.name} --save-baseline baseline.json",
    )


def judge_ratchet(item: Ratchet, worse: Worse, evidence: Evidence, baseline: Baseline) -> Outcome:
    """Each measured point against the same point of the baseline: same name, coordinates and unit."""
    before = [one for one in baseline.measurements if one.name == item.name and lies(one.at, item.at)]
    if not before:
        return Outcome.note(
            item.id,
            f"no baseline for {label(item.name, item.at)} in {baseline.source}",
            "save a baseline that has it when this version is accepted",
        )
    return Outcome.worst(item.id, [_compare(item, worse, evidence, old, baseline.source) for old in before])


def _compare(item: Ratchet, worse: Worse, evidence: Evidence, old: Measurement, source: str) -> Outcome:
    now = [pair for pair in evidence.measurements(item.name, old.at) if len(pair[1].at) == len(old.at)]
    if not now:
        return missing(item.id, item.name, old.at, evidence)
    return Outcome.worst(item.id, [_compare_one(item, worse, evidence, old, pair, source) for pair in now])


def _compare_one(
    item: Ratchet, worse: Worse, evidence: Evidence, old: Measurement, now: tuple[Recorded, Measurement], source: str
) -> Outcome:
    record, new = now
    what = label(new.name, new.at)
    if new.unit != old.unit or not (math.isfinite(new.value) and math.isfinite(old.value)):
        why = f"{what} is {new.value:g} {new.unit} and was {old.value:g} {old.unit}, which cannot be compared"
        return Outcome.unknown(item.id, why, "save a new baseline")
    loss = old.value - new.value if worse == "lower" else new.value - old.value
    if loss <= item.worse_by + _ROUNDING * max(1.0, abs(old.value)):
        return Outcome.passed(item.id)
    why = (
        f"{what} went from {old.value:.4g} to {new.value:.4g} {new.unit}; {item.worse_by:g} worse is allowed ({source})"
    )
    found = finding(
        evidence.subject,
        rule=item.id,
        severity=item.severity,
        technique=None,
        check=record.check,
        message=why,
        location=f"ratchet {what}",
    )
    return Outcome.failed(
        item.id, why, f"bring {item.name} back, or accept the loss by saving a new baseline", (found,)
    )
