"""Constrained search for the smallest move that changes a tree model's decision.

Method: exact margins of all single-column moves in one pass over the trees, steepest ascent inside a box of weighted
L-inf, bisection on the box, pull-back of what was not needed; tied, repairing and paired moves where single ones stop.
After Zhang et al., "An Efficient Adversarial Attack for Tree Ensembles" (NeurIPS 2020), with the contract inside.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.bins import Forest, Grid
from holdfast.attack.evasion.compile import compile_lines, compile_rules
from holdfast.attack.evasion.goal import Measure, compile_goal, reached
from holdfast.attack.evasion.kernels import sums
from holdfast.attack.evasion.kernels.bound import ENTRY, UNDO
from holdfast.attack.evasion.kernels.branch import FORKS
from holdfast.attack.evasion.kernels.moves import NARROW, WIDE
from holdfast.attack.evasion.kernels.search import search_row
from holdfast.attack.evasion.kernels.state import Arena, State
from holdfast.attack.interface import Budget, EvasionResult, Goal, Limit, Norm, attack
from holdfast.attack.target import TreeTarget
from holdfast.core.contract import Contract
from holdfast.core.contract.distance import l1_cost, linf

METHOD = "evasion.search"
NORMS = {Norm.LINF: sums.LINF, Norm.L1: sums.L1, Norm.L0: sums.L0, Norm.L2: sums.L2}
EVERYWHERE = 1e308
"""The largest box. Slots that are not allowed are farther: at inf."""
HALF = 0.25
"""Numbers of columns are counted in halves."""
ROUNDING = 1e-12
ROUNDS = 3
"""Rows whose gap the model's own rounding undoes are searched again, each time further beyond the decision."""
CAUTION = 16.0

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@attack(id=METHOD, version=2, needs=("trees",))
def search(
    target: TreeTarget,
    rows: Floats,
    *,
    goal: Goal,
    budget: Budget,
    contract: Contract,
    scales: Floats,
    seed: int,
) -> EvasionResult:
    """The smallest moves found for `rows` (n, d); a row that breaks the contract before the attack is left alone."""
    plan = Plan(target, goal, contract, scales)
    measure = Measure(contract, scales, goal)
    seeds = np.array([_seed(row, seed) for row in rows], np.int64)
    moved, success = rows.copy(), np.zeros(len(rows), np.bool_)
    nodes, floor = np.zeros(len(rows), np.int64), np.zeros(len(rows))
    left = np.flatnonzero(contract.validate(rows).valid)
    for turn in range(ROUNDS if left.size else 0):
        found = plan.run(rows[left], seeds[left], budget, caution=CAUTION**turn)
        arrived = np.isfinite(found.distances)
        kept = arrived & plan.confirmed(found.moved, rows[left])
        moved[left[kept]], success[left[kept]] = found.moved[kept], True
        nodes[left] += found.spent
        if turn == 0:
            floor[left] = found.floors
        left = left[arrived & ~kept]
        if not left.size:
            break
    distances = np.where(success, measure.of(moved, rows), np.inf)
    return EvasionResult(
        success=success,
        adversarial=moved,
        linf=np.where(success, linf(contract, moved, rows, scales), np.inf),
        floor=np.minimum(floor, distances),
        cost=np.where(success, l1_cost(contract, moved, rows, scales), np.inf),
        valid=contract.validate(moved, rows).valid,
        nodes=nodes,
        exhausted=nodes >= budget.nodes_per_row,
        seed=seed,
        method=METHOD,
        distance=distances,
        queries=np.zeros(len(rows), np.int64),
    )


def _seed(row: Floats, seed: int) -> int:
    """A row's own seed, so that its result does not depend on the rows around it; never 0."""
    mixed = hashlib.blake2b(row.tobytes(), digest_size=8, key=seed.to_bytes(16, "little", signed=True)).digest()
    return int.from_bytes(mixed, "little", signed=True) | 1


@dataclass(frozen=True, eq=False)
class Found:
    """What the kernel says of n rows, before anyone confirmed it."""

    moved: Floats
    distances: Floats
    floors: Floats
    spent: NDArray[np.int64]


