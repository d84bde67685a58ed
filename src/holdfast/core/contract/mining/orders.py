"""Orderings `a <= b` that hold on every row and mean something.

Two columns whose ranges hardly overlap are ordered without being related, so an ordering counts only if unrelated
columns with the same values would break it often. And it must compare like with like: never a share with an amount,
and either the two meet (equal and not zero on some rows) or their names share a word.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.mining.columns import Column, Columns
from holdfast.core.contract.mining.mined import MIN_SURPRISE, Pair, Relation, by_chance
from holdfast.core.contract.mining.words import words

MIN_DISTINCT = 4
MIN_PRESENT = 50
MIN_MEETING_SHARE = 0.001
MIN_SURPRISE_SHARE = 0.01


def mine_orders(
    columns: Columns, skip: frozenset[int], related: frozenset[Pair]
) -> tuple[list[Relation], frozenset[Pair]]:
    """Relations, the most surprising first, and all pairs (low, high) that are known to be ordered by then.

    No relation follows from two others or is between `related` columns: a formula orders them already.
    """
    usable = [p for p, column in enumerate(columns.found) if _orderable(column) and p not in skip]
    ordered = _ordered(columns, usable)
    least = max(MIN_SURPRISE, MIN_SURPRISE_SHARE * columns.n_rows)
    surprising = {pair: s for pair in ordered if (s := _surprise(columns, pair)) >= least}
    meaningful = {pair: s for pair, s in surprising.items() if _alike(columns, pair)}
    known = frozenset(meaningful) | (frozenset(ordered) & related)
    kept = [pair for pair in meaningful if pair not in related and not _follows(pair, known)]
    relations = [_relation(columns, pair, meaningful[pair]) for pair in kept]
    return sorted(relations, key=lambda relation: -relation.surprise), known


def _orderable(column: Column) -> bool:
    return column.type != "category" and len(column.distinct) >= MIN_DISTINCT


def _ordered(columns: Columns, usable: list[int]) -> list[Pair]:
    """Pairs (low, high) never the other way round, equal at most on some rows."""
    X = columns.matrix[:, usable]
    found: list[Pair] = []
    for at, low in enumerate(usable):
        column = X[:, at : at + 1]
        with np.errstate(invalid="ignore"):
            broken, strict = (column > X).any(axis=0), (column < X).sum(axis=0)
        present = (~np.isnan(column) & ~np.isnan(X)).sum(axis=0)
        good: NDArray[np.bool_] = ~broken & (strict > 0) & (present >= MIN_PRESENT)
        found.extend((low, usable[other]) for other in np.flatnonzero(good))
    return found


def _surprise(columns: Columns, pair: Pair) -> float:
    """On how many rows unrelated columns with these values would be the wrong way round."""
    low, high = (columns.found[position] for position in pair)
    above = np.cumsum(high.counts)
    below = np.searchsorted(high.distinct, low.distinct, side="left")
    smaller = np.where(below > 0, above[np.maximum(below - 1, 0)], 0)
    chance = float((smaller * low.counts).sum()) / (float(low.counts.sum()) * float(high.counts.sum()))
    present = int((~np.isnan(low.values) & ~np.isnan(high.values)).sum())
    return present * chance


def _alike(columns: Columns, pair: Pair) -> bool:
    low, high = (columns.found[position] for position in pair)
    if low.fraction != high.fraction:
        return False
    meeting = int(((low.values == high.values) & (low.values != 0)).sum())
    shared = {word for word in words(low.name) & words(high.name) if len(word) > 1 and not word.isdigit()}
    return bool(shared) or meeting >= max(10, MIN_MEETING_SHARE * columns.n_rows)


def _follows(pair: Pair, known: frozenset[Pair]) -> bool:
    low, high = pair
    return any(first == low and (middle, high) in known for first, middle in known)


def _relation(columns: Columns, pair: Pair, surprise: float) -> Relation:
    low, high = (columns.found[position] for position in pair)
    support = by_chance(columns.n_rows, surprise)
    return Relation(f"order-{low.name}-{high.name}", f"{low.sign} <= {high.sign}", support, surprise)
