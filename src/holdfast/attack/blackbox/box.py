"""The smallest box around a row that holds a crossing point, found from decisions alone.

A search holds an aim: a point far away in a good direction. Clipped into boxes around the row, an aim crosses from some
radius on; bisection finds it, and it is what an aim is worth. Just below it one lever alone that makes the aim cross
again is one that helps: a sweep over all levers tells which way each should go, and all of them are pulled together.
Where no single lever helps, several are stirred at random. Two ideas are known ones: to search directions by the radius
at which they cross, and to ask at the best radius first and bisect only where that crossed (Chen and Gu, "RayS", 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.blackbox.asking import Question, Reply
from holdfast.attack.blackbox.space import Space
from holdfast.attack.blackbox.trim import TrimSearch

Floats = NDArray[np.float64]
Steps = Generator[Question, Reply, None]
Found = Generator[Question, Reply, bool]

STARTS = 12
AMONG = (480, 480, 120, 48, 24, 12, 12, 0, 0, 0)
"""Of how many other rows the nearest are taken as starts, batch by batch: near ones rarely cross, and cross well; the
last batches are drawn at random."""
FINE = 0.005
"""Relative width at which a bisection ends."""
EXACT = 1e-5
"""The same where nothing gains any more: what is left is to be had for a few questions."""
FIRST = (0.4, 0.7, 0.9)
"""Shares of the radius that a descent asks first, together."""
SHRINK = (0.15, 0.05, 0.015)
"""How far below the best radius levers are tried, from coarse to fine."""
BETWEEN = 2
"""Values between the ends of the box that a sweep tries of each column."""
STIRS = 8
QUIET = 16
"""Turns without gain after which a run ends and another begins, from another start."""
RUNS = 12


class BoxSearch:
    """One row's search. Methods that ask are generators; `radius` is that of the best point found, `point` it.

    It leaves `reserve` queries of the row unspent and starts inside a box of radius `cap`. `strict`: the goal's own
    norm is L-inf, so that what lies beyond the best radius need not be asked.
    """

    def __init__(self, space: Space, reserve: int, cap: float = np.inf, *, strict: bool = True) -> None:
        self.space, self.rng, self.reserve, self.cap, self.strict = space, space.rng, reserve, cap, strict
        self.radius = np.inf
        self.left = 1 << 40
        self.point = self.tightened = space.was
        self.aim = space.was

    @property
    def found(self) -> bool:
        return bool(np.isfinite(self.radius))

    def run(self) -> Steps:
        """Search from several starts, one after another, until only the reserve of queries is left."""
        best = self.radius, self.point
        for _ in range(RUNS):
            self.radius, before = np.inf, self.left
            yield from self.once()
            best = min(best, (self.radius, self.point), key=lambda found: found[0])
            if not self.reserve < self.left < before or best[0] in (0.0, np.inf):
                break
        self.radius, self.point = best

    def once(self) -> Steps:
        """From one start, until nothing gains."""
        yield from self.start()
        turns, quiet = self._turns(), 0
        while self.found and self.radius > 0 and quiet < QUIET and self.left > self.reserve:
            gained = yield from turns[quiet % len(turns)]()
            quiet = 0 if gained else quiet + 1
            if quiet == 1:
                yield from self.descend(self.aim, EXACT)

    def _turns(self) -> tuple[Callable[[], Found], ...]:
        if self.space.tied:
            return (self.sweep, self.tighten, self.sweep, self.lean, self.stir, self.lean, self.stir, self.fresh)
        return (self.sweep, self.lean, self.stir, self.lean, self.stir, self.fresh)

    def tighten(self) -> Found:
        """Take back what the best point does not need: relations between columns give others that much more room."""
        if np.array_equal(self.point, self.tightened, equal_nan=True):
            return False
        trim = TrimSearch(self.space, self.point, self.space.tied)
        yield from trim.once()
        self.left = trim.left
        columns = [column for lever in self.space.tied for column in lever]
        self.aim = self.aim.copy()
        self.aim[columns] = trim.point[columns]
        self.point = self.tightened = trim.point
        self.radius = min(self.radius, self.space.radius(trim.point))
        return False

    def start(self) -> Steps:
        """Some that cross, and of these the one that still does in the smallest box: halved until one is left."""
        aims = np.empty((0, len(self.space.was)))
        for among in AMONG:
            aims = self.space.starts(STARTS, among)
            reply = yield from self.at(aims, self.cap)
            if reply.crossed.any():
                break
        else:
            return
        aims = self.take(aims, reply)
        while len(aims) > 1 and self.left > self.reserve:
            reply = yield from self.at(aims, self.radius / 2)
            if not reply.crossed.any():
                break
            aims = self.take(aims, reply)
        yield from self.descend(self.aim)

    def at(self, aims: Floats, radii: float | Floats) -> Generator[Question, Reply, Reply]:
        """Ask of aims (k, d) in boxes of the given radii (k,); what is not nearer than the best is not asked."""
        wide = np.broadcast_to(np.asarray(radii, np.float64), (len(aims),))
        below = self.radius if self.strict else np.inf
        reply = yield Question(self.space.clip(aims, wide), below)
        self.left = reply.left
        radii = self.space.radii(reply.points)
        margins = np.where(radii < self.radius, reply.margins, -np.inf)
        return replace(reply, distances=radii, margins=margins)

    def take(self, aims: Floats, reply: Reply) -> Floats:
        """Make the nearest that crossed the best; the aims that crossed."""
        nearest = reply.nearest
        self.aim, self.point = aims[nearest], reply.points[nearest]
        self.radius = float(reply.distances[nearest])
        return aims[reply.crossed]

    def descend(self, aim: Floats, fine: float = FINE) -> Steps:
        """Bisect the radius from which on `aim` crosses, below the best, down to a relative width of `fine`."""
        low, shares = self.radius * (1.0 - 2 * FINE) if fine < FINE else 0.0, np.array(FIRST)
        while self.radius - low > fine * self.radius and self.left > self.reserve:
            radii = low + (self.radius - low) * shares
            aims = np.repeat(aim[None], len(radii), axis=0)
            reply = yield from self.at(aims, radii)
            if reply.crossed.any():
                self.take(aims, reply)
            missed = radii[~reply.crossed & (radii < self.radius)]
            low, shares = max(low, float(missed.max(initial=0.0))), np.array([0.5])

    def sweep(self) -> Found:
        """Try every lever just below the best radius; whether any helped."""
        for shrink in SHRINK:
            inner = self.radius * (1.0 - shrink)
            trials, levers = self.trials(self.aim, inner)
            reply = yield from self.at(trials, inner)
            if reply.crossed.any():
                joint = self.joined(self.aim, trials, levers, np.flatnonzero(reply.crossed))
                self.take(trials, reply)
                yield from self.pull(joint)
                return True
            if self.left <= self.reserve:
                return False
        return False

    def pull(self, joint: Floats) -> Steps:
        """Go on from all helpful levers together, or from the best single one."""
        reply = yield from self.at(joint[None], self.radius * (1.0 - FINE))
        if reply.crossed.any():
            self.take(joint[None], reply)
        yield from self.descend(self.aim)

    def trials(self, base: Floats, inner: float) -> tuple[Floats, list[int]]:
        """`base` with one lever set anew (k, d), for every value of every lever, and which lever that was."""
        aims, levers = [base], [-1]
        for number, lever in enumerate(self.space.levers):
            for value in self.space.options(lever, inner, between=BETWEEN):
                aim = base.copy()
                aim[list(lever)] = value
                aims.append(aim)
                levers.append(number)
        return np.array(aims), levers

    def joined(self, base: Floats, trials: Floats, levers: list[int], chosen: NDArray[np.int64]) -> Floats:
        """`base` with the levers of the chosen trials; of two settings of one lever the first of them."""
        joint, seen = base.copy(), set()
        for i in chosen:
            if levers[i] >= 0 and levers[i] not in seen:
                seen.add(levers[i])
                columns = list(self.space.levers[levers[i]])
                joint[columns] = trials[i][columns]
        return joint

    def stir(self) -> Found:
        """Set two to five levers at random; whether that helped."""
        inner = self.radius * (1.0 - 4 * FINE)
        aims = np.array([self.stirred(inner) for _ in range(STIRS)])
        reply = yield from self.at(aims, inner)
        if not reply.crossed.any():
            return False
        self.take(aims, reply)
        yield from self.descend(self.aim)
        return True

    def lean(self) -> Found:
        """Learn which levers help where the model is close to its decision; whether that helped.

        Just below the best radius a row may be far from crossing, and no single lever shows. So levers of the crossing
        point are put back, in random order, until it no longer crosses: there it is close, and every lever that makes
        it cross again helps. What was learned is kept as the aim if it still crosses at the best radius.
        """
        weak = yield from self.weakened()
        if weak is None:
            return False
        trials, levers = self.trials(weak, self.radius)
        reply = yield from self.ask_within(trials)
        if not reply.crossed.any():
            return False
        joint = self.joined(self.aim, trials, levers, np.flatnonzero(reply.crossed))[None]
        reply = yield from self.at(joint, self.radius * (1.0 - 2 * FINE))
        if reply.crossed.any():
            self.take(joint, reply)
            yield from self.descend(self.aim)
            return True
        reply = yield from self.ask_within(joint)
        self.aim = joint[0] if reply.crossed[0] else self.aim
        return False

    def weakened(self) -> Generator[Question, Reply, Floats | None]:
        """The aim with as many levers put back, in random order, as it takes to not cross; None where none does."""
        order = self.rng.permutation(len(self.space.levers))
        low, high, weak = 0, len(order), None
        while high - low > 1 and self.left > self.reserve:
            middle = (low + high) // 2
            columns = [column for number in order[:middle] for column in self.space.levers[number]]
            trial = self.aim.copy()
            trial[columns] = self.space.was[columns]
            reply = yield from self.ask_within(trial[None])
            if reply.crossed[0]:
                low = middle
            else:
                high, weak = middle, trial
        return weak

    def ask_within(self, aims: Floats) -> Generator[Question, Reply, Reply]:
        """What aims (k, d) do in the box of the best radius itself."""
        reply = yield Question(self.space.clip(aims, np.full(len(aims), self.radius)), self._just_beyond())
        self.left = reply.left
        return reply

    def _just_beyond(self) -> float:
        return self.radius * (1.0 + 1e-9) if self.strict else np.inf

    def fresh(self) -> Found:
        """Other starts in the best box; whether one of them crosses there."""
        inner = self.radius * (1.0 - 2 * FINE)
        aims = self.space.starts(STIRS, int(self.rng.choice(AMONG)))
        other = self.rng.random(aims.shape) < 0.5
        aims = np.where(other, aims, self.aim)
        reply = yield from self.at(aims, inner)
        if not reply.crossed.any():
            return False
        self.take(aims, reply)
        yield from self.descend(self.aim)
        return True

    def stirred(self, inner: float) -> Floats:
        aim = self.aim.copy()
        some = min(len(self.space.levers), int(self.rng.integers(2, 6)))
        for number in self.rng.permutation(len(self.space.levers))[:some]:
            options = self.space.options(self.space.levers[number], inner, between=2)
            aim[list(self.space.levers[number])] = options[self.rng.integers(len(options))]
        for lever in self.space.tied if self.rng.random() < 0.5 else ():
            if self.rng.random() < 0.5:
                aim[list(lever)] = self.space.was[list(lever)]
        return aim
