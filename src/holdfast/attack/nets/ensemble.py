"""Gradients first, a population for the rows they leave: the strongest attack on a net at the least cost.

After CAA (Simonetto, Ghamizi and Cordy, 2024).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.interface import Budget, EvasionResult, Goal, attack
from holdfast.attack.nets.box import row_words
from holdfast.attack.nets.hunt import Hunt
from holdfast.attack.nets.population import Judge, evolve

if TYPE_CHECKING:
    from holdfast.attack.nets.target import NetTarget
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
METHOD = "evasion.ensemble"


@attack(id=METHOD, version=1, needs=("net",))
def ensemble(
    target: NetTarget,
    rows: Floats,
    *,
    goal: Goal,
    budget: Budget,
    contract: Contract,
    scales: Floats,
    seed: int,
) -> EvasionResult:
    """The smallest moves found for `rows` (n, d) by gradients, or else by a population; floors as `evasion.capgd`."""
    hunt = Hunt(target, rows, goal, budget, contract, np.asarray(scales, np.float64), seed)
    hunt.run()
    best = hunt.best
    left = np.flatnonzero(contract.validate(rows).valid & ~best.success & np.isfinite(best.floor))
    if left.size:
        evolve(Judge.of(target, goal), best, left, row_words(rows, seed), budget.queries_per_row)
        best.nodes[left] += budget.queries_per_row * target.net.n_weights
        hunt.pull_back(left[best.success[left]], best.moved)
    return best.result(METHOD, seed, best.nodes >= budget.nodes_per_row)
