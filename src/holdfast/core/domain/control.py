"""Compliance as nouns: clauses of frameworks, and the evidence that speaks for or against each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Level(StrEnum):
    """Who proves a clause: the platform alone, the platform with a named person, or a person only."""

    AUTO = "auto"
    ASSISTED = "assisted"
    HUMAN = "human"


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
