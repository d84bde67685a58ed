"""The shapes in which compliance is shown: frozen, plain, the same for command line, API, console and packs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from holdfast.core.domain.control import Evidence, Level, State
from holdfast.core.domain.ids import digest
from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED, EXIT_UNKNOWN


class _View:
    """What every view can do."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values: moments as RFC 3339."""
        said: dict[str, Any] = msgspec.to_builtins(self)
        return said


@dataclass(frozen=True, slots=True)
class AnswerView(_View):
    """What one evidence query gave: the state, why, since when, and every piece with its source and leaf."""

    query: str
    state: State
    reason: str
    dated: datetime | None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Exempt(_View):
    """An accepted risk behind a failing clause: who owns and who approved it, and when it ends."""

    id: str
    owner: str
    approver: str
    reason: str
    expires_at: datetime
    leaf: int | None


@dataclass(frozen=True, slots=True)
class ModelState(_View):
    """One clause on one model. `dated` is the effective moment of the oldest evidence that counts."""

    model: str
    state: State
    applies: str
    reasons: tuple[str, ...]
    dated: datetime | None = None
    age_s: float | None = None
    answers: tuple[AnswerView, ...] = ()
    exempt: tuple[Exempt, ...] = ()


@dataclass(frozen=True, slots=True)
class ClauseView(_View):
    """One clause: what it asks, to whom it applies, and where it stands on each model. `fresh_s` None: per event.

    `under`: the name under which it binds, of the framework or of what that replaced; None: its date has not come. Such
    a clause is shown, and counts in no sum.
    """

    framework: str
    ref: str
    title: str
    text: str
    level: Level
    fresh_s: float | None
    applies: str
    evidence: tuple[str, ...]
    since: date | None
    since_status: str
    since_verified: str
    under: str | None
    state: State
    reasons: tuple[str, ...]
    models: tuple[ModelState, ...]

    @property
    def binding(self) -> bool:
        """Whether its date has come."""
        return self.under is not None

    @property
    def age_s(self) -> float | None:
        """The age of the oldest evidence among the models it applies to."""
        return max((one.age_s for one in self.models if one.age_s is not None), default=None)


@dataclass(frozen=True, slots=True)
class FrameworkView(_View):
    """One framework; `state` is the worst of its binding clauses."""

    id: str
    title: str
    source: str
    status: str
    verified: str
    note: str
    replaces: str | None
    state: State
    clauses: tuple[ClauseView, ...]

    @property
    def counts(self) -> dict[State, int]:
        """How many binding clauses are in each state."""
        found = Counter(clause.state for clause in self.clauses if clause.binding)
        return {state: found[state] for state in State}


@dataclass(frozen=True, slots=True)
class Posture(_View):
    """Where everything stood at `as_of`, as far as was known at `known_at` (None: all that is known now)."""

    as_of: datetime
    known_at: datetime | None
    models: tuple[str, ...]
    frameworks: tuple[FrameworkView, ...]

    @property
    def state(self) -> State:
        """The worst of all frameworks; without any model nothing was shown."""
        return State.worst(view.state for view in self.frameworks) if self.models else State.MISSING

    @property
    def counts(self) -> dict[State, int]:
        """How many binding clauses are in each state."""
        return {state: sum(view.counts[state] for view in self.frameworks) for state in State}

    @property
    def exit_code(self) -> int:
        """0 where nothing is left to do, 1 where something fails, else 3."""
        if self.state is State.FAILING:
            return EXIT_FINDINGS
        return EXIT_PASSED if self.state.met else EXIT_UNKNOWN

    @property
    def digest(self) -> str:
        """One digest for one posture: equal whenever and wherever it is computed from the same record."""
        return digest(msgspec.to_builtins(self))


@dataclass(frozen=True, slots=True)
class ChainLink(_View):
    """One way from a model over a risk to what was decided about it."""

    model: str
    tier: str
    version: str | None
    risk: str
    finding: str | None
    severity: str | None
    technique: str | None
    clauses: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    decision: str
    decided_at: datetime | None
    source: str | None
    leaf: int | None


@dataclass(frozen=True, slots=True)
class Chain(_View):
    """Every way of one model, or of all."""

    as_of: datetime
    known_at: datetime | None
    links: tuple[ChainLink, ...]
