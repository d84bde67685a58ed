"""Site additions: names that one site's models need and the list of names lacks, written into its policy.

Each has a reason, a name behind it and an end at most a year away. What is written here is exact: no pattern, and no
name of the standard library or of the program that loads, whatever anybody writes.
"""

from __future__ import annotations

import _compat_pickle
import sys
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from holdfast.core.domain.ids import JSONValue, digest

MAX_ADDITIONS: Final = 1_000
LONGEST: Final = timedelta(days=366)
NEVER: Final = (
    sys.stdlib_module_names
    | frozenset(name.partition(".")[0] for name in _compat_pickle.IMPORT_MAPPING)
    | {"__main__", "__builtin__", "test"}
)
"""Packages whose names nobody may add: the standard library, Python 2's, and whatever program loads the model."""
FAMILIES: Final = frozenset(
    (
        *("os", "nt", "posix", "sys", "subprocess", "builtins", "__builtin__", "importlib", "imp", "runpy", "ctypes"),
        *("shutil", "socket", "pickle", "_pickle", "cPickle", "marshal", "pty", "multiprocessing"),
    )
)
"""What must not be reached by way of another package either: `acme.os.system` is `os.system`."""

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


class NameAddition(BaseModel):
    """One name and the way a pickle may use it, from the day `since` up to, not including, the day `until` (UTC)."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: Annotated[str, Field(max_length=300, pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$")]
    mode: Mode
    reason: Words
    who: Annotated[str, Field(min_length=2, max_length=200, pattern=r"\S")]
    since: Day
    until: Day

    @field_validator("name")
    @classmethod
    def _is_no_familys(cls, value: str) -> str:
        parts = value.split(".")
        if parts[0] in NEVER:
            raise ValueError(f"names of '{parts[0]}' are never added: it is the standard library, or any program")
        bad = next((part for part in parts if part in FAMILIES or part.startswith("__")), None)
        if bad is not None:
            raise ValueError(f"'{bad}' is never reached by way of another package")
        return value

    @model_validator(mode="after")
    def _ends(self) -> NameAddition:
        if not self.since < self.until <= self.since + LONGEST:
            raise ValueError(f"`until` lies after `since`, and at most {LONGEST.days} days later")
        return self

    def in_force(self, at: datetime) -> bool:
        """Whether it holds at a moment."""
        return _midnight(self.since) <= at < self.ends_at

    @property
    def ends_at(self) -> datetime:
        """The first moment at which it does not hold any more."""
        return _midnight(self.until)

    @cached_property
    def digest(self) -> str:
        """Of all that it says, the reason and the name behind it included."""
        value: dict[str, JSONValue] = self.model_dump(mode="json")
        return digest(value)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
