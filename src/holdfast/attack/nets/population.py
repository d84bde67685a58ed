"""A seeded population search: for nets and for any model with scores, where gradients do not lead.

After MOEVA (Simonetto et al., 2022): rows evolve by crossover and mutation and are judged by their gap and their
distance. Here the contract is no objective: each child is repaired before it is judged. Rows are attacked side by side,
each with a population of its own; what is drawn for a row does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.blackbox.measure import Measure
from holdfast.attack.interface import Budget, EvasionResult, Goal, attack
from holdfast.attack.nets.aim import aim_at
from holdfast.attack.nets.best import Best
from holdfast.attack.nets.box import Rows, Space, row_words, shares
from holdfast.attack.nets.target import NetTarget
from holdfast.core.contract.repair import round_rows

if TYPE_CHECKING:
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]
METHOD = "evasion.population"
SIZE = 24
CHUNK = 256
"""Rows attacked at once; bounds memory."""
SHRINK = 0.93
"""Children are looked for inside this share of the best distance."""


@dataclass(frozen=True, eq=False)
class Judge:
    """How a target is asked: gaps of any rows, and whether a row is across beyond doubt."""

    gaps: Callable[[Floats], Floats]
    crossed: Callable[[Floats], Bools] | None
    costs: bool
    """Whether each row asked about is a query."""

    @classmethod
    def of(cls, target: Any, goal: Goal) -> Judge:
        """A net is read, any other target is asked for its margins."""
        if isinstance(target, NetTarget):
            aim = aim_at(target.net, goal)
            return cls(lambda X: aim.gaps(target.raw(X)), lambda X: target.crossed(X, aim), False)
        return cls(lambda X: np.asarray(target.margins(X, goal), np.float64), None, True)


@attack(id=METHOD, version=1, needs=("scores",))
def population(
    target: Any,
    rows: Floats,
    *,
    goal: Goal,
    budget: Budget,
    contract: Contract,
    scales: Floats,
    seed: int,
) -> EvasionResult:
    """The smallest moves found for `rows` (n, d) by asking about `budget.queries_per_row` others for each.

    `queries` counts what a black box was asked; a net's file is read, which is no query.
    """
    judge, units = Judge.of(target, goal), np.asarray(scales, np.float64)
    best = Best(rows, Measure(contract, units, goal), judge.crossed or (lambda X: judge.gaps(X) > 0))
    left = np.flatnonzero(contract.validate(rows).valid)
    evolve(judge, best, left, row_words(rows, seed), budget.queries_per_row)
    return best.result(METHOD, seed, best.success | (best.queries >= budget.queries_per_row))


def evolve(judge: Judge, best: Best, rows: Rows, words: Words, asked: int) -> None:
    """Populations for `rows`, each for `asked` candidates; what they find goes to `best`."""
    for start in range(0, rows.size, CHUNK):
        part = rows[start : start + CHUNK]
        colony = _Colony(judge, best, part, words[part])
        for turn in range(1, max(2, asked // SIZE + 1)):
            colony.generation(turn)


class _Colony:
    """SIZE rows for each of n rows, kept as (n, SIZE, d)."""

    def __init__(self, judge: Judge, best: Best, rows: Rows, words: Words) -> None:
        self._judge, self._best, self._rows, self._words = judge, best, rows, words
        self._space = Space.of(best.contract, best.was[rows], best.measure.scales)
        self._reach = np.minimum(self._space.reach(), best.measure.cap)
        self._low, self._high = (np.where(self._space.derived, self._space.was, side) for side in self._limits())
        self._free = self._space.free | self._space.category
        self._x = np.repeat(best.was[rows][:, None, :], SIZE, axis=1)
        self._worth = np.full((len(rows), SIZE), -np.inf)

    def _limits(self) -> tuple[Floats, Floats]:
        """What a column may be at most; where the contract says nothing, as far as the radius reaches."""
        room = self._reach[:, None] * self._space.scales
        return (
            np.maximum(self._space.low, self._space.was - room),
            np.minimum(self._space.high, self._space.was + np.maximum(room, self._space.category * 1e9)),
        )

    def generation(self, turn: int) -> None:
        """Children of two parents each, mutated, repaired, judged; the better half of all stays."""
        n, _, d = self._x.shape
        draw = shares(self._words, turn, SIZE * (2 * d + 4)).reshape(n, SIZE, 2 * d + 4)
        children = self._crossed_over(draw) if turn > 1 else self._x.copy()
        children = self._mutated(children, draw, turn)
        flat = self._repaired(children.reshape(n * SIZE, d))
        self._judged(flat.reshape(n, SIZE, d))

    def _crossed_over(self, draw: Floats) -> Floats:
        """Columns of one good parent or another, the better parents more often."""
        _, size, d = self._x.shape
        one, two = ((draw[:, :, -k] ** 2 * size).astype(np.int64) for k in (1, 2))
        order = np.argsort(-self._worth, axis=1, kind="stable")
        parents = [np.take_along_axis(self._x, np.take_along_axis(order, p, 1)[:, :, None], 1) for p in (one, two)]
        return np.where(draw[:, :, :d] < 0.5, parents[0], parents[1])

    def _mutated(self, children: Floats, draw: Floats, turn: int) -> Floats:
        """Some columns anywhere they may be, some a little, some back to where they were."""
        d = children.shape[2]
        was, low, high = (side[:, None, :] for side in (self._space.was, self._low, self._high))
        radius = np.minimum(self._best.radius[self._rows] * SHRINK, self._reach)[:, None, None]
        low = np.where(self._space.category, low, np.maximum(low, was - radius * self._space.scales))
        high = np.where(self._space.category, high, np.minimum(high, was + radius * self._space.scales))
        chance, value = draw[:, :, :d], draw[:, :, d : 2 * d]
        rate = 2.0 / max(1, int(self._free.sum())) if turn > 1 else draw[:, :, -3:-2]
        anywhere = low + value * (high - low)
        corner = np.where(value < 0.5, low, high)
        near = children + (value - 0.5) * 0.2 * (high - low)
        kind = draw[:, :, -4:-3]
        moved = np.where(kind < 0.3, anywhere, np.where(kind < 0.6, near, np.where(kind < 0.85, corner, was)))
        still = (chance >= rate) | ~self._free | (radius < 1.0) & self._space.category
        found = np.where(still | np.isnan(moved), children, moved)
        return np.clip(found, np.where(np.isnan(low), found, low), np.where(np.isnan(high), found, high))

    def _repaired(self, flat: Floats) -> Floats:
        was = np.repeat(self._space.was, SIZE, axis=0)
        if not self._best.contract.constraints:
            return round_rows(self._best.contract, flat, was)
        return self._best.contract.project(flat, was, self._best.measure.scales).X

    def _judged(self, children: Floats) -> None:
        n, _, d = children.shape
        flat, was = children.reshape(n * SIZE, d), np.repeat(self._space.was, SIZE, axis=0)
        gaps = self._judge.gaps(flat)
        gaps = np.where(np.isfinite(gaps), gaps, -np.inf)
        if self._judge.costs:
            self._best.queries[self._rows] += SIZE
        distance = self._best.measure.of(flat, was)[0].reshape(n, SIZE)
        self._offer(children, gaps.reshape(n, SIZE), distance)
        with np.errstate(over="ignore"):
            worth = np.where(gaps.reshape(n, SIZE) > 0, 1e9 / (1.0 + distance), gaps.reshape(n, SIZE))
        both, both_worth = np.concatenate([self._x, children], 1), np.concatenate([self._worth, worth], 1)
        order = np.argsort(-both_worth, axis=1, kind="stable")[:, :SIZE]
        self._x = np.take_along_axis(both, order[:, :, None], 1)
        self._worth = np.take_along_axis(both_worth, order, 1)

    def _offer(self, children: Floats, gaps: Floats, distance: Floats) -> None:
        """The nearest few of each row's children that seem to be across."""
        rank = np.argsort(np.where(gaps > 0, distance, np.inf), axis=1, kind="stable")
        for place in range(2):
            pick = rank[:, place]
            at = np.flatnonzero(gaps[np.arange(len(gaps)), pick] > 0)
            if at.size:
                known = None if self._judge.crossed else np.ones(at.size, np.bool_)
                self._best.offer(self._rows[at], children[at, pick[at]], known=known)
