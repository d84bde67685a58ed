"""What a goal means: on a model's raw outputs, and as a distance with limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.evasion.kernels.state import LEVEL, TOP
from holdfast.attack.interface import Goal, Norm
from holdfast.core.contract import Contract
from holdfast.core.contract.distance import moves
from holdfast.core.errors import UsageError
from holdfast.core.formats.trees import Link, TreeEnsemble

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WITHIN = 1e-9
"""Relative room for the rounding of sums against a limit."""


@dataclass(frozen=True, slots=True)
class Aim:
    """LEVEL: sign * (out[output] - level) > 0; TOP: out[output] - max(others) - level > 0."""

    mode: int
    output: int
    sign: float
    level: float
    guard: float
    """How far beyond is beyond doubt: the model's own library rounds sums and scores."""


@dataclass(frozen=True, eq=False)
class Measure:
    """Distances of one goal under one contract, in units of `scales` (d,)."""

    contract: Contract
    scales: Floats
    goal: Goal

    def of(self, moved: Floats, rows: Floats) -> Floats:
        """(n,) distances in the norm that the goal minimises."""
        return self._in(self.goal.minimise, moves(self.contract, moved, rows, self.scales))

    def inside(self, moved: Floats, rows: Floats) -> Bools:
        """(n,) whether all limits of the goal are kept."""
        step = moves(self.contract, moved, rows, self.scales)
        kept = np.ones(len(step), np.bool_)
        for limit in self.goal.within:
            kept &= self._in(limit.norm, step) <= limit.most * (1.0 + WITHIN)
        return kept

    def _in(self, norm: Norm, step: Floats) -> Floats:
        if norm is Norm.LINF:
            return np.asarray(step.max(axis=1, initial=0.0))
        if norm is Norm.L1:
            return np.asarray(step @ np.array([feature.cost for feature in self.contract.features]))
        if norm is Norm.L2:
            return np.asarray(np.sqrt((step**2).sum(axis=1)))
        return np.asarray((step > 0) @ shares(self.contract))


def shares(contract: Contract) -> Floats:
    """(d,) what a changed column adds to the number of changes: members of a one-hot group change in pairs."""
    grouped = {column for group in contract.groups for column in group}
    return np.array([0.5 if column in grouped else 1.0 for column in range(len(contract.features))])


def compile_goal(ensemble: TreeEnsemble, goal: Goal) -> Aim:
    """The gap to close, in raw outputs. Raises UsageError HF-ATK-003 where the goal does not fit the model."""
    _check(ensemble, goal)
    if ensemble.n_classes > 2:
        return _aim(ensemble, goal, TOP, goal.to, 1.0, 0.0)
    level = _level(ensemble, goal.threshold)
    if ensemble.n_outputs == 1:
        # The one output is that of class 1: it rises towards class 1, and P(0) >= t reads P(1) <= 1 - t.
        level = level if goal.positive == 1 else _level(ensemble, 1.0 - goal.threshold)
        return _aim(ensemble, goal, LEVEL, 0, 1.0 if goal.to == 1 else -1.0, level)
    if ensemble.link is Link.SOFTMAX:
        return _aim(ensemble, goal, TOP, goal.to, 1.0, level if goal.to == goal.positive else -level)
    return _aim(ensemble, goal, LEVEL, goal.positive, 1.0 if goal.to == goal.positive else -1.0, level)


def reached(aim: Aim, outputs: Floats) -> NDArray[np.bool_]:
    """Which rows of outputs (n, K) stand strictly beyond the decision."""
    own = outputs[:, aim.output]
    if aim.mode == LEVEL:
        return np.asarray(aim.sign * (own - aim.level) > 0)
    others = np.delete(outputs, aim.output, axis=1)
    return np.asarray(own - others.max(axis=1) - aim.level > 0)


def _aim(ensemble: TreeEnsemble, goal: Goal, mode: int, output: int, sign: float, level: float) -> Aim:
    return Aim(mode, output, sign, level, _guard(ensemble, goal))


def _guard(ensemble: TreeEnsemble, goal: Goal) -> float:
    """How far beyond the decision is beyond doubt: sums and scores are rounded by the model's own library."""
    precision = float(np.finfo(ensemble.sum_dtype).eps)
    largest = np.abs(ensemble.leaf).max(initial=0.0) * ensemble.scale
    sums = precision * float(np.abs(ensemble.base).max(initial=0.0) + largest * math.sqrt(ensemble.n_trees))
    steep = goal.threshold * (1.0 - goal.threshold) if ensemble.link is Link.SIGMOID else 1.0
    scores = precision / (ensemble.slope * steep)
    return max(sums, scores)


def _level(ensemble: TreeEnsemble, threshold: float) -> float:
    """The raw output at which a class's probability is `threshold`."""
    if ensemble.link is Link.MEAN:
        return threshold
    if ensemble.link is Link.STEP:
        return 0.0
    logit = math.log(threshold) - math.log1p(-threshold)
    return logit / ensemble.slope if ensemble.link is Link.SIGMOID else logit


def _check(ensemble: TreeEnsemble, goal: Goal) -> None:
    if ensemble.n_classes < 2:
        raise _unfit("the model tells no classes apart", "it is a regression or a ranking")
    if not (0 <= goal.to < ensemble.n_classes and 0 <= goal.positive < ensemble.n_classes):
        raise _unfit(f"there is no class {goal.to} or {goal.positive}", f"the model has {ensemble.n_classes} classes")
    if not 0.0 < goal.threshold < 1.0:
        raise _unfit(f"no decision is made at {goal.threshold}", "a threshold is a probability between 0 and 1")


def _unfit(problem: str, cause: str) -> UsageError:
    fix = "correct 'task' (kind, positive, harm, threshold) in holdfast.yaml"
    return UsageError(f"the goal does not fit the model: {problem}", cause=cause, fix=fix, code="HF-ATK-003")
