"""What a policy demands beside its rules: required checks, fresh results and intelligence, enough isolation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from holdfast.core.domain import Status, to_iso
from holdfast.core.domain.addition import NameAddition
from holdfast.core.policy.duration import format_duration
from holdfast.core.policy.outcome import Outcome, audit_command
from holdfast.core.policy.snapshot import Snapshot
from holdfast.core.policy.subject import SKEW, Evidence

ISOLATION: Final = ("none", "reduced", "full")
ISOLATION_FACT: Final = "sandbox.isolation"
ADDITION_FACT: Final = "scan.addition"
NAMES_FACT: Final = "scan.names"


def judge_observed(evidence: Evidence) -> Iterator[Outcome]:
    """Nothing seen decides nothing; a failed attempt and an observation that could not see are unknown."""
    command = audit_command(evidence.subject)
    if not evidence.records and evidence.later:
        why = f"everything seen of this version was recorded after {to_iso(evidence.as_of)}"
        yield Outcome.unknown("observed", why, "judge it as of a later moment")
    elif not evidence.records:
        yield Outcome.unknown("observed", "no check has observed this version", "audit it first", command)
    for attempt in evidence.failures:
        why = f"{attempt.check} failed on attempt {attempt.number}: {attempt.reason}"
        yield Outcome.unknown("observed", why, "remove the cause, then audit again", command)
    for item in evidence.records:
        if item.observation.status is Status.UNKNOWN:
            why = f"{item.check} could not decide: {item.observation.reason or 'no reason given'}"
            yield Outcome.unknown("observed", why, "remove the cause, then audit again", command)


def judge_names(evidence: Evidence) -> Iterator[Outcome]:
    """What is clean by a site's additions alone is said, whatever the verdict."""
    for _, fact in evidence.facts(ADDITION_FACT):
        why = f"the artifact is judged with {fact.value} added by this policy ({fact.detail or 'nothing more is said'})"
        fix = "train the model with classes that the list has, or save it as numbers, before the addition ends"
        yield Outcome.note("names", why, fix)


def judge_required(check: str, evidence: Evidence) -> Outcome:
    """A required check has been taken and could see."""
    if evidence.measured(check):
        return Outcome.passed("required")
    fix = "declare what it needs in holdfast.yaml (data, contract, lock), then audit again"
    if evidence.of_check(check) or any(item.check == check for item in evidence.failures):
        why, fix = f"the required check {check} gave no result", "remove the cause, then audit again"
    elif any(item.check == check for item in evidence.later):
        why, fix = f"the required check {check} was taken later", "judge it as of a later moment"
    else:
        why = f"the required check {check} was not taken"
    return Outcome.unknown("required", why, fix, audit_command(evidence.subject))


def judge_results(age: timedelta, evidence: Evidence) -> Outcome:
    """No result is older than `age`."""
    stale = sorted({item.check for item in evidence.taken if evidence.as_of >= item.recorded_at + age})
    if not stale:
        return Outcome.passed("fresh-results")
    why = f"results older than {format_duration(age)}: {', '.join(stale)}"
    return Outcome.unknown("fresh-results", why, "take them again", audit_command(evidence.subject))


def judge_intel(age: timedelta, intel: Snapshot, as_of: datetime) -> Outcome:
    """The intelligence is not older than `age`, and not from the future either: such a date would never grow old."""
    if intel.dated > as_of + SKEW:
        why = f"the intelligence '{intel.id}' is dated {to_iso(intel.dated)}, after the moment of judgement"
        return Outcome.unknown("fresh-intel", why, "use the snapshot of that time: --intel FILE")
    if as_of < intel.dated + age:
        return Outcome.passed("fresh-intel")
    why = f"the intelligence '{intel.id}' is of {to_iso(intel.dated)}, older than {format_duration(age)}"
    return Outcome.unknown("fresh-intel", why, "give a newer snapshot: --intel FILE")


def judge_isolation(minimum: str, evidence: Evidence) -> Outcome:
    """Every model that ran, ran at this level of isolation or above."""
    weak = sorted(
        {
            f"{record.check} ({fact.value})"
            for record, fact in evidence.facts(ISOLATION_FACT)
            if fact.value not in ISOLATION[ISOLATION.index(minimum) :]
        }
    )
    if not weak:
        return Outcome.passed("isolation")
    why = f"the model ran below the isolation '{minimum}' that its tier needs: {', '.join(weak)}"
    fix = "`holdfast doctor` says what this machine lacks; audit again on one that has it"
    return Outcome.unknown("isolation", why, fix, "holdfast doctor")


def valid_until(
    evidence: Evidence,
    intel: Snapshot,
    results_age: timedelta | None,
    intel_age: timedelta | None,
    added: Iterable[NameAddition] = (),
) -> datetime | None:
    """The first moment at which something demanded fresh is not, or an addition that was used ends; None: never."""
    used = {fact.value for _, fact in evidence.facts(ADDITION_FACT)}
    ends = [one.ends_at for one in added if one.name in used]
    ends += [item.recorded_at + results_age for item in evidence.taken] if results_age is not None else []
    ends += [intel.dated + intel_age] if intel_age is not None else []
    return min(ends, default=None)
