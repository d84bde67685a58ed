"""The kinds of evidence that a clause may ask for, and the function that answers each: `kind:theme`.

A query names what is really stored. A theme nobody answers is refused when a framework is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Final

from holdfast.comply.evidence.answer import Answer
from holdfast.comply.evidence.books import ModelBooks
from holdfast.core.documents import suggest
from holdfast.core.domain.control import Clause

_MODULES: Final = ("checks", "people", "record", "live", "work")
_QUERY: Final = re.compile(r"([a-z]+):([a-z0-9][a-z0-9._-]{0,79})")


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of a clause, about one model at one moment."""

    theme: str
    query: str
    clause: Clause
    books: ModelBooks


Answerer = Callable[[Asked], Answer]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of evidence. No `themes`: any theme. `person`: only people can give it."""

    name: str
    themes: tuple[str, ...]
    person: bool
    says: str
    answer: Answerer


_KINDS: dict[str, Kind] = {}


def evidence(
    name: str, says: str, *, themes: tuple[str, ...] = (), person: bool = False
) -> Callable[[Answerer], Answerer]:
    """Register the function that answers a kind; `says` is one sentence for readers of the catalogue."""

    def register(answer: Answerer) -> Answerer:
        _KINDS[name] = Kind(name, themes, person, says, answer)
        return answer

    return register


@cache
def kinds() -> dict[str, Kind]:
    """Every kind, by name."""
    for module in _MODULES:
        import_module(f"holdfast.comply.evidence.{module}")
    return dict(sorted(_KINDS.items()))


def kind_of(query: str) -> Kind:
    """The kind of a query. Raises ValueError, with the nearest right one, where nobody answers it."""
    form = _QUERY.fullmatch(query)
    if form is None:
        raise ValueError(f"evidence is written kind:theme; {query!r} is not")
    name, theme = form[1], form[2]
    if name not in kinds():
        raise ValueError(f"there is no evidence of kind '{name}'; {suggest(name, kinds())}")
    kind = kinds()[name]
    if kind.themes and theme not in kind.themes:
        raise ValueError(f"evidence of kind '{name}' has no theme '{theme}'; {suggest(theme, kind.themes)}")
    return kind


def ask(query: str, clause: Clause, books: ModelBooks) -> Answer:
    """Answer one query of a clause for one model."""
    return kind_of(query).answer(Asked(query.partition(":")[2], query, clause, books))
