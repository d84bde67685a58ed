"""Which combinations of values deserve a closer look: thousands are counted by matrix products, the odd extended.

Two signs, for rows of one class t. `contra`: the rows' labels contradict what their single values say, by an additive
model, which cannot know a combination. `lift`: the combination is more frequent in class t than its parts and the
other classes explain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.poison.cells import least_rows
from holdfast.core.data.poison.counts import signed_root

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Bools = NDArray[np.bool_]

MAX_WEIGHT = 4.0
PAIRS = 200
FRONT = 40
BRANCH = 4
DEPTH = 4
SAME = 0.7
OUT = -9.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """Numbers of items, and how odd they are together; both are about normal deviates."""

    items: tuple[int, ...]
    contra: float
    lift: float

    @property
    def odd(self) -> float:
        return max(self.contra, 0.0) + max(self.lift, 0.0)


class Screen:
    """Counts of one table for one class. `has` (n, k) items, `t` (n,) rows of the class, `other` (n,) P(not t)."""

    def __init__(self, has: Bools, column: NDArray[np.intp], t: Bools, other: Floats) -> None:
        self.has, self.column, self.t = has, column, t
        weight = np.minimum(other / np.maximum(1.0 - other, 1e-9), MAX_WEIGHT)
        self._pull = (weight * (other - ~t)).astype(np.float32)
        self._noise = (weight * weight * other * (1.0 - other)).astype(np.float32)
        self._has = has.astype(np.float32)
        self._least = least_rows(len(t))
        self._n_t, self._n_o = int(t.sum()), int((~t).sum())
        self._single_t, self._single_o = self._has[t].sum(axis=0), self._has[~t].sum(axis=0)

    def candidates(self) -> list[Candidate]:
        """Pairs, triples and quadruples, without order."""
        found = {one.items: one for one in self._pairs()}
        front = list(found.values())
        for _ in range(DEPTH - 2):
            grown = {one.items: one for parent in _front(front) for one in self._grown(parent)}
            front = [one for one in grown.values() if one.items not in found]
            found.update({one.items: one for one in front})
        return list(found.values())

    def rows(self, items: tuple[int, ...]) -> Bools:
        """(n,) rows that have all `items`."""
        return np.asarray(self.has[:, items].all(axis=1))

    def _pairs(self) -> Iterator[Candidate]:
        if not self.has.shape[1] or not self._n_t or not self._n_o:
            return
        contra, lift = self._pair_signs()
        best: set[int] = set()
        for table in (contra, np.maximum(contra, 0) + np.maximum(lift, 0), lift):
            top = np.argpartition(-table, min(PAIRS, table.size - 1), axis=None)[:PAIRS]
            best.update(int(place) for place in top if table.flat[place] > 0)
        for place in sorted(best):
            a, b = divmod(place, contra.shape[1])
            yield Candidate((min(a, b), max(a, b)), float(contra[a, b]), float(lift[a, b]))

    def _pair_signs(self) -> tuple[Singles, Singles]:
        has = self._has
        pull = has.T @ (has * self._pull[:, None])
        noise = has.T @ (has * self._noise[:, None])
        both_t, both_o = has[self.t].T @ has[self.t], has[~self.t].T @ has[~self.t]
        odds = (both_o + 1.0) / (np.outer(self._single_o, self._single_o) / self._n_o + 1.0)
        expected = np.outer(self._single_t, self._single_t) / self._n_t * np.maximum(1.0, odds)
        out = (self.column[:, None] >= self.column[None, :]) | (both_t < self._least)
        contra = np.where(out, OUT, pull / np.sqrt(noise + 1.0))
        return contra.astype(np.float32), np.where(out, OUT, signed_root(both_t, expected)).astype(np.float32)

    def _grown(self, parent: Candidate) -> Iterator[Candidate]:
        """The best combinations of one item more."""
        rows = np.flatnonzero(self.rows(parent.items))
        has, t = self._has[rows], self.t[rows]
        contra = (self._pull[rows] @ has) / np.sqrt(self._noise[rows] @ has + 1.0)
        n_t, n_o = has[t].sum(axis=0), has[~t].sum(axis=0)
        odds = (n_o + 1.0) / (float((~t).sum()) * self._single_o / self._n_o + 1.0)
        lift = signed_root(n_t, float(t.sum()) * self._single_t / self._n_t * np.maximum(1.0, odds))
        fits = (n_t >= self._least) & ~np.isin(self.column, self.column[list(parent.items)])
        both = np.where(fits, np.maximum(contra, 0) + np.maximum(lift, 0), 0.0)
        for worth in (both, np.where(fits, contra, 0.0)):
            for item in np.argsort(-worth, kind="stable")[:BRANCH]:
                if worth[item] > 0:
                    least = float(lift[item]) if parent.lift <= 0 else min(parent.lift, float(lift[item]))
                    yield Candidate(tuple(sorted((*parent.items, int(item)))), float(contra[item]), least)


def _front(found: list[Candidate]) -> list[Candidate]:
    """What is extended: the oddest, and those whose labels contradict most."""
    odd = sorted(found, key=lambda one: (-one.odd, one.items))[:FRONT]
    contra = sorted(found, key=lambda one: (-one.contra, one.items))[:FRONT]
    return list({one.items: one for one in (*odd, *contra)}.values())


def distinct(found: list[Candidate], screen: Screen, most: int) -> list[Candidate]:
    """The first `most` of `found` whose rows of the class are not nearly those of one before."""
    kept: list[tuple[Candidate, Bools]] = []
    for one in found:
        rows = screen.rows(one.items) & screen.t
        if not any(_same(rows, other) for _, other in kept):
            kept.append((one, rows))
        if len(kept) == most:
            break
    return [one for one, _ in kept]


def _same(a: Bools, b: Bools) -> bool:
    both = int((a & b).sum())
    return both > SAME * max(int(a.sum()), int(b.sum()))
