"""Takes back what a crossing point does not need: whole levers first, then parts of the way.

For L-inf this lowers what the move costs at the same radius; for the other norms it is the search itself.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.blackbox.asking import Question, Reply
from holdfast.attack.blackbox.space import Space

Floats = NDArray[np.float64]
Steps = Generator[Question, Reply, None]
Found = Generator[Question, Reply, bool]

HALVINGS = 6
STIRS = 8
QUIET = 96
"""Stirs without gain after which a search ends."""


class TrimSearch:
    """Shortens one row's crossing `point`; better is nearer, and among equals cheaper.

    `levers` are those it may put back; all where none are named.
    """

    def __init__(self, space: Space, point: Floats, levers: tuple[tuple[int, ...], ...] | None = None) -> None:
        self.space, self.rng, self.point = space, space.rng, point
        self.levers = space.levers if levers is None else levers
        self.score = (np.inf, np.inf)
        self.left = 1

    def once(self) -> Steps:
        """Back to the row with every lever that can go back, then as far as each of the others can."""
        yield from self.restore()
        yield from self.shorten()

    def run(self) -> Steps:
        """`once`, then swaps of levers, until nothing gains."""
        yield from self.once()
        quiet = 0
        while quiet < QUIET and self.left > 0:
            gained = yield from self.swap()
            if gained:
                yield from self.once()
            quiet = 0 if gained else quiet + STIRS

    def ask(self, points: Floats) -> Found:
        """Whether any of the points (k, d) is better; the best of them becomes `point`."""
        reply = yield Question(points, below=float(np.nextafter(self.score[0], np.inf)))
        self.left = reply.left
        scores = list(zip(reply.distances, reply.costs, range(len(points)), strict=True))
        better = min((s for s, crossed in zip(scores, reply.crossed, strict=True) if crossed), default=None)
        if better is None or (better[0], better[1]) >= self.score:
            return False
        self.score, self.point = (float(better[0]), float(better[1])), reply.points[better[2]]
        return True

    def moved(self) -> list[tuple[int, ...]]:
        """The levers that are not where they were."""
        differs = ~((self.point == self.space.was) | (np.isnan(self.point) & np.isnan(self.space.was)))
        return [lever for lever in self.levers if differs[list(lever)].any()]

    def restore(self) -> Steps:
        """Halves of the moved levers, then halves of those: many unneeded ones cost few questions."""
        yield from self.ask(self.point[None])
        waiting = [self.moved()]
        while waiting and self.left > 0:
            some = waiting.pop()
            columns = [column for lever in some for column in lever]
            trial = self.point.copy()
            trial[columns] = self.space.was[columns]
            gained = yield from self.ask(trial[None])
            if not gained and len(some) > 1:
                half = len(some) // 2
                waiting += [some[half:], some[:half]]

    def shorten(self) -> Steps:
        """Bisect each moved column between where it was and where it is."""
        for lever in self.moved():
            if len(lever) > 1 or self.space.shape.step[lever[0]]:
                continue
            column, low = lever[0], 0.0
            full = self.point[column] - self.space.was[column]
            for _ in range(HALVINGS if np.isfinite(full) else 0):
                high = (self.point[column] - self.space.was[column]) / full
                trial = self.point.copy()
                trial[column] = self.space.was[column] + full * (low + high) / 2
                gained = yield from self.ask(trial[None])
                low = low if gained else (low + high) / 2

    def swap(self) -> Found:
        """One lever set anew, some of the moved ones put back wholly or half of the way."""
        gained = yield from self.ask(np.array([self.swapped() for _ in range(STIRS)]))
        return gained

    def swapped(self) -> Floats:
        trial, moved = self.point.copy(), self.moved()
        radius = self.space.radius(self.point)
        lever = self.space.levers[self.rng.integers(len(self.space.levers))]
        options = self.space.options(lever, radius, between=3)
        trial[list(lever)] = self._clipped(lever, options[self.rng.integers(len(options))], radius)
        for number in self.rng.permutation(len(moved))[: self.rng.integers(1, 3)]:
            columns = list(moved[number])
            share = 0.0 if len(columns) > 1 else self.rng.choice([0.0, 0.5])
            back = self.space.was[columns] + share * (self.point[columns] - self.space.was[columns])
            trial[columns] = back
        return trial

    def _clipped(self, lever: tuple[int, ...], value: Floats, radius: float) -> Floats:
        if len(lever) > 1 or self.space.shape.step[lever[0]]:
            return value
        wide = np.full(len(self.space.was), np.nan)
        wide[list(lever)] = value
        return np.asarray(self.space.clip(wide[None], np.array([2 * radius]))[0][list(lever)], np.float64)
