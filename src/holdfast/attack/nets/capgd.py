"""The gradient attack on nets: constrained, minimal, with a floor below which nothing crosses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.interface import Budget, EvasionResult, Goal, attack
from holdfast.attack.nets.hunt import Hunt

if TYPE_CHECKING:
    from holdfast.attack.nets.target import NetTarget
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
METHOD = "evasion.capgd"


@attack(id=METHOD, version=1, needs=("net",))
def capgd(
    target: NetTarget,
    rows: Floats,
    *,
    goal: Goal,
    budget: Budget,
    contract: Contract,
    scales: Floats,
    seed: int,
) -> EvasionResult:
    """The smallest moves found for `rows` (n, d) by gradients; `nodes` counts weights visited.

    `floor` is proven by intervals where L-inf is minimised, else 0. A row that breaks the contract is left alone.
    """
    hunt = Hunt(target, rows, goal, budget, contract, np.asarray(scales, np.float64), seed)
    hunt.run()
    return hunt.best.result(METHOD, seed, hunt.best.nodes >= budget.nodes_per_row)
