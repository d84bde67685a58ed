"""Small contracts over a grid that can be enumerated, models on it, and the true minimum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forests import every_row, forest, target_of
from holdfast.attack import Goal, TreeTarget
from holdfast.attack.evasion.exact.ground import Ground
from holdfast.attack.evasion.goal import compile_goal, reached
from holdfast.core.contract import Contract

Floats = NDArray[np.float64]

GRID = """
version: 1
features:
  a: {type: integer, min: 0, max: 6, move: any, cost: 2}
  b: {type: integer, min: 0, max: 6, move: any}
  c: {type: integer, min: 0, max: 6, move: up}
  d: {type: category, values: [0, 1, 2], move: any}
"""
SCALES = np.array([6.0, 5.0, 6.0, 1.0])
CUTS = [np.arange(1.0, 7.0), np.arange(1.0, 7.0), np.arange(1.0, 7.0), [0.5, 1.5]]
ALL = every_row([range(7), range(7), range(7), range(3)])
RELATIONS = {
    "none": [],
    "budget": ["a + b + c - was(a) - was(b) - was(c) <= 2"],
    "order": ["a <= b"],
    "two sums": ["a + b == 6", "b + c == 7"],
    "if": ["if a >= 4 then c >= 3"],
    "if equal": ["if d == 1 then a + b == 5"],
    "if two": ["if a >= 3 and b >= 3 then c >= 4 and d != 2"],
    "not": ["a != 3", "a + b != was(a) + was(b) + 1"],
    "strict": ["a + b < 8", "c > b - 4"],
}
CROOKED = {"ratio": ["a / b <= 2"], "product": ["a * b >= 4"]}


def written(rules: list[str], features: str = GRID) -> Contract:
    lines = "".join(f'  - {{id: r{i}, rule: "{rule}"}}\n' for i, rule in enumerate(rules))
    return Contract.parse(features + (f"relations:\n{lines}" if rules else ""))


def cases(
    contract: Contract, seed: int, count: int, rows: Floats = ALL, goal: Goal | None = None, **shape: object
) -> tuple[TreeTarget, Floats, Goal]:
    """A model and valid rows that do not reach the goal."""
    rng, goal = np.random.default_rng(seed), goal or Goal(to=0)
    target = target_of(forest(rng, CUTS[: len(contract.features)], **shape), contract)  # type: ignore[arg-type]
    rows = contract.derive(rows[rng.permutation(len(rows))])
    rows = rows[contract.validate(rows).valid]
    rows = rows[~reached(compile_goal(target.ensemble, goal), target.margins(rows))]
    return target, rows[:count], goal


def least(ground: Ground, rows: Floats, was: Floats) -> float:
    """By enumeration."""
    contract, goal = ground.contract, ground.goal
    rows = contract.derive(rows)
    before = np.broadcast_to(was, rows.shape)
    good = contract.validate(rows, before).valid & reached(ground.aim, ground.target.margins(rows))
    for limit in goal.within:
        good &= ground.distances(limit.norm, rows, before) <= limit.most + 1e-9
    return float(ground.distances(goal.minimise, rows[good], before[good]).min(initial=np.inf))
