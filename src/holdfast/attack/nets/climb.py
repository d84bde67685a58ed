"""Climbs towards the decision inside a box: projected gradient with an adaptive step, momentum and repair.

Method: CAPGD (Simonetto, Ghamizi and Cordy, 2024), which is AutoPGD (Croce and Hein, 2020) with the row repaired to the
contract after each step. Here every candidate is snapped to types before it is judged, and the gradient is taken there,
so that what arrives needs no rounding. Rows climb together, each in its own box with its own step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.nets.aim import NetAim
from holdfast.attack.nets.best import Best
from holdfast.attack.nets.box import Rows, Space
from holdfast.attack.nets.target import NetTarget

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
MOMENTUM = 0.25
EVERY = 4
"""Steps between two looks at whether the step is too long."""
PASSES = 3
"""A gradient costs about three times what an answer does."""


@dataclass(eq=False)
class Climber:
    """A target, a goal, the rows' spaces and what was found."""

    target: NetTarget
    aim: NetAim
    space: Space
    best: Best
    limit: int
    """Weights that may be visited for a row."""

    def look(self, rows: Rows, X: Floats) -> tuple[Floats, Floats, Floats]:
        """Gaps (k,), slopes with inner features and slopes with raw columns, at snapped rows."""
        self.best.nodes[rows] += PASSES * self.target.net.n_weights
        gaps, inner = self.target.gradient(X, self.aim)
        return gaps, inner, self.target.lens.raw(inner, X)

    def open(self, rows: Rows) -> Rows:
        """The rows that may still be worked on."""
        return rows[self.best.nodes[rows] < self.limit]

    def hits(self, rows: Rows, X: Floats, gaps: Floats) -> Bools:
        """(k,) which candidates arrived; only those that seem to are judged."""
        arrived = np.zeros(len(rows), np.bool_)
        seem = np.flatnonzero(gaps > 0)
        if seem.size:
            arrived[seem] = self.best.offer(rows[seem], X[seem])
        return arrived

    def walk(self, rows: Rows, steps: int, reach: Floats) -> None:
        """Straight to where the decision would be if the net were linear here, again from there, `steps` times."""
        points = self.space.was[rows]
        for _ in range(steps):
            gaps, inner, slopes = self.look(rows, points)
            kept = ~self.hits(rows, points, gaps)
            rows, points, gaps, inner, slopes = rows[kept], points[kept], gaps[kept], inner[kept], slopes[kept]
            if not rows.size:
                return
            radius = np.minimum(1.02 * self._needed(rows, points, gaps, slopes), reach[rows])
            box = self.space.box(rows, radius)
            step = np.sign(slopes) * radius[:, None] * self.space.scales
            aim = np.where(np.isfinite(step), self.space.was[rows] + step, self.space.was[rows])
            aim = self._with_codes(rows, aim, inner, radius)
            points = self.space.snap(self.space.repair(np.clip(aim, *box), rows, box), rows, box)
        gaps, _, _ = self.look(rows, points)
        self.hits(rows, points, gaps)

    def _needed(self, rows: Rows, points: Floats, gaps: Floats, slopes: Floats) -> Floats:
        """The radius (k,) at which the gap closes to first order, every column going as far as it may."""
        was, space = self.space.was[rows], self.space
        room = np.where(slopes > 0, space.high[rows] - was, was - space.low[rows]) / space.scales
        room = np.where(space.free & (slopes != 0) & np.isfinite(was), np.maximum(room, 0.0), 0.0)
        gain = np.abs(slopes) * space.scales
        missing = -(gaps + np.nan_to_num(slopes * (was - points)).sum(axis=1))
        order = np.argsort(room, axis=1)
        room, gain = np.take_along_axis(room, order, 1), np.take_along_axis(gain, order, 1)
        room = np.minimum(room, 1e6)
        spent = np.cumsum(gain * room, axis=1) - gain * room
        left = np.cumsum(gain[:, ::-1], axis=1)[:, ::-1]
        enough = spent + room * left >= missing[:, None]
        at = np.where(enough.any(axis=1), enough.argmax(axis=1), room.shape[1] - 1)[:, None]
        with np.errstate(all="ignore"):
            radius = (missing - np.take_along_axis(spent, at, 1)[:, 0]) / np.take_along_axis(left, at, 1)[:, 0]
        return np.where(enough.any(axis=1) & np.isfinite(radius), np.maximum(radius, 0.0), room[:, -1])

    def climb(self, rows: Rows, radius: Floats, start: Floats, steps: int) -> tuple[Bools, Floats]:
        """Climb from `start` (k, d) inside `radius` (k,); which arrived, and where."""
        arrived, points = np.zeros(len(rows), np.bool_), start.copy()
        state = _State.start(np.arange(len(rows)), radius, self._inside(rows, start, radius))
        for turn in range(steps):
            own = rows[state.at]
            box = self.space.box(own, state.radius)
            snapped = self.space.snap(state.x, own, box)
            gaps, inner, slopes = self.look(own, snapped)
            hits = self.hits(own, snapped, gaps)
            arrived[state.at[hits]], points[state.at[hits]] = True, snapped[hits]
            state.note(gaps, turn)
            state, inner, slopes = state.kept(~hits), inner[~hits], slopes[~hits]
            if not state.at.size:
                break
            self._step(rows[state.at], state, inner, slopes)
        return arrived, points

    def _inside(self, rows: Rows, X: Floats, radius: Floats) -> Floats:
        box = self.space.box(rows, radius)
        return self.space.repair(np.clip(X, *box), rows, box)

    def _step(self, rows: Rows, state: _State, inner: Floats, slopes: Floats) -> None:
        """One step uphill, with momentum, back into the box and towards the relations."""
        box = self.space.box(rows, state.radius)
        ahead = state.x + np.sign(slopes) * state.step[:, None] * self.space.scales
        ahead = np.clip(np.where(np.isnan(ahead), state.x, ahead), *box)
        mixed = state.x + (1 - MOMENTUM) * (ahead - state.x) + MOMENTUM * (state.x - state.before)
        mixed = np.clip(np.where(self.space.free, mixed, state.x), *box)
        mixed = self._with_codes(rows, mixed, inner, state.radius)
        state.before, state.x = state.x, self.space.repair(mixed, rows, box)

    def _with_codes(self, rows: Rows, X: Floats, inner: Floats, radius: Floats) -> Floats:
        """Categories at the code that gains most to first order, where the radius allows a change at all."""
        far = radius >= 1.0
        for category in self.target.lens.categories if far.any() else ():
            low, high = self.space.low[rows, category.column], self.space.high[rows, category.column]
            allowed = (category.codes >= low[:, None]) & (category.codes <= high[:, None])
            gains = np.where(allowed, self.target.lens.gains(category, inner), -np.inf)
            change = far & allowed.any(axis=1) & ~np.isnan(X[:, category.column])
            X[:, category.column] = np.where(change, category.codes[gains.argmax(axis=1)], X[:, category.column])
        return X


