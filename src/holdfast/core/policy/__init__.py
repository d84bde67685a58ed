"""Policies and the one judge: what was observed becomes a three-valued verdict with reasons and findings."""

from holdfast.core.policy.judge import judge, rule_names
from holdfast.core.policy.policy import Policy
from holdfast.core.policy.snapshot import Snapshot
from holdfast.core.policy.subject import Baseline, Subject, newest

__all__ = ["Baseline", "Policy", "Snapshot", "Subject", "judge", "newest", "rule_names"]
