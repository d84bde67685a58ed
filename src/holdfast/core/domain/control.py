"""Compliance as nouns: clauses of frameworks, and the evidence that speaks for or against each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class Level(StrEnum):
    """Who proves a clause: the platform alone, the platform with a named person, or a person only."""

    AUTO = "auto"
    ASSISTED = "assisted"
    HUMAN = "human"


class State(StrEnum):
    """Where a clause stands. Worst wins, in the order written; what does not apply counts for nothing.

    MISSING: nothing was shown, or a check could not decide. AWAITING: the machine's part holds, a person's is missing.
    """

    NOT_APPLICABLE = "not applicable"
    SATISFIED = "satisfied"
    AWAITING = "awaiting a person"
    STALE = "stale"
    MISSING = "missing"
    FAILING = "failing"

    @classmethod
    def worst(cls, states: Iterable[State]) -> State:
        """The worst of `states`; of none: not applicable."""
        order = list(cls)
        return max(states, key=order.index, default=cls.NOT_APPLICABLE)

    @property
    def met(self) -> bool:
        """Whether nothing is left to do."""
        return self in (State.SATISFIED, State.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Clause:
    """One duty, in our own short paraphrase. `fresh` is how old its evidence may be; None: per event."""

    framework: str
    ref: str
    text: str
    level: Level
    applies: str
    fresh: timedelta | None
    evidence: tuple[str, ...]
    title: str = ""
    since: date | None = None
    """From when it binds, how that date stands (in force, adopted, ...), and how that was checked."""
    since_status: str = ""
    since_verified: str = ""

    @property
    def id(self) -> str:
        return f"{self.framework} {self.ref}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that happened: `effective_at` in the world, `recorded_at` with us, `leaf` its place in the ledger."""

    kind: str
    subject: str
    statement: str
    supports: bool
    effective_at: datetime
    recorded_at: datetime
    source: str
    """Id of the record it was read from: a judgement key, an alert id, a claim id ..."""
    leaf: int | None


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a named person says: a document is in force, a register is kept, something is approved or refused.

    `kind` and `theme` are those of the evidence it gives (`doc` and `dpia`). `model` None: all models. `clauses` empty:
    every clause that asks for it. `digest` is of the document's bytes, which are not kept.
    """

    id: str
    kind: str
    theme: str
    by: str
    statement: str
    effective_at: datetime
    expires_at: datetime | None
    recorded_at: datetime
    model: str | None = None
    clauses: tuple[str, ...] = ()
    holds: bool = True
    digest: str | None = None
    document: str | None = None
