"""The policy file as typed values. What is written here is what `policy.yaml` may say."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from holdfast.core.domain.severity import Severity, Tier
from holdfast.core.domain.verdict import Verdict
from holdfast.core.policy.additions import MAX_ADDITIONS, NameEntry
from holdfast.core.policy.duration import format_duration, parse_duration

_TIERS = tuple(Tier)
MAX_RULES = 500
MAX_CASES = 5_000
MAX_VALUES = 1_000

STORED: Final = object()
"""The context of reading what was written from checked values: shorthands that people write are spelled out there."""

Value = TypeVar("Value")
Scalar = str | int | float | bool


class Strict(BaseModel):
    """Unknown keys are faults; values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


def word_of(scale: Iterable[str]) -> BeforeValidator:
    """A word out of a scale, with the scale in the message when it is not."""
    words = list(scale)

    def check(value: object) -> object:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return value

    return BeforeValidator(check)


def _finite(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number is needed")
    if not math.isfinite(value) or abs(value) > 1e300:
        raise ValueError("a finite number is needed")
    return float(value)


def _scalar(value: object) -> object:
    if not isinstance(value, str | int | float | bool):
        raise ValueError("text, a number, true or false is needed; put quotes around dates")
    return value


Number = Annotated[float, BeforeValidator(_finite)]
Plain = Annotated[Any, AfterValidator(_scalar)]
TierWord = Annotated[Tier, word_of(Tier)]
SeverityWord = Annotated[Severity, word_of(Severity)]
VerdictWord = Annotated[Verdict, word_of(Verdict)]
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*([.-][a-z0-9_]+)*$", max_length=120)]
TechniqueId = Annotated[str, Field(pattern=r"^AML\.T[0-9]{4}(\.[0-9]{3})?$")]
Span = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration)]


def from_tier(table: Mapping[Tier, Value], tier: Tier) -> Value | None:
    """What holds at `tier`: the entry of the nearest tier at or below it, so that higher tiers are never laxer."""
    return next((table[step] for step in reversed(_TIERS[: _TIERS.index(tier) + 1]) if step in table), None)


class Bound(Strict):
    """A number that holds at every tier, or from each named tier upward."""

    by_tier: dict[TierWord, Number]

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, value: object, info: ValidationInfo) -> object:
        if info.context is STORED:
            return value
        return {"by_tier": value if isinstance(value, dict) else {Tier.LOW.value: value}}

    @field_validator("by_tier")
    @classmethod
    def _some(cls, value: dict[Tier, float]) -> dict[Tier, float]:
        if not value:
            raise ValueError("name at least one tier")
        return value

    def at(self, tier: Tier) -> float | None:
        """The bound for a tier; None below the lowest one named."""
        return from_tier(self.by_tier, tier)


class _Rule(Strict):
    """What every rule has. `models` limits it to models of a kind, `tiers` to the tiers named."""

    id: RuleId
    tiers: Annotated[frozenset[TierWord], Field(min_length=1)] | None = None
    models: Annotated[frozenset[Name], Field(min_length=1)] | None = None
    technique: TechniqueId | None = None
    fix: Annotated[str, Field(min_length=1, max_length=500)] | None = None

    def binds(self, tier: Tier, kinds: Iterable[str]) -> bool:
        """Whether the rule speaks about a model of this tier and these kinds."""
        return (self.tiers is None or tier in self.tiers) and (self.models is None or bool(self.models & set(kinds)))


