"""What one evidence query says about one model at one moment, and how evidence is weighed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.core.domain.control import Evidence, State


@dataclass(frozen=True, slots=True)
class Answer:
    """The state, a sentence for it, and what it rests on. `dated` is the moment whose age counts."""

    query: str
    state: State
    reason: str
    evidence: tuple[Evidence, ...] = ()
    dated: datetime | None = None
    fresh: timedelta | None = None


def weigh(query: str, found: Sequence[Evidence], *, as_of: datetime, fresh: timedelta | None, lacking: str) -> Answer:
    """Worst wins: something against, nothing at all, nothing provable, too old; the oldest piece decides the age."""
    if not found:
        return Answer(query, State.MISSING, lacking, fresh=fresh)
    dated = min(item.effective_at for item in found)
    against = [item for item in found if not item.supports]
    state, reason = State.SATISFIED, _together(found)
    if against:
        state, reason = State.FAILING, _together(against)
    elif any(item.leaf is None for item in found):
        state, reason = State.MISSING, f"not in the ledger yet: {_together(found)}"
    elif fresh is not None and as_of - dated > fresh:
        state, reason = State.STALE, f"{age_words(as_of - dated)} old, at most {age_words(fresh)}: {_together(found)}"
    return Answer(query, state, reason, tuple(found), dated, fresh)


def age_words(span: timedelta) -> str:
    """A span as people say it: `3 d`, `5 h`, `12 min`."""
    minutes = int(span.total_seconds() // 60)
    if minutes >= 2880:
        return f"{minutes // 1440} d"
    return f"{minutes // 60} h" if minutes >= 120 else f"{minutes} min"


def _together(found: Sequence[Evidence]) -> str:
    words = "; ".join(item.statement for item in found[:3])
    return words if len(found) <= 3 else f"{words}; and {len(found) - 3} more"
