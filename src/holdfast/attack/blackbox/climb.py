"""The same where scores are told: what each lever gains is read off, so a box can be searched before it crosses."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.blackbox.asking import Question, Reply
from holdfast.attack.blackbox.box import BoxSearch, Found

Floats = NDArray[np.float64]
SHRINK = (0.5, 0.2, 0.06, 0.02)
PASSES = 5


class ClimbSearch(BoxSearch):
    """A `BoxSearch` whose sweep climbs the score inside a smaller box, lever by lever and all good ones at once."""

    def sweep(self) -> Found:
        """Try smaller boxes, much smaller ones first; whether one of them crossed."""
        for shrink in SHRINK:
            for base in (self.aim, self.space.was):
                crossed = yield from self.climb(base, self.radius * (1.0 - shrink))
                if crossed:
                    yield from self.descend(self.aim)
                    return True
                if self.left <= self.reserve:
                    return False
        return False

    def climb(self, base: Floats, inner: float) -> Found:
        """Raise the score of `base` inside the box of radius `inner` until it crosses, or nothing gains."""
        aim, level = base, -np.inf
        for _ in range(PASSES):
            trials, levers = self.trials(aim, inner)
            reply = yield from self.at(trials, inner)
            if reply.crossed.any():
                self.take(trials, reply)
                return True
            level = max(level, float(reply.margins[0]))
            order = np.argsort(-reply.margins, kind="stable")
            gains = order[reply.margins[order] > level]
            if not gains.size:
                return False
            aim, level, crossed = yield from self.better(aim, trials, levers, gains, reply, inner)
            if crossed:
                return True
        return False

    def better(
        self,
        base: Floats,
        trials: Floats,
        levers: list[int],
        gains: NDArray[np.int64],
        reply: Reply,
        inner: float,
    ) -> Generator[Question, Reply, tuple[Floats, float, bool]]:
        """All levers that gain, each at its best setting, or the best one alone; its score, and whether it crossed."""
        joint = self.joined(base, trials, levers, gains)[None]
        both = yield from self.at(joint, inner)
        if both.crossed.any():
            self.take(joint, both)
            return joint[0], float(both.margins[0]), True
        if both.margins[0] > reply.margins[gains[0]]:
            return joint[0], float(both.margins[0]), False
        return trials[gains[0]], float(reply.margins[gains[0]]), False
