"""Which way is worse, for the measurements our own checks take. Others say it in the policy: `worse: lower`."""

from __future__ import annotations

from typing import Final

from holdfast.core.policy.schema import MeasureRule, Ratchet, Rule, Worse

KNOWN: Final[dict[str, Worse]] = {
    "evasion.robust_recall": "lower",
    "evasion.robust_share": "lower",
    "evasion.recall": "lower",
    "evasion.median_linf": "lower",
    "evasion.success_share": "higher",
    "evasion.proven_share": "lower",
    "evasion.robust_recall_low": "lower",
    "evasion.robust_recall_high": "lower",
    "blackbox.robust_recall": "lower",
    "blackbox.success_share": "higher",
    "blackbox.queries_per_success": "lower",
    "blackbox.median_linf": "lower",
    "extraction.scores.fidelity": "higher",
    "extraction.decisions.fidelity": "higher",
    "privacy.membership.auc": "higher",
    "privacy.membership.tpr": "higher",
    "privacy.lira.tpr": "higher",
    "privacy.rmia.tpr": "higher",
    "privacy.attribute.gain": "higher",
    "poison.pattern.accused": "higher",
    "poison.label.suspect_share": "higher",
    "poison.copies.rows_share": "higher",
    "quality.auc": "lower",
    "quality.accuracy": "lower",
    "quality.recall": "lower",
    "quality.precision": "lower",
    "data.contract.broken_share": "higher",
    "data.missing_share": "higher",
    "data.drift.max_psi": "higher",
    "scan.additions": "higher",
    "deps.lookalikes": "higher",
    "licences.unknown": "higher",
    "reports.critical": "higher",
    "reports.high": "higher",
    "reports.medium": "higher",
}


def worse_side(item: Ratchet, rules: tuple[Rule, ...]) -> Worse | None:
    """What the entry says; else what a rule's bounds on the same measurement imply; else what is known of it."""
    if item.worse is not None:
        return item.worse
    bounded = [rule for rule in rules if isinstance(rule, MeasureRule) and rule.name == item.name]
    floor, ceiling = any(rule.min for rule in bounded), any(rule.max for rule in bounded)
    if floor != ceiling:
        return "lower" if floor else "higher"
    return KNOWN.get(item.name)
