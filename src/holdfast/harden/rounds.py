"""Rounds of attack and training: the tree search moves caught cases of the training rows, and what crosses is taught.

The search stops right behind the decision, where a copy teaches most; `steps` tries a handful of values and is fooled
sooner. That the judge knows the same search is why candidates are compared by what is proven of them (`study`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from holdfast.attack import Budget, Goal, TreeTarget, attack
from holdfast.attack.interface import EvasionResult
from holdfast.core.contract import FeatureMap
from holdfast.core.formats.read import read_buffer
from holdfast.core.learn.interface import Fitted
from holdfast.harden.interface import Bench
from holdfast.harden.scores import level_for

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
BUDGET = Budget(nodes_per_row=3_000_000, restarts=0)


def caught(bench: Bench, margins: Floats, labels: Floats, level: float) -> Bools:
    """Cases that stand where they belong, the decision being at `level`."""
    decided = margins >= level
    return np.asarray((labels == bench.harmed) & (decided == (bench.harmed == 1)), np.bool_)


def search(bench: Bench, fitted: Fitted, rows: Floats, level: float, seed: int) -> EvasionResult:
    """Attack training rows (n, d) of a model that decides for class 1 from the margin `level` on."""
    features = FeatureMap.of(bench.contract, (), tuple(bench.contract.names[column] for column in bench.order))
    target = TreeTarget.of(read_buffer(fitted.save()), bench.contract, features)
    goal = Goal(to=1 - bench.harmed, positive=1, threshold=1 / (1 + math.exp(-level)))
    return attack(target, rows, goal=goal, budget=BUDGET, contract=bench.contract, scales=bench.scales, seed=seed)


def crossing(bench: Bench, fitted: Fitted, reach: float, most: int, seed: int) -> Floats:
    """Copies (m, d) of caught training cases that the search moved across inside a box of radius `reach`."""
    margins = fitted.margins(bench.X)
    level = level_for(margins, bench.flag_rate)
    cases = np.flatnonzero(caught(bench, margins, bench.y, level))
    chosen = np.random.default_rng((bench.seed, seed)).permutation(cases)[:most]
    if not chosen.size:
        return bench.X[:0]
    found = search(bench, fitted, bench.X[chosen], level, seed)
    return found.adversarial[found.success & (found.linf <= reach)]
