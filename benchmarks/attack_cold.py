"""Prints the seconds that a fresh process needs from nothing to its first search: imports, kernels, one row."""

from __future__ import annotations

import time

BEGUN = time.perf_counter()

import numpy as np  # noqa: E402

from holdfast.attack import Budget, Goal, TreeTarget, attack  # noqa: E402
from holdfast.core.contract import Contract, FeatureMap  # noqa: E402
from holdfast.core.formats.trees import Link, TreeEnsemble, TreeModel  # noqa: E402

CONTRACT = "version: 1\nfeatures:\n  amount: {type: number, min: 0, max: 10, move: any}\n"


def stump() -> TreeEnsemble:
    """Flagged from 5 on."""
    return TreeEnsemble(
        roots=np.array([0], np.int32),
        feature=np.array([0, -1, -1], np.int32),
        threshold=np.array([5.0, 0.0, 0.0]),
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        default_left=np.array([True, False, False]),
        category=np.full(3, -1, np.int32),
        category_sets=(),
        leaf=np.array([[0.0], [-1.0], [1.0]]),
        tree_output=np.array([0], np.int32),
        base=np.zeros(1),
        operator="<",
        compare_dtype="float32",
        sum_dtype="float32",
        link=Link.SIGMOID,
        n_features=1,
        n_classes=2,
    )


def main() -> None:
    """Search one row."""
    contract = Contract.parse(CONTRACT)
    target = TreeTarget.of(TreeModel(stump()), contract, FeatureMap.of(contract, ()))
    found = attack(
        target, np.array([[7.0]]), goal=Goal(to=0), budget=Budget(), contract=contract, scales=np.array([10.0])
    )
    assert found.success.all()
    print(time.perf_counter() - BEGUN)


if __name__ == "__main__":
    main()
