"""Which training rows made a decision: those that share the leaves it comes from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from holdfast.core.formats.margins import leaves
from holdfast.core.formats.trees import TreeEnsemble

Floats = NDArray[np.float64]


def influence(ensemble: TreeEnsemble, train: Floats, asked: Floats, t: int) -> Floats:
    """(n,) share of each training row (n, f) in the decisions of rows `asked` (m, f) for class `t`; sums to 1.

    Rows are features as the trees read them. A leaf that speaks for the class divides what it adds among the training
    rows in it. All zeros where no leaf speaks for it. After Brophy et al. 2023 (tree-ensemble kernels for influence).
    """
    mine, theirs = leaves(ensemble, train), leaves(ensemble, asked)
    total = np.zeros(len(train))
    for tree, output in enumerate(ensemble.tree_output):
        worth = _worth(ensemble, int(output), t)
        if worth is None:
            continue
        speaks = np.bincount(theirs[:, tree], np.maximum(worth[theirs[:, tree]], 0.0), minlength=len(worth))
        held = np.bincount(mine[:, tree], minlength=len(worth))
        total += (speaks / np.maximum(held, 1))[mine[:, tree]]
    return np.asarray(total / total.sum()) if total.sum() > 0 else total


def _worth(ensemble: TreeEnsemble, output: int, t: int) -> Floats | None:
    """(N,) what a leaf of a tree adds to class t; None where the tree speaks of another class."""
    if output < 0:
        values = ensemble.leaf[:, t] - ensemble.leaf.mean(axis=1) if ensemble.leaf.shape[1] > 1 else ensemble.leaf[:, 0]
        return np.asarray(values)
    if ensemble.n_outputs == 1:
        return np.asarray(ensemble.leaf[:, 0] * (1.0 if t == 1 else -1.0))
    return np.asarray(ensemble.leaf[:, 0]) if output == t else None
