"""The answer of `gate verify`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED, EXIT_UNKNOWN


class Status(StrEnum):
    """Worst wins: broken, then unknown, then ok."""

    OK = "ok"
    UNKNOWN = "unknown"
    BROKEN = "broken"

    @property
    def exit_code(self) -> int:
        """0, 3 and 1."""
        return {Status.OK: EXIT_PASSED, Status.UNKNOWN: EXIT_UNKNOWN}.get(self, EXIT_FINDINGS)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that keeps a summary from being proof."""

    status: Status
    what: str


@dataclass(frozen=True, slots=True)
class Hashed:
    """An artifact that was hashed for this verification, and whether the summary speaks of it."""

    path: Path
    digest: str
    named: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found. `ok` only when nothing at all was wrong; what was signed is only filled in when it verified."""

    problems: tuple[Problem, ...]
    hashed: tuple[Hashed, ...] = ()
    models: tuple[str, ...] = ()
    verdict: str | None = None
    policy: str | None = None
    policy_digest: str | None = None
    verified_at: datetime | None = None
    valid_until: datetime | None = None

    @property
    def status(self) -> Status:
        order = list(Status)
        return max((problem.status for problem in self.problems), key=order.index, default=Status.OK)

    @property
    def exit_code(self) -> int:
        """0 ok, 1 broken, 3 unknown."""
        return self.status.exit_code
