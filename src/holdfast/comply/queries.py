"""Typed views of compliance; the CLI's JSON, the API, the console and the packs show these and nothing else.

Each is a pure function of what the store holds and of two moments: `as_of` (what had happened) and `known_at` (what
had been recorded; None: all that is known now).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.comply.catalogue import Framework, select
from holdfast.comply.chain import links
from holdfast.comply.clocks import Timer, timers
from holdfast.comply.evidence.books import Books, ModelBooks
from holdfast.comply.evidence.live import incidents, reports
from holdfast.comply.posture import clause_of, framework_view
from holdfast.comply.views import (
    AnswerView,
    Chain,
    ChainLink,
    ClauseView,
    Exempt,
    FrameworkView,
    ModelState,
    Posture,
)
from holdfast.core.documents import suggest
from holdfast.core.errors import UsageError
from holdfast.core.store import Transaction

__all__ = [
    "AnswerView",
    "Chain",
    "ChainLink",
    "ClauseView",
    "Exempt",
    "FrameworkView",
    "IncidentClock",
    "ModelState",
    "Posture",
    "chain_view",
    "clause_view",
    "clocks_view",
    "frameworks_view",
    "posture",
]


def posture(
    tx: Transaction,
    as_of: datetime,
    known_at: datetime | None = None,
    framework: str | None = None,
    model: str | None = None,
) -> Posture:
    """Where every clause stood, of one framework or all, on one model or all.

    Raises ConfigError (HF-CPL-007) or UsageError (HF-CPL-009) for a name that is none.
    """
    books = Books(tx, as_of, known_at)
    models = _models(books, model)
    chosen = select(() if framework is None else (framework,))
    views = tuple(framework_view(one, books, models) for one in chosen)
    return Posture(as_of, known_at, tuple(one.model.name for one in models), views)


def clause_view(
    tx: Transaction,
    as_of: datetime,
    framework: str,
    ref: str,
    known_at: datetime | None = None,
    model: str | None = None,
) -> ClauseView:
    """One clause with all its evidence. Raises ConfigError (HF-CPL-007, -008) or UsageError (HF-CPL-009)."""
    (chosen,) = select((framework,))
    books = Books(tx, as_of, known_at)
    return clause_of(chosen, chosen.clause(ref), books, _models(books, model))


def frameworks_view() -> tuple[Framework, ...]:
    """The frameworks themselves, without any state: their dates, sources and clauses."""
    return select()


def chain_view(tx: Transaction, as_of: datetime, model: str | None = None, known_at: datetime | None = None) -> Chain:
    """Model, risk or finding, clauses, evidence, decision: every way, in one query. Raises UsageError (HF-CPL-009)."""
    books = Books(tx, as_of, known_at)
    return Chain(as_of, known_at, tuple(link for one in _models(books, model) for link in links(one, select())))


@dataclass(frozen=True, slots=True)
class IncidentClock:
    """One clock that runs on a recorded incident."""

    model: str
    incident: str
    timer: Timer


def clocks_view(
    tx: Transaction, as_of: datetime, model: str | None = None, known_at: datetime | None = None
) -> tuple[IncidentClock, ...]:
    """Every clock on every recorded incident, by when it is due. Reports are attested as `report:<clock>`."""
    found = [
        IncidentClock(one.model.name, opened.about or opened.id, timer)
        for one in _models(Books(tx, as_of, known_at), model)
        for opened, known in incidents(one)
        for timer in timers(known, as_of, reports(one, known))
    ]
    return tuple(sorted(found, key=lambda item: (item.timer.due_at, item.model, item.timer.clock.id)))


def _models(books: Books, name: str | None) -> tuple[ModelBooks, ...]:
    if name is None:
        return books.models
    chosen = tuple(one for one in books.models if one.model.name == name)
    if not chosen:
        known = [one.model.name for one in books.models]
        raise UsageError(
            f"there was no model '{name}' then",
            cause=f"declared were {', '.join(known[:12]) or 'none'}",
            fix=suggest(name, known) if known else "register models first: holdfast estate register",
            code="HF-CPL-009",
        )
    return chosen
