"""Veritas's robustness search on our trees: a bound below which nothing crosses, and rows that ignore the contract.

Its trees ask `x < t`, so every threshold is written as the first value that goes right. It takes one output over plain
numbers; categories, missing values and preprocessing are refused. Its floor leaves the contract out, so it holds under
any; its rows are projected and count only if they still cross.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.adapters.frame import Frame, needed
from holdfast.attack.evasion.goal import compile_goal, reached
from holdfast.attack.interface import Budget, EvasionResult, Goal, Norm, attack
from holdfast.core.errors import TargetError
from holdfast.core.formats.trees import LEAF, NUMERIC, Link, TreeEnsemble

if TYPE_CHECKING:
    from holdfast.attack.target import TreeTarget
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
REQUIREMENT = "dtai-veritas==0.3.1"
METHOD = "veritas.robustness"
STEPS = 20
SECONDS = 10.0
START = 1.0
ROUNDING = 1e-6
"""Relative: thresholds are divided by units, and may be kept in single precision."""


@attack(id=METHOD, version=1, needs=("trees",))
def robustness(
    target: TreeTarget, rows: Floats, *, goal: Goal, budget: Budget, contract: Contract, scales: Floats, seed: int
) -> EvasionResult:
    """VeritasRobustnessSearch row by row, `budget.seconds_per_row` (10) for each; no longer the same on every machine.

    Raises PrerequisiteError without Veritas, TargetError HF-ATK-001 where it cannot read the trees.
    """
    veritas = needed("veritas", REQUIREMENT)
    asked = _Asked(target, goal)
    frame = Frame(asked, rows, goal, contract, scales)
    trees = _trees(veritas, target, asked, np.asarray(scales, np.float64))
    for row in frame.rows:
        own, was = np.array([row]), rows[row] / frame.scales
        frame.offer(was[None], own)
        if frame.best.success[row]:
            continue
        given = {"source_at": None, "target_at": None} | {"target_at" if asked.aim.sign > 0 else "source_at": trees}
        seconds = budget.seconds_per_row or SECONDS
        search = veritas.VeritasRobustnessSearch(was, START, **given, num_steps=STEPS, max_time=seconds, silent=True)
        _, lower, _ = search.search()
        for example in search.generated_examples:
            frame.offer(np.asarray(example, np.float64)[None], own)
        if goal.minimise is Norm.LINF:
            frame.best.floor[row] = max(0.0, lower - ROUNDING * (1.0 + float(np.abs(was).max())))
    frame.best.queries[:] = 0
    return frame.best.result(METHOD, seed, ~frame.best.success)


class _Asked:
    """Trees that answer as a black box does."""

    def __init__(self, target: TreeTarget, goal: Goal) -> None:
        self._target = target
        self.aim: Any = compile_goal(target.ensemble, goal)

    def margins(self, X: Floats, _: Goal) -> Floats:
        """1 for rows beyond the decision, else -1."""
        return np.where(reached(self.aim, self._target.margins(X)), 1.0, -1.0)


def _trees(veritas: Any, target: TreeTarget, asked: _Asked, scales: Floats) -> Any:
    ensemble, output = target.ensemble, asked.aim.output
    _check(target)
    found = veritas.AddTree(1, veritas.AddTreeType.REGR)
    columns = np.array([source.column for source in target.feature_map.sources])
    cuts = _first_right(ensemble) / scales[columns[np.maximum(ensemble.feature, 0)]]
    width = ensemble.leaf.shape[1]
    for root, to in zip(ensemble.roots.tolist(), ensemble.tree_output.tolist(), strict=True):
        if to in (-1, output):
            values = ensemble.leaf[:, output if to < 0 and width > 1 else 0] * ensemble.scale
            _grow(found.add_tree(), ensemble, root, columns, cuts, values)
    found.set_base_score(0, float(ensemble.base[output] * ensemble.scale - asked.aim.level))
    return found


def _grow(tree: Any, ensemble: TreeEnsemble, root: int, columns: Any, cuts: Floats, values: Floats) -> None:
    pending = [(root, tree.root())]
    while pending:
        node, place = pending.pop()
        if ensemble.feature[node] == LEAF:
            tree.set_leaf_value(place, 0, float(values[node]))
            continue
        tree.split(place, int(columns[ensemble.feature[node]]), float(cuts[node]))
        pending += [(int(ensemble.left[node]), tree.left(place)), (int(ensemble.right[node]), tree.right(place))]


def _first_right(ensemble: TreeEnsemble) -> Floats:
    """(N,) the first value that goes right at each node."""
    if ensemble.operator == "<":
        return ensemble.threshold
    narrow = ensemble.threshold.astype(ensemble.compare_dtype)
    return np.asarray(np.nextafter(narrow, narrow.dtype.type(np.inf)), np.float64)


def _check(target: TreeTarget) -> None:
    ensemble = target.ensemble
    plain = all(source.kind == "numeric" and not source.steps for source in target.feature_map.sources)
    several = ensemble.n_classes > 2 or (ensemble.n_outputs > 1 and ensemble.link is Link.SOFTMAX)
    if several or (ensemble.category != NUMERIC).any() or ensemble.zero_is_missing or not plain:
        raise TargetError(
            "Veritas cannot read these trees",
            cause="it takes two classes, plain numbers, and no step in front of the trees",
            fix="use the method evasion.search or evasion.exact",
            code="HF-ATK-001",
        )
