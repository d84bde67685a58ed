"""What a goal means on a net's raw outputs, and which way they must go."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.interface import Goal
from holdfast.core.errors import UsageError
from holdfast.core.formats.nets import Net
from holdfast.core.formats.trees import Link

Floats = NDArray[np.float64]
ROUNDING = 32.0
"""How many units of the last place two ways of summing the same layer are allowed to differ."""


@dataclass(frozen=True, slots=True)
class NetAim:
    """Level: sign * (out[output] - level) > 0. Top: out[output] - max(others) - level > 0."""

    top: bool
    output: int
    sign: float
    level: float
    score_guard: float
    """How far beyond the decision rounded scores are beyond doubt, in raw outputs."""

    def gaps(self, raw: Floats) -> Floats:
        """(n,) how far beyond the decision outputs (n, K) stand; above 0 is where the attacker wants to be."""
        own = raw[:, self.output]
        if not self.top:
            return np.asarray(self.sign * (own - self.level))
        return np.asarray(own - np.delete(raw, self.output, axis=1).max(axis=1) - self.level)

    def pull(self, raw: Floats) -> Floats:
        """(n, K) how the gap changes with each output."""
        found = np.zeros_like(raw)
        found[:, self.output] = 1.0 if self.top else self.sign
        if self.top:
            others = raw.copy()
            others[:, self.output] = -np.inf
            found[np.arange(len(raw)), others.argmax(axis=1)] = -1.0
        return found

    def highest(self, low: Floats, high: Floats) -> Floats:
        """(n,) the gap no outputs between `low` and `high` (n, K) exceed."""
        if not self.top:
            return np.asarray(self.sign * ((high if self.sign > 0 else low)[:, self.output] - self.level))
        return np.asarray(high[:, self.output] - np.delete(low, self.output, axis=1).max(axis=1) - self.level)


def aim_at(net: Net, goal: Goal) -> NetAim:
    """The gap to close. Raises UsageError HF-ATK-003 where the goal does not fit the net."""
    _check(net, goal)
    if net.n_classes > 2:
        return NetAim(True, goal.to, 1.0, 0.0, 0.0)
    wanted = goal.to == goal.positive
    level, guard = _level(net, goal.threshold), _guard(net, goal.threshold)
    if net.n_outputs == 1:
        # The one output is that of class 1: it rises towards class 1, and P(0) >= t reads P(1) <= 1 - t.
        level = level if goal.positive == 1 else _level(net, 1.0 - goal.threshold)
        return NetAim(False, 0, 1.0 if goal.to == 1 else -1.0, level, guard)
    if net.link is Link.SOFTMAX:
        return NetAim(True, goal.to, 1.0, level if wanted else -level, guard)
    return NetAim(False, goal.positive, 1.0 if wanted else -1.0, level, guard)


def _level(net: Net, threshold: float) -> float:
    """The raw output at which a class's score is `threshold`."""
    if net.link is Link.IDENTITY:
        return threshold
    return 0.0 if net.link is Link.STEP else math.log(threshold) - math.log1p(-threshold)


def _guard(net: Net, threshold: float) -> float:
    precision = float(np.finfo(net.dtype).eps)
    return 4.0 * precision / (threshold * (1.0 - threshold)) if net.link in (Link.SIGMOID, Link.SOFTMAX) else precision


def _check(net: Net, goal: Goal) -> None:
    if not (0 <= goal.to < net.n_classes and 0 <= goal.positive < net.n_classes):
        raise _unfit(f"there is no class {goal.to} or {goal.positive}", f"the model has {net.n_classes} classes")
    if not 0.0 < goal.threshold < 1.0:
        raise _unfit(f"no decision is made at {goal.threshold}", "a threshold is a probability between 0 and 1")


def _unfit(problem: str, cause: str) -> UsageError:
    fix = "correct 'task' (kind, positive, harm, threshold) in holdfast.yaml"
    return UsageError(f"the goal does not fit the model: {problem}", cause=cause, fix=fix, code="HF-ATK-003")
