"""The playbook file as typed values. What is written here is what a playbook may say."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator

from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.directive import Action
from holdfast.core.domain.intelligence import Tlp
from holdfast.core.policy.schema import Above, RuleId, SeverityWord, Span, Strict, TechniqueId, TierWord, word_of

MAX_STEPS = 50
MAX_CASES = 200
LONGEST = timedelta(days=90)
"""No automatic effect is for ever."""


class Mode(StrEnum):
    """OBSERVE: directives are noted, and capture counts what it would have done. ENFORCE: capture does it."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


NEEDED = {
    Action.WATCH: Ceiling.OBSERVE,
    Action.THROTTLE: Ceiling.WARN,
    Action.COARSEN: Ceiling.WARN,
    Action.STEP_UP: Ceiling.WARN,
    Action.SHADOW: Ceiling.WARN,
    Action.FREEZE: Ceiling.BLOCK_NEW,
    Action.BLOCK: Ceiling.BLOCK_NEW,
    Action.QUARANTINE: Ceiling.QUARANTINE,
}
"""The lowest ceiling under which an action may be enforced."""

GRAVE = frozenset({Action.FREEZE, Action.BLOCK, Action.QUARANTINE})
"""Actions that people feel: never enforced before people approve."""

BODIES: dict[Action, dict[str, tuple[float, float]]] = {
    Action.THROTTLE: {"per_minute": (0, 1_000_000)},
    Action.COARSEN: {"digits": (0, 6)},
}
"""The numbers an action needs, and their bounds; the others need none."""

ModeWord = Annotated[Mode, word_of(Mode)]
ActionWord = Annotated[Action, word_of(Action)]
CeilingWord = Annotated[Ceiling, word_of(Ceiling)]
TlpWord = Annotated[Tlp, word_of(Tlp)]
Pattern = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._*?-]+$")]
SinkName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Foreseen = Annotated[Literal["predicted", "unpredicted"], word_of(["predicted", "unpredicted"])]


def _bounded(span: timedelta) -> timedelta:
    if span > LONGEST:
        raise ValueError(f"at most {LONGEST.days}d: what an alert causes comes to an end by itself")
    return span


Lasting = Annotated[Span, AfterValidator(_bounded)]


class Trigger(Strict):
    """What an alert must be like. Every key that is given must hold; a technique covers its sub-techniques."""

    technique: Annotated[tuple[TechniqueId, ...], Field(max_length=100)] = ()
    severity: Above | None = None
    tiers: Annotated[frozenset[TierWord], Field(min_length=1)] | None = None
    models: Annotated[tuple[Pattern, ...], Field(max_length=100)] = ()
    detectors: Annotated[tuple[Pattern, ...], Field(max_length=100)] = ()
    finding: Foreseen | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Trigger:
        if not (self.technique or self.severity or self.tiers or self.models or self.detectors or self.finding):
            raise ValueError("a trigger without a condition would answer every alert; name at least one")
        return self


class _Step(Strict):
    """`tiers` limits a step to models of these tiers."""

    tiers: Annotated[frozenset[TierWord], Field(min_length=1)] | None = None


class DirectiveStep(_Step):
    """An order to whatever stands in front of the model."""

    do: ActionWord
    on: Annotated[Literal["client", "model", "version"], word_of(["client", "model", "version"])]
    span: Lasting = Field(alias="for")
    ceiling: CeilingWord
    mode: ModeWord | None = None
    body: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _possible(self) -> DirectiveStep:
        check_body(self.do, self.body)
        if self.mode is Mode.ENFORCE and self.ceiling < NEEDED[self.do]:
            raise ValueError(f"enforcing {self.do} needs the ceiling {NEEDED[self.do]} or above")
        return self

    @property
    def word(self) -> str:
        """How cases name it."""
        return self.do.value


class NotifyStep(_Step):
    """A message to sinks: `all`, or by name. Those that hear every alert anyway are told once."""

    notify: Literal["all"] | Annotated[tuple[SinkName, ...], Field(min_length=1, max_length=50)]
    tlp: TlpWord = Tlp.AMBER

    @property
    def word(self) -> str:
        """How cases name it."""
        return "notify"


class IncidentStep(_Step):
    """The alert becomes part of an incident, whatever its severity."""

    incident: Literal["open"]

    @property
    def word(self) -> str:
        """How cases name it."""
        return "incident"


def check_body(action: Action, body: dict[str, float]) -> None:
    """Raises ValueError where an action's numbers are missing, unknown or out of bounds."""
    wanted = BODIES.get(action, {})
    if set(body) != set(wanted):
        raise ValueError(f"the body of {action} is {{{', '.join(wanted)}}}" if wanted else f"{action} needs no body")
    for name, (low, high) in wanted.items():
        if not low <= body[name] <= high or body[name] != int(body[name]):
            raise ValueError(f"{name} is a whole number from {low:,} to {high:,}")


def _step_class(value: Any) -> str | None:
    keys = set(value) if isinstance(value, dict) else {"do", "notify", "incident"} & set(dir(value))
    return next((name for key, name in _STEPS.items() if key in keys), None)


_STEPS = {"do": "DirectiveStep", "notify": "NotifyStep", "incident": "IncidentStep"}

Step = Annotated[
    Annotated[DirectiveStep, Tag("DirectiveStep")]
    | Annotated[NotifyStep, Tag("NotifyStep")]
    | Annotated[IncidentStep, Tag("IncidentStep")],
    Discriminator(
        _step_class, custom_error_type="step", custom_error_message="a step needs `do:`, `notify:` or `incident:`"
    ),
]


class Caps(Strict):
    """How far a playbook may go without a person: orders enforced at once, shares of a model's clients, of models."""

    enforced: Annotated[int, Field(ge=0, le=10_000)] = 20
    clients_share: Share = 0.10
    models_share: Share = 0.25


class Given(Strict):
    """An alert in a case."""

    technique: TechniqueId
    severity: SeverityWord
    tier: TierWord
    model: Annotated[str, Field(min_length=1, max_length=200)] = "case"
    detector: Annotated[str, Field(min_length=1, max_length=200)] = "case"
    finding: Foreseen = "unpredicted"


class PlaybookCase(Strict):
    """An alert, and the steps it must set off, in order; none: the playbook must stay quiet."""

    given: Given
    expect: Annotated[tuple[str, ...], Field(max_length=MAX_STEPS)]


class PlaybookFile(Strict):
    """One playbook."""

    version: Literal[1]
    id: RuleId
    description: Annotated[str, Field(max_length=2000)] = ""
    mode: ModeWord = Mode.OBSERVE
    on: Trigger
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=MAX_STEPS)]
    caps: Caps = Caps()
    cases: Annotated[tuple[PlaybookCase, ...], Field(max_length=MAX_CASES)] = ()

    @field_validator("id")
    @classmethod
    def _free(cls, value: str) -> str:
        if value == "by-hand":
            raise ValueError("the name by-hand is for what people order themselves")
        return value
