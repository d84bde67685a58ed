"""What mining finds: formulas of derived columns, relations, one-hot groups; each with its support."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.mining.columns import Column
from holdfast.core.contract.mining.words import COMPUTED_WORDS, words

Bools = NDArray[np.bool_]
Pair = tuple[int, int]

MIN_SURPRISE = 25.0
"""How many rows would break a rule by chance, were its columns unrelated, before its never breaking is evidence.

Rows that break independently then leave a rule whole with probability e**-25, beyond a million tries by far.
"""


@dataclass(frozen=True, slots=True)
class Formula:
    """A column (by position) that equals `text` on every row; `undefined` is what it holds at a division by zero."""

    column: int
    text: str
    needs: frozenset[int]
    support: str
    undefined: float | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A rule that holds on every row. `surprise` ranks it: the rows that chance alone would have broken."""

    id: str
    rule: str
    support: str
    surprise: float


@dataclass(frozen=True, slots=True)
class OneHotGroup:
    """Columns (by position) of which exactly one is 1 in every row."""

    columns: tuple[int, ...]
    support: str


def by_chance(rows: int, expected: float) -> str:
    """The support of a rule, in words."""
    return f"holds on all {rows:,} rows; unrelated columns would break it on {expected:,.0f}"


def computed_rank(position: int, column: Column) -> tuple[bool, int]:
    """Sorts the column that is probably computed from others last: its name says so, or it stands furthest right."""
    return bool(words(column.name) & COMPUTED_WORDS), position
