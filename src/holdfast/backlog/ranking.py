"""How urgent a finding is: four inputs, one row of the table, and the reasons in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.backlog.table import DAYS, OTHER_POINTS, POINTS, TABLE, Exploitation, Exposure, Utility
from holdfast.core.domain.backlog import BacklogItem, Rank, Urgency
from holdfast.core.domain.severity import Severity, Tier

SEVERITY_WEIGHT = 10.0
SUCCESS_WEIGHT = 9.0
"""The tie-break: severity first; measured success never outweighs one step of it."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the table asks, each with the words that say why; `success` is a measured share of attacks, 0 to 1."""

    exploitation: Exploitation
    exploitation_why: str
    exposure: Exposure
    exposure_why: str
    utility: Utility
    utility_why: str
    tier: Tier
    severity: Severity
    success: float = 0.0


def rank(inputs: Inputs) -> Rank:
    """The urgency that the table gives, and why."""
    urgency = TABLE[inputs.exploitation, inputs.exposure, inputs.utility, inputs.tier]
    score = round(SEVERITY_WEIGHT * inputs.severity.rank + SUCCESS_WEIGHT * inputs.success, 2)
    return Rank(urgency, _reasons(inputs, urgency, score), score)


def _reasons(inputs: Inputs, urgency: Urgency, score: float) -> tuple[str, ...]:
    weight = f"severity {inputs.severity} {SEVERITY_WEIGHT * inputs.severity.rank:g}"
    return (
        f"exploitation: {inputs.exploitation} ({inputs.exploitation_why})",
        f"exposure: {inputs.exposure} ({inputs.exposure_why})",
        f"utility: {inputs.utility} ({inputs.utility_why})",
        f"impact: tier {inputs.tier}",
        f"so: {urgency}",
        f"tie-break: {score:g} = {weight} + success {inputs.success:.3g} x {SUCCESS_WEIGHT:g}",
    )


def due(urgency: Urgency, tier: Tier, since: datetime) -> datetime:
    """When work of this urgency must be proven done, by a clock that runs since `since`."""
    return since + timedelta(days=DAYS[urgency][tier])


def points(check: str) -> int:
    """The usual size of a finding of this check."""
    return POINTS.get(check.partition(".")[0], OTHER_POINTS)


def rank_key(item: BacklogItem) -> tuple[bool, int, float, datetime, str]:
    """The order of the backlog: what is work first, then urgency, tie-break, due date, id."""
    return (not item.undone, -item.rank.urgency.rank, -item.rank.score, item.due_at, item.id)
