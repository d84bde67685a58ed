"""Where nothing but the trees counts, the search is never farther than Veritas, and its floor never above it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from forests import forest, target_of
from holdfast.attack import Budget, Goal, attack
from holdfast.core.contract import Contract
from holdfast.core.formats.trees import LEAF, TreeEnsemble

FREE = "version: 1\nfeatures:\n" + "".join(f"  x{i}: {{type: number, min: 0, max: 1, move: any}}\n" for i in range(5))
CUTS = [np.linspace(0.05, 0.95, 25)] * 5
GUARD = 1e-5
"""Veritas keeps this far from thresholds."""


def trees_of(veritas: Any, model: TreeEnsemble) -> Any:
    found = veritas.AddTree(1, veritas.AddTreeType.REGR)
    for root in model.roots:
        tree = found.add_tree()
        front = [(tree.root(), int(root))]
        while front:
            at, node = front.pop()
            if model.feature[node] == LEAF:
                tree.set_leaf_value(at, 0, float(model.leaf[node, 0]))
            else:
                tree.split(at, int(model.feature[node]), float(model.threshold[node]))
                front += [(tree.left(at), int(model.left[node])), (tree.right(at), int(model.right[node]))]
    found.set_base_score(0, float(model.base[0]))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_never_farther_than_veritas(seed: int) -> None:
    veritas = pytest.importorskip("veritas", reason="dtai-veritas is not installed")
    rng = np.random.default_rng(100 + seed)
    contract = Contract.parse(FREE)
    target = target_of(forest(rng, CUTS, trees=25, depth=4, dtype="float64"), contract)
    rows = rng.random((200, 5))
    rows = rows[target.margins(rows)[:, 0] > 0][:8]
    found = attack(target, rows, goal=Goal(to=0), budget=Budget(), contract=contract, scales=np.ones(5))
    trees = trees_of(veritas, target.ensemble)
    for i, row in enumerate(rows):
        rival = veritas.VeritasRobustnessSearch(list(row), 1.0, trees, None, num_steps=20, max_time=5, silent=True)
        _, _, high = rival.search()
        assert found.linf[i] <= high * (1 + 1e-6) + GUARD
        assert found.floor[i] <= high + GUARD
