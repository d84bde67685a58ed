"""Without a contract's rules the minimum lies between the bounds of Veritas, and equals an unpruned program's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from forests import forest, target_of
from holdfast.attack import Budget, Goal, TreeTarget, attack
from holdfast.core.contract import Contract
from holdfast.core.formats.trees import LEAF, TreeEnsemble

FREE = "version: 1\nfeatures:\n" + "".join(f"  x{i}: {{type: number, min: 0, max: 1, move: any}}\n" for i in range(4))
CUTS = [np.linspace(0.05, 0.95, 19)] * 4
GUARD = 1e-5


def _case(seed: int, rows: int) -> tuple[TreeTarget, NDArray[np.float64], NDArray[np.float64]]:
    """A model, rows of class 1, and their least distances by the exact attack."""
    rng = np.random.default_rng(seed)
    contract = Contract.parse(FREE)
    target = target_of(forest(rng, CUTS, trees=20, depth=4, dtype="float64"), contract)
    X = rng.random((200, 4))
    X = X[target.margins(X)[:, 0] > 0][:rows]
    found = attack(
        target, X, goal=Goal(to=0), budget=Budget(), contract=contract, scales=np.ones(4), method="evasion.exact"
    )
    assert found.proven.all()
    return target, X, found.distance


def _trees(veritas: Any, model: TreeEnsemble) -> Any:
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


def test_between_the_bounds_of_veritas() -> None:
    veritas = pytest.importorskip("veritas", reason="dtai-veritas is not installed")
    for seed in range(3):
        target, rows, distances = _case(seed, 6)
        trees = _trees(veritas, target.ensemble)
        for row, distance in zip(rows, distances, strict=True):
            search = veritas.VeritasRobustnessSearch(list(row), 1.0, trees, None, num_steps=20, max_time=5, silent=True)
            _, low, high = search.search()
            assert low <= distance + GUARD
            assert distance <= high + GUARD


def test_the_same_as_a_program_that_knows_nothing() -> None:
    for seed in range(3, 5):
        target, rows, distances = _case(seed, 4)
        for row, distance in zip(rows, distances, strict=True):
            assert distance == pytest.approx(_unpruned(target.ensemble, row), abs=1e-5)


def _unpruned(model: TreeEnsemble, row: NDArray[np.float64]) -> float:
    """Kantchelian's program over all nodes of all trees: x, one binary per leaf, big-M tests, least L-inf."""
    leaves = [node for node in range(model.feature.size) if model.feature[node] == LEAF]
    number = {node: 5 + i for i, node in enumerate(leaves)}
    size, big = 5 + len(leaves), 1.0
    A, low, high = [], [], []

    def add(terms: dict[int, float], least: float, most: float) -> None:
        line = np.zeros(size)
        for at, value in terms.items():
            line[at] += value
        A.append(line)
        low.append(least)
        high.append(most)

    def walk(node: int) -> list[int]:
        if model.feature[node] == LEAF:
            return [number[node]]
        left, right = walk(int(model.left[node])), walk(int(model.right[node]))
        x, cut = int(model.feature[node]), float(model.threshold[node])
        add({x: 1.0} | dict.fromkeys(left, big), -np.inf, cut - 1e-7 + big)
        add({x: -1.0} | dict.fromkeys(right, big), -np.inf, -cut + big)
        return left + right

    for root in model.roots:
        add(dict.fromkeys(walk(int(root)), 1.0), 1.0, 1.0)
    add({number[node]: float(model.leaf[node, 0]) for node in leaves}, -np.inf, -float(model.base[0]))
    for x in range(4):
        add({x: 1.0, 4: -1.0}, -np.inf, row[x])
        add({x: -1.0, 4: -1.0}, -np.inf, -row[x])
    cost = np.zeros(size)
    cost[4] = 1.0
    bounds = Bounds(np.r_[[0.0] * 4, 0.0, np.zeros(len(leaves))], np.r_[[1.0] * 4, 1.0, np.ones(len(leaves))])
    whole = np.r_[np.zeros(5), np.ones(len(leaves))]
    found = milp(
        cost,
        integrality=whole,
        bounds=bounds,
        constraints=LinearConstraint(np.array(A), low, high),
        options={"presolve": False},
    )
    return float(found.fun)
