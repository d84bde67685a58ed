"""The two ordered scales of the house: how bad a finding is, how much a model matters."""

from __future__ import annotations

from enum import StrEnum
from functools import total_ordering


@total_ordering
class Scale(StrEnum):
    """Words with an order: the order they are written in."""

    @property
    def rank(self) -> int:
        return list(type(self)).index(self)

    def __lt__(self, other: str) -> bool:
        return self.rank < type(self)(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= type(self)(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > type(self)(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= type(self)(other).rank


class Severity(Scale):
    """How bad a finding is."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Tier(Scale):
    """How much depends on a model; decides which rules bind and whether unknown blocks."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