class FactRule(_Rule):
    """A rule over the values of one kind of fact.

    `absent` says what no such fact means; `passed` is only believed when `check` was measured.
    """

    on: Literal["fact"]
    kind: Name
    deny: Annotated[tuple[Plain, ...], Field(max_length=MAX_VALUES)] = ()
    unknown: Annotated[tuple[Plain, ...], Field(max_length=MAX_VALUES)] = ()
    allow: Annotated[tuple[Plain, ...], Field(max_length=MAX_VALUES)] = ()
    absent: VerdictWord = Verdict.UNKNOWN
    check: Name | None = None
    severity: SeverityWord = Severity.HIGH

    @model_validator(mode="after")
    def _says_something(self) -> FactRule:
        listed = [*self.deny, *self.unknown, *self.allow]
        if not listed and self.absent is not Verdict.FAILED:
            raise ValueError("list values under deny, unknown or allow")
        twice = next((item for at, item in enumerate(listed) if any(same(item, other) for other in listed[:at])), None)
        if twice is not None:
            raise ValueError(f"the value {twice!r} is listed twice")
        if self.absent is Verdict.PASSED and self.check is None:
            raise ValueError("`absent: passed` needs `check:`, the check that would have seen it")
        return self

    def judge(self, value: Scalar) -> Verdict:
        """The verdict on one value. Unlisted values: see `_unlisted`."""
        for verdict, listed in (
            (Verdict.FAILED, self.deny),
            (Verdict.UNKNOWN, self.unknown),
            (Verdict.PASSED, self.allow),
        ):
            if any(same(value, item) for item in listed):
                return verdict
        return self._unlisted(value)

    def _unlisted(self, value: Scalar) -> Verdict:
        """`unknown` and `review` never pass by themselves; `allow` alone denies the rest, with `deny` it is open."""
        if value in ("unknown", "review"):
            return Verdict.UNKNOWN
        if self.allow:
            return Verdict.UNKNOWN if self.deny else Verdict.FAILED
        return Verdict.PASSED


_EXPRESSION = re.compile(r"(>=|>|==)?\s*([a-z]+)")


class Above(Strict):
    """A test on severities, written `>= high`, `> medium`, `== low` or `high`."""

    operator: Literal[">=", ">", "=="]
    severity: Severity

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: object, info: ValidationInfo) -> object:
        if info.context is STORED:
            return value
        form = _EXPRESSION.fullmatch(value.strip()) if isinstance(value, str) else None
        if form is None or form[2] not in list(Severity):
            raise ValueError(f"write an operator and a severity, such as '>= high' ({', '.join(Severity)})")
        return {"operator": form[1] or "==", "severity": form[2]}

    def holds(self, severity: Severity) -> bool:
        """Whether `severity` passes the test."""
        if self.operator == "==":
            return severity == self.severity
        return severity > self.severity or (self.operator == ">=" and severity == self.severity)

    def __str__(self) -> str:
        return f"{self.operator} {self.severity}"


class MatchRule(_Rule):
    """No pinned package may be hit by a known advisory of this severity.

    `about` narrows it to packages that are malware, or to weaknesses of packages that are none.
    `absent: passed` is for models without a lock file; a lock file that was not read is still unknown.
    """

    on: Literal["match"]
    severity: Above
    about: Annotated[Literal["any", "malware", "weakness"], word_of(["any", "malware", "weakness"])] = "any"
    absent: Annotated[Literal["passed", "unknown"], word_of(["passed", "unknown"])] = "unknown"
    check: Name = "deps.advisories"

    def concerns(self, severity: Severity, *, malicious: bool) -> bool:
        """Whether an advisory of this kind and severity is one the rule speaks about."""
        return self.about in ("any", "malware" if malicious else "weakness") and self.severity.holds(severity)


class MeasureRule(_Rule):
    """Bounds on a measurement, at a point if `at` is given, in `unit` if that is given."""

    on: Literal["measure"]
    name: Name
    at: dict[str, Number] = Field(default_factory=dict)
    unit: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    min: Bound | None = None
    max: Bound | None = None
    severity: SeverityWord = Severity.HIGH

    @model_validator(mode="after")
    def _says_something(self) -> MeasureRule:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        for tier in Tier:
            low, high = self.bounds(tier)
            if low is not None and high is not None and low > high:
                raise ValueError(f"min is above max at tier {tier}")
        return self

    def bounds(self, tier: Tier) -> tuple[float | None, float | None]:
        """The least and the greatest value allowed at a tier."""
        return (None if self.min is None else self.min.at(tier), None if self.max is None else self.max.at(tier))

    def binds(self, tier: Tier, kinds: Iterable[str]) -> bool:
        """Not below the lowest tier that has a bound."""
        return _Rule.binds(self, tier, kinds) and self.bounds(tier) != (None, None)