class Plan:
    """A target, a goal and a contract, ready for kernels. Not for two threads at once."""

    def __init__(self, target: TreeTarget, goal: Goal, contract: Contract, scales: Floats) -> None:
        self._target = target
        self._contract = contract
        self._goal = goal
        self._aim = compile_goal(target.ensemble, goal)
        self._measure = Measure(contract, scales, goal)
        moves, counts = compile_lines(contract)
        self.arena = Arena(
            State,
            {
                **_model(target.forest, target.grid),
                **compile_rules(contract, scales),
                **moves,
                **_scratch(target.forest, target.grid),
            },
            {**_sizes(target.forest, target.grid), **counts, "n_derived": len(contract.derived)},
        )

    def run(self, rows: Floats, seeds: NDArray[np.int64], budget: Budget, caution: float = 1.0) -> Found:
        """Search every row of (n, d); `caution` multiplies how far beyond the decision a row must come."""
        arena = self.arena
        self.begin(caution)
        arena.set(limit=budget.nodes_per_row, restarts=budget.restarts)
        found = Found(rows.copy(), np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(len(rows), np.int64))
        for i, row in enumerate(rows):
            arena.arrays["was"][:] = row
            arena.set(random=seeds[i])
            search_row(arena.state)
            found.moved[i] = arena.arrays["best"]
            found.distances[i], found.floors[i] = arena.get("found"), arena.get("floor")
            found.spent[i] = int(arena.get("visited"))
        if self._goal.minimise is Norm.L2:
            found = replace(found, distances=np.sqrt(found.distances), floors=np.sqrt(found.floors))
        return replace(found, moved=self._contract.derive(found.moved))

    def begin(self, caution: float = 1.0) -> None:
        """Hand the goal to the kernels."""
        aim, goal = self._aim, self._goal
        caps = self.arena.arrays["caps"]
        caps[:] = np.inf
        caps[sums.LINF] = EVERYWHERE
        for limit in goal.within:
            number = NORMS[limit.norm]
            caps[number] = min(caps[number], _cap(limit))
        totals = np.isfinite(caps[1:]).any() or goal.minimise is not Norm.LINF
        self.arena.set(norm=NORMS[goal.minimise], capped=int(totals), greed=0)
        self.arena.set(aim_mode=aim.mode, aim_output=aim.output, aim_sign=aim.sign, aim_level=aim.level)
        self.arena.set(aim_guard=aim.guard * caution)

    def confirmed(self, moved: Floats, rows: Floats) -> Bools:
        """Which moved rows keep the contract and stand beyond the decision on the model's own arithmetic."""
        valid: Bools = self._contract.validate(moved, rows).valid & self._measure.inside(moved, rows)
        return valid & reached(self._aim, self._target.margins(moved))


def _cap(limit: Limit) -> float:
    """A limit as kernels count: L2 squared, sums with room for the rounding of their last digit."""
    if limit.norm is Norm.LINF:
        return limit.most
    if limit.norm is Norm.L0:
        return math.floor(limit.most) + HALF
    return (limit.most**2 if limit.norm is Norm.L2 else limit.most) * (1.0 + ROUNDING)


def _model(forest: Forest, grid: Grid) -> dict[str, Any]:
    return {**forest._asdict(), **grid._asdict()}


def _sizes(forest: Forest, grid: Grid) -> dict[str, float]:
    return {
        "n_trees": forest.roots.size,
        "n_outputs": forest.base.size,
        "width": forest.leaf.shape[1],
        "n_columns": grid.size.size,
        "n_slots": grid.low.size,
        "n_options": grid.low.size,
        "n_short": NARROW,
    }


def _scratch(forest: Forest, grid: Grid) -> dict[str, Any]:
    """Room for one row."""
    per_column = "x was best x_before bins change_column change_value change_bin"
    per_column += " reach_low reach_high reach_missing span_low span_high"
    per_column += " torn choice part_far kept_low kept_high kept_missing"
    per_column += " trail_low trail_high trail_missing trail_tree"
    depth = forest.depth + 1
    rooms = {
        per_column: grid.size.size,
        "reach_mask trail_mask kept_mask": int(grid.word[-1]),
        "value far radii begins ends loss": grid.low.size,
        "out out_ahead out_most out_least leaf_most leaf_least": forest.base.size,
        "caps spent part_spent leaf_spent": len(NORMS),
        "delta": forest.base.size * grid.low.size,
        "stack": ENTRY * depth,
        "undo": 2 * UNDO * depth,
        "stack_mask route pick": depth,
        "fork_column fork_at fork_kind fork_open": FORKS,
        "options": grid.low.size,
        "short_line short_value short_hope first_line first_value first_hope": WIDE,
    }
    return {name: np.zeros(size) for names, size in rooms.items() for name in names.split()}
