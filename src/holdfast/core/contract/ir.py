"""The compiled contract: rows of signed terms, so that every user of it evaluates the same arithmetic.

A row reads `sum(terms) <op> bound`. A term is a coefficient times factors; a factor is a column, now or before
the attack (`was`), to the power 1 or -1. A row is linear when each term has at most one factor of power 1.

What a row means where a value is absent:

- a column that is missing (NaN) makes the row *unknown*: it breaks no relation and triggers no guard;
- a division by zero, or a sum beyond float64, makes the row *false*: the relation is broken, the guard is not met;
- without a row before the attack, `was` reads the row itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TOLERANCE = 1e-9
"""Slack on `<=`, `>=` and `==`: this times the largest of 1, |bound| and every |term|. `<`, `>`, `!=` have none."""


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

    @property
    def columns(self) -> frozenset[int]:
        """The columns whose present value matters."""
        return frozenset(f.column for term in self.terms for f in term.factors if not f.was)


@dataclass(frozen=True, slots=True)
class Constraint:
    """All of `rows` hold wherever all of `guard` hold (an empty guard holds everywhere)."""

    id: str
    rows: tuple[Row, ...]
    guard: tuple[Row, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Derived:
    """A column that is computed, never moved: `column = sum(terms)`, a term without factors being a constant.

    `undefined` is what it holds where that divides by zero (NaN: missing). Terms are taken left to right, factors
    in order, which is the written arithmetic bit for bit unless `expanded`: then parentheses were multiplied out
    or a division by a number became a coefficient, and only `Contract.derive` gives the exact bits.
    """

    column: int
    terms: tuple[Term, ...]
    undefined: float = math.nan
    expanded: bool = False
