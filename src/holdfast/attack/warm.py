"""Compiles the search once, before a pool of workers would do it side by side."""

from __future__ import annotations

import fcntl

import numpy as np

from holdfast.attack.evasion.kernels.jit import cache_folder
from holdfast.attack.interface import Budget, Goal
from holdfast.attack.run import attack
from holdfast.attack.target import TreeTarget
from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.formats.trees import LEAF, NUMERIC, Link, TreeEnsemble, TreeModel

CONTRACT = "version: 1\nfeatures:\n  amount: {type: number, min: 0, max: 10, move: any}\n"


def warm_up() -> None:
    """Search one row of a model of one split: kernels are compiled, or loaded if they are on disk already.

    Of several processes one compiles, and the others wait to load what it made.
    """
    with (cache_folder() / ".compiling").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _search_one_row()


def _search_one_row() -> None:
    contract = Contract.parse(CONTRACT)
    target = TreeTarget.of(TreeModel(_stump()), contract, FeatureMap.of(contract, ()))
    attack(target, np.array([[7.0]]), goal=Goal(to=0), budget=Budget(), contract=contract, scales=np.array([10.0]))


def _stump() -> TreeEnsemble:
    """Flagged from 5 on."""
    return TreeEnsemble(
        roots=np.array([0], np.int32),
        feature=np.array([0, LEAF, LEAF], np.int32),
        threshold=np.array([5.0, 0.0, 0.0]),
        left=np.array([1, LEAF, LEAF], np.int32),
        right=np.array([2, LEAF, LEAF], np.int32),
        default_left=np.array([True, False, False]),
        category=np.full(3, NUMERIC, np.int32),
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
