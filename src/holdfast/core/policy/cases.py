"""A policy's own examples, run before it may judge: every rule is shown to fire, and shown not to.

For a rule on facts or matches the lists and the severity are its examples, so it is tried on those when no case is
written. A rule on measurements has to write both: only an example shows that min was meant and not max.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from holdfast.core.documents import Document, suggest
from holdfast.core.domain import (
    Advisory,
    Fact,
    Measurement,
    Model,
    ModelVersion,
    Observation,
    Recorded,
    Severity,
    Task,
    Tier,
    Verdict,
    VersionRange,
)
from holdfast.core.errors import PolicyError
from holdfast.core.policy.judge import apply
from holdfast.core.policy.outcome import Outcome
from holdfast.core.policy.policy import Policy
from holdfast.core.policy.ratchet import judge_ratchet
from holdfast.core.policy.schema import Case, FactRule, MatchRule, MeasureRule, Ratchet, Rule
from holdfast.core.policy.snapshot import Snapshot
from holdfast.core.policy.subject import Baseline, Evidence, Subject

Judged = Rule | Ratchet

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
_PACKAGE = Fact("package", "pkg:pypi/example@1.0")
_OTHER = "a value that is in no list"
MATCH = "match"
"""In a case on a match rule: the severity of the advisory that hits, or `none`."""


@dataclass(frozen=True, slots=True)
class _Fault:
    message: str
    cause: str
    fix: str
    code: str


def check_cases(policy: Policy, document: Document | None = None) -> None:
    """Raises PolicyError: a case that cannot be run or fails is HF-POL-005, a rule without a case HF-POL-006."""
    subjects: dict[str, Judged] = {rule.id: rule for rule in policy.rules} | {item.id: item for item in policy.ratchet}
    for number, case in enumerate(policy.cases):
        if (fault := _try(policy, subjects, case)) is not None:
            raise _error(fault, policy, document, ("cases", number))
    for number, rule in enumerate(policy.file.rules):
        if (fault := _uncovered(rule, policy)) is not None:
            raise _error(fault, policy, document, ("rules", number))


def _error(fault: _Fault, policy: Policy, document: Document | None, place: tuple[str, int]) -> PolicyError:
    where = policy.source if document is None else document.where(*place)
    return PolicyError(f"{fault.message} in {where}", cause=fault.cause, fix=fault.fix, code=fault.code)


def _try(policy: Policy, subjects: dict[str, Judged], case: Case) -> _Fault | None:
    rule = subjects.get(case.rule)
    if rule is None:
        return _Fault(
            f"a case names no rule: '{case.rule}'", "no rule has this id", suggest(case.rule, subjects), "HF-POL-005"
        )
    if (fault := _misfit(rule, case)) is not None:
        return fault
    outcome = _run(policy, rule, case)
    if outcome.verdict is case.expect:
        return None
    return _Fault(
        f"the case of rule '{case.rule}' expects {case.expect} and gives {outcome.verdict}",
        "; ".join(reason.why for reason in outcome.reasons) or "the rule passes what the case gives",
        "correct the rule or the case; one of them says what you did not mean",
        "HF-POL-005",
    )


def _misfit(rule: Judged, case: Case) -> _Fault | None:
    """A case may only give what its rule reads."""
    reads = _reads(rule)
    wrong = next((name for name in (*case.given, *case.baseline) if name != reads), None)
    if wrong is not None:
        return _Fault(
            f"the case gives '{wrong}'", f"rule '{case.rule}' reads '{reads}'", suggest(wrong, [reads]), "HF-POL-005"
        )
    numeric = isinstance(rule, MeasureRule | Ratchet)
    for value in case.given.values():
        if numeric and (isinstance(value, bool) or not isinstance(value, int | float)):
            return _Fault(f"the case gives {value!r}", "the rule needs a number", "write a number", "HF-POL-005")
        if isinstance(rule, MatchRule) and value not in (*Severity, "none"):
            words = f"one of {', '.join(Severity)} or none"
            return _Fault(
                f"the case gives {value!r}", f"the rule needs a severity: {words}", f"write {words}", "HF-POL-005"
            )
    if isinstance(rule, Ratchet) != bool(case.baseline):
        fix = f"add `baseline: {{{reads}: …}}`" if isinstance(rule, Ratchet) else "remove `baseline:`"
        return _Fault("the case has the wrong parts", "only a ratchet is compared with a baseline", fix, "HF-POL-005")
    return None


def _reads(rule: Judged) -> str:
    if isinstance(rule, FactRule):
        return rule.kind
    return MATCH if isinstance(rule, MatchRule) else rule.name


def _uncovered(rule: Rule, policy: Policy) -> _Fault | None:
    verdicts = {case.expect for case in policy.cases if case.rule == rule.id}
    if not isinstance(rule, MeasureRule):
        verdicts |= {_run(policy, rule, case).verdict for case in _derived(rule)}
    if Verdict.PASSED not in verdicts:
        return _lacking(rule, "does not fire", "passed")
    return _lacking(rule, "fires", "failed") if len(verdicts) == 1 else None


def _lacking(rule: Rule, what: str, expect: str) -> _Fault:
    example = f"{{rule: {rule.id}, given: {{{_reads(rule)}: …}}, expect: {expect}}}"
    return _Fault(
        f"rule '{rule.id}' has no case in which it {what}",
        "a rule is only trusted when it is shown to fire and shown not to",
        f"add to cases: {example}" if isinstance(rule, MeasureRule) else "correct the rule: it always says the same",
        "HF-POL-006",
    )


def _derived(rule: FactRule | MatchRule) -> Iterator[Case]:
    """The examples that a rule's own lists are."""
    if isinstance(rule, FactRule):
        values: tuple[object, ...] = (*rule.deny, *rule.unknown, *rule.allow, _OTHER)
        if rule.absent is not Verdict.UNKNOWN:
            yield Case(rule=rule.id, given={}, expect=Verdict.PASSED)
    else:
        values = (*(word.value for word in Severity), "none")
    for value in values:
        yield Case(rule=rule.id, given={_reads(rule): value}, expect=Verdict.PASSED)


