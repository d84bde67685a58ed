"""The game a membership attack is judged by: rows of both kinds, and which shadow is trained on which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.errors import UsageError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Labels = NDArray[np.int64]
FEWEST_ROWS = 50
"""Of either kind; below, no share of false alarms that matters can be told from none."""


@dataclass(frozen=True, eq=False)
class Game:
    """First come the rows asked about, then a population no shadow trains on, then rows every shadow trains on."""

    X: Floats
    """(n, d) raw rows."""
    y: Labels
    """(n,) classes 0 to k-1."""
    member: Bools
    """(a,) the truth on the first a rows."""
    population: int
    """Rows after them that nothing trained on: what confidence is like among strangers."""

    @classmethod
    def of(
        cls,
        members: tuple[Floats, Labels],
        others: tuple[Floats, Labels],
        *,
        rows: int,
        population: int,
        rest: int,
        seed: int,
    ) -> Game:
        """Ask about `rows` of each kind at most; the rest of the members, `rest` at most, is in every shadow.

        So a shadow is trained on as many rows as the model was. Raises UsageError HF-PRV-003 of too few rows.
        """
        draw = np.random.default_rng(seed)
        inner, outer = draw.permutation(len(members[1])), draw.permutation(len(others[1]))
        strangers = min(population, len(outer) // 4)
        asked = min(rows, len(inner), len(outer) - strangers)
        if asked < FEWEST_ROWS:
            raise too_few(f"{asked} rows of each kind; at least {FEWEST_ROWS} are needed")
        own, rest_rows = inner[:asked], inner[asked : asked + rest]
        foreign, z = outer[:asked], outer[asked : asked + strangers]
        X = np.concatenate([members[0][own], others[0][foreign], others[0][z], members[0][rest_rows]])
        y = np.concatenate([members[1][own], others[1][foreign], others[1][z], members[1][rest_rows]])
        return cls(X, y, np.arange(2 * asked) < asked, strangers)

    @property
    def asked(self) -> int:
        return int(self.member.size)

    @property
    def judged(self) -> int:
        """Rows whose confidence is looked at: the first ones."""
        return self.asked + self.population

    def draws(self, shadows: int, seed: int) -> Bools:
        """(shadows, n) who trains on what: each row asked about is in half of the shadows, drawn anew for each."""
        if shadows < 2 or shadows % 2:
            raise too_few(f"{shadows} shadows; an even number is needed, for every row is in half of them")
        inside = np.zeros((shadows, len(self.y)), np.bool_)
        inside[:, self.judged :] = True
        inside[:, : self.asked] = balanced(shadows, self.asked, seed)
        return inside


def balanced(shadows: int, rows: int, seed: int) -> Bools:
    """(shadows, rows), each column true in half of its places: every second shadow is trained on what the one before
    was not, so that any even number of them, from the first on, is balanced too.
    """
    draw = np.random.default_rng(seed)
    inside = np.zeros((shadows, rows), np.bool_)
    for number in range(0, shadows, 2):
        inside[number, draw.permutation(rows)[: rows // 2]] = True
        inside[number + 1 : number + 2] = ~inside[number]
    return inside


def too_few(cause: str) -> UsageError:
    """The error for games too small to be judged."""
    fix = "declare more held-out rows under data: in the manifest, or ask with fewer shadows or by RMIA"
    return UsageError("membership cannot be tested", cause=cause, fix=fix, code="HF-PRV-003")