@dataclass(eq=False)
class _State:
    """Rows on their way: `at` are their places in the climb, `step` their step in units."""

    at: Rows
    radius: Floats
    x: Floats
    before: Floats
    step: Floats
    top: Floats
    top_x: Floats
    last: Floats
    rises: Floats
    marked: Floats

    @classmethod
    def start(cls, at: Rows, radius: Floats, x: Floats) -> _State:
        lowest = np.full(len(at), -np.inf)
        return cls(at, radius, x, x.copy(), radius.copy(), lowest, x.copy(), lowest, np.zeros(len(at)), lowest)

    def note(self, gaps: Floats, turn: int) -> None:
        """Remember the best point; every few turns halve the steps that do not help and go back to it."""
        self.rises = self.rises + (gaps > self.last)
        better = gaps > self.top
        self.top, self.top_x = np.where(better, gaps, self.top), np.where(better[:, None], self.x, self.top_x)
        self.last = gaps
        if turn and turn % EVERY == 0:
            stuck = (self.rises < 0.75 * EVERY) | (self.top <= self.marked)
            self.step = np.where(stuck, self.step / 2, self.step)
            self.x = np.where(stuck[:, None], self.top_x, self.x)
            self.before = np.where(stuck[:, None], self.top_x, self.before)
            self.rises, self.marked = np.zeros_like(self.rises), self.top

    def kept(self, keep: Bools) -> _State:
        """The rows of `keep`."""
        return _State(*(part[keep] for part in vars(self).values()))