def _rule_class(value: Any) -> str | None:
    """The union's tag is the class name, which is what `Document` follows to name the keys a rule allows."""
    on = value.get("on") if isinstance(value, dict) else getattr(value, "on", None)
    return {"fact": "FactRule", "match": "MatchRule", "measure": "MeasureRule"}.get(on) if isinstance(on, str) else None


Rule = Annotated[
    Annotated[FactRule, Tag("FactRule")]
    | Annotated[MatchRule, Tag("MatchRule")]
    | Annotated[MeasureRule, Tag("MeasureRule")],
    Discriminator(
        _rule_class, custom_error_type="rule", custom_error_message="a rule needs `on: fact`, `match` or `measure`"
    ),
]

Worse = Literal["lower", "higher"]


class Ratchet(Strict):
    """A measurement that may not become worse than the deployed version's by more than `worse_by`.

    `worse` says which way is bad; it may be left out for measurements whose direction is known (`directions.py`).
    """

    name: Name
    at: dict[str, Number] = Field(default_factory=dict)
    worse_by: Annotated[Number, Field(ge=0)]
    worse: Annotated[Worse, word_of(["lower", "higher"])] | None = None
    severity: SeverityWord = Severity.HIGH

    @property
    def id(self) -> str:
        """How reasons and findings name it."""
        return f"ratchet:{self.name}"


class Freshness(Strict):
    """How old intelligence and results may be."""

    intel: Span | None = None
    results: Span | None = None


class Case(Strict):
    """An example a rule must answer as expected: `given` values, for a ratchet also the `baseline` ones."""

    rule: Annotated[str, Field(min_length=1, max_length=200)]
    tier: TierWord | None = None
    given: Annotated[dict[str, Plain], Field(max_length=50)]
    baseline: Annotated[dict[str, Number], Field(max_length=50)] = Field(default_factory=dict)
    expect: VerdictWord


IsolationWord = Annotated[str, word_of(["none", "reduced", "full"])]


class PolicyFile(Strict):
    """policy.yaml."""

    version: Literal[1]
    id: RuleId
    description: Annotated[str, Field(max_length=2000)] = ""
    unknown_blocks: frozenset[TierWord] = frozenset()
    isolation: dict[TierWord, IsolationWord] = Field(default_factory=dict)
    freshness: dict[TierWord, Freshness] = Field(default_factory=dict)
    required: dict[Name, tuple[Name, ...]] = Field(default_factory=dict)
    rules: Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES)] = ()
    ratchet: Annotated[tuple[Ratchet, ...], Field(max_length=MAX_RULES)] = ()
    names: Annotated[tuple[NameEntry, ...], Field(max_length=MAX_ADDITIONS)] = ()
    cases: Annotated[tuple[Case, ...], Field(max_length=MAX_CASES)] = ()

    @model_validator(mode="after")
    def _names_are_single(self) -> PolicyFile:
        seen: set[str] = set()
        for rule in self.rules:
            if rule.id in seen or rule.id in RESERVED:
                raise ValueError(f"two rules are named '{rule.id}'" if rule.id in seen else f"'{rule.id}' is reserved")
            seen.add(rule.id)
        added = [entry.name for entry in self.names]
        again = next((name for name in added if added.count(name) > 1), None)
        if again is not None:
            raise ValueError(f"the name '{again}' is added twice")
        if not (self.rules or self.required):
            raise ValueError("a policy without rules and required checks would decide nothing")
        return self


RESERVED = frozenset({"required", "fresh-results", "fresh-intel", "isolation", "ratchet", "observed", "names"})
"""Names of the reasons that no rule gives."""


def same(one: Scalar, other: Scalar) -> bool:
    """Equal, and true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other
