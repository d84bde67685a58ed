"""How much an audit asks of a model."""

from __future__ import annotations

from enum import StrEnum


class Depth(StrEnum):
    """From least to most; an audit runs what its own depth and those before it hold."""

    QUICK = "quick"
    """What takes seconds: for each commit."""
    FULL = "full"
    """All checks: for a release, and by night."""

    def covers(self, other: Depth) -> bool:
        """Whether an audit of this depth runs what `other` asks for."""
        order = list(Depth)
        return order.index(other) <= order.index(self)
