"""Small random tree models, and the slow, obvious way to find the smallest evasion."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.attack import Goal, TreeTarget
from holdfast.attack.evasion.goal import compile_goal, reached
from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.contract.distance import linf
from holdfast.core.formats.trees import NUMERIC, Link, TreeEnsemble, TreeModel

Floats = NDArray[np.float64]


class Grower:
    """Grows trees whose thresholds are drawn from `cuts` (per feature) and whose category sets from `codes`."""

    def __init__(self, rng: np.random.Generator, cuts: Sequence[Sequence[float]], codes: dict[int, int]) -> None:
        self.rng, self.cuts, self.codes = rng, cuts, codes
        self.nodes: list[list[float]] = []
        self.sets: list[frozenset[int]] = []

    def grow(self, depth: int) -> int:
        """Add a tree's nodes; the number of its root."""
        number = len(self.nodes)
        self.nodes.append([])
        if depth == 0 or (number and self.rng.random() < 0.15):
            self.nodes[number] = [-1, 0.0, -1, -1, 0, NUMERIC]
            return number
        feature = int(self.rng.integers(len(self.cuts)))
        row, threshold = NUMERIC, 0.0
        if feature in self.codes:
            row = len(self.sets)
            size = int(self.rng.integers(1, self.codes[feature]))
            self.sets.append(frozenset(self.rng.choice(self.codes[feature], size, replace=False).tolist()))
        else:
            threshold = float(self.rng.choice(self.cuts[feature]))
        default = int(self.rng.integers(2))
        left, right = self.grow(depth - 1), self.grow(depth - 1)
        self.nodes[number] = [feature, threshold, left, right, default, row]
        return number


def forest(
    rng: np.random.Generator,
    cuts: Sequence[Sequence[float]],
    *,
    trees: int = 6,
    depth: int = 3,
    outputs: int = 1,
    vector: bool = False,
    codes: dict[int, int] | None = None,
    operator: str = "<",
    dtype: str = "float32",
    zero_is_missing: bool = False,
) -> TreeEnsemble:
    """A random ensemble over `len(cuts)` features; the features in `codes` are tested by category sets."""
    grower = Grower(rng, cuts, codes or {})
    roots = [grower.grow(depth) for _ in range(trees)]
    table = np.array(grower.nodes)
    width = outputs if vector else 1
    leaf = np.where(table[:, :1] < 0, rng.normal(size=(len(table), width)), 0.0)
    threshold = table[:, 1].astype(np.float32).astype(np.float64) if dtype == "float32" else table[:, 1]
    return TreeEnsemble(
        roots=np.array(roots, np.int32),
        feature=table[:, 0].astype(np.int32),
        threshold=threshold,
        left=table[:, 2].astype(np.int32),
        right=table[:, 3].astype(np.int32),
        default_left=table[:, 4].astype(np.bool_),
        category=table[:, 5].astype(np.int32),
        category_sets=tuple(grower.sets),
        leaf=leaf,
        tree_output=np.array([-1 if vector else tree % outputs for tree in range(trees)], np.int32),
        base=rng.normal(scale=0.3, size=outputs),
        operator=operator,
        compare_dtype=dtype,
        sum_dtype="float64",
        link=Link.SIGMOID if outputs == 1 else Link.SOFTMAX,
        n_features=len(cuts),
        n_classes=2 if outputs == 1 else outputs,
        zero_is_missing=zero_is_missing,
    )


def target_of(ensemble: TreeEnsemble, contract: Contract) -> TreeTarget:
    """The ensemble over the contract's own columns."""
    return TreeTarget.of(TreeModel(ensemble), contract, FeatureMap.of(contract, ()))


def every_row(options: Sequence[Sequence[float]]) -> Floats:
    """All combinations of values."""
    return np.array(list(itertools.product(*options)), np.float64)


def smallest_move(
    target: TreeTarget, contract: Contract, rows: Floats, was: Floats, goal: Goal, scales: Floats
) -> float:
    """The least L-inf among `rows` that are valid after `was` and reach the goal; inf where there is none."""
    rows = contract.derive(rows)
    before = np.broadcast_to(was, rows.shape)
    good = contract.validate(rows, before).valid & reached(compile_goal(target.ensemble, goal), target.margins(rows))
    return float(linf(contract, rows[good], before[good], scales).min(initial=np.inf))
