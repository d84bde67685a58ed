"""The compiled contract: rows of signed terms, so that every user of it evaluates the same arithmetic.

A row reads `sum(terms) <op> bound`. A term is a coefficient times factors; a factor is a column, now or before
the attack (`was`), to the power 1 or -1. A row is linear when each term has at most one factor of power 1.
"""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 1e-9
"""Slack allowed on `<=`, `>=` and `==`, relative to the row's largest absolute term (and at least absolute)."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A column (by its position in the contract), its value before the attack if `was`."""

    column: int
    was: bool = False
    power: int = 1


@dataclass(frozen=True, slots=True)
class Term:
    """`coefficient` times the product of `factors`."""

    coefficient: float
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """`sum(terms) <op> bound`, op one of `<=`, `<`, `>=`, `>`, `==`, `!=`."""

    terms: tuple[Term, ...]
    op: str
    bound: float

    @property
    def linear(self) -> bool:
        return all(len(term.factors) <= 1 and all(f.power == 1 for f in term.factors) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Constraint:
    """All of `rows` hold wherever all of `guard` hold (an empty guard holds everywhere)."""

    id: str
    rows: tuple[Row, ...]
    guard: tuple[Row, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Derived:
    """A column that is computed, never moved: `column = sum(terms)`."""

    column: int
    terms: tuple[Term, ...]
