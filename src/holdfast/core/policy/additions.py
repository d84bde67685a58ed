"""Site additions: names that one site's models need and the list of names lacks, written into its policy.

Each has a reason, a name behind it and an end at most a year away. What is written here is exact: no pattern, and no
name of the standard library or of the program that loads, whatever anybody writes.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from holdfast.core.domain.addition import NameAddition, never

MAX_ADDITIONS: Final = 1_000
LONGEST: Final = timedelta(days=366)
Mode = Literal["c", "h", "n", "v"]


def _day(value: object) -> object:
    """A day as YAML or text has it."""
    if isinstance(value, datetime) or not isinstance(value, str | date):
        raise ValueError("write a day, such as 2026-11-30")
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("write a day, such as 2026-11-30") from None


Day = Annotated[date, BeforeValidator(_day)]
Words = Annotated[str, Field(min_length=3, max_length=500, pattern=r"\S")]


class NameEntry(BaseModel):
    """An addition as `policy.yaml` writes it. What may be added beside this: `scan/additions.py`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: Annotated[str, Field(max_length=300, pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$")]
    mode: Mode
    reason: Words
    who: Annotated[str, Field(min_length=2, max_length=200, pattern=r"\S")]
    since: Day
    until: Day

    @field_validator("name")
    @classmethod
    def _may_be_added(cls, value: str) -> str:
        why = never(value)
        if why is not None:
            raise ValueError(why)
        return value

    @model_validator(mode="after")
    def _ends(self) -> NameEntry:
        if not self.since < self.until <= self.since + LONGEST:
            raise ValueError(f"`until` lies after `since`, and at most {LONGEST.days} days later")
        return self

    @property
    def addition(self) -> NameAddition:
        """The same as a value."""
        return NameAddition(self.name, self.mode, self.reason, self.who, self.since, self.until)