def _run(policy: Policy, rule: Judged, case: Case) -> Outcome:
    tier = case.tier or _tier(rule)
    if isinstance(rule, Ratchet):
        worse = policy.worse(rule)
        assert worse is not None, "refused before the cases are run"
        old = tuple(Measurement(rule.name, float(value), "", rule.at) for value in case.baseline.values())
        seen = Observation.of(Measurement(rule.name, float(value), "", rule.at) for value in case.given.values())
        return judge_ratchet(rule, worse, _evidence(seen, tier, frozenset(), "case"), Baseline("the case", "", old))
    if not rule.binds(tier, rule.models or ()):
        return Outcome.passed(rule.id)
    check = getattr(rule, "check", None) or "case"
    return apply(rule, _evidence(_seen(rule, case), tier, rule.models or frozenset(), check), _intel(rule, case))


def _tier(rule: Judged) -> Tier:
    """The highest tier a rule speaks about."""
    return Tier.CRITICAL if isinstance(rule, Ratchet) or rule.tiers is None else max(rule.tiers)


def _seen(rule: Rule, case: Case) -> Observation:
    if isinstance(rule, MeasureRule):
        return Observation.of(
            Measurement(rule.name, float(value), rule.unit or "", rule.at) for value in case.given.values()
        )
    if isinstance(rule, MatchRule):
        return Observation.of(_PACKAGE for _ in case.given)
    return Observation.of(Fact(rule.kind, value) for value in case.given.values())


def _evidence(seen: Observation, tier: Tier, kinds: frozenset[str], check: str) -> Evidence:
    model = Model("case", "none", "none", "none", tier, "a policy's own example", Task("binary"))
    record = Recorded("case", check, 1, model.name, "case", seen, _MOMENT, 0.0)
    return Evidence(Subject(model, ModelVersion(model.name, "case", "case"), kinds, (record,)), _MOMENT)


def _intel(rule: Rule, case: Case) -> Snapshot:
    """Holds one advisory, on the example package, of the severity the case gives and of the kind the rule reads."""
    empty = Snapshot("case", _MOMENT, (), {}, "case")
    word = case.given.get(MATCH, "none")
    if word == "none":
        return empty
    name = "MAL-CASE-1" if isinstance(rule, MatchRule) and rule.about == "malware" else "CASE-1"
    return replace(empty, advisories=(Advisory(name, "example", "an example", Severity(word), (VersionRange(),)),))
