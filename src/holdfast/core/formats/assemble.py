"""Single trees, as a reader finds them, joined into the arrays of a TreeEnsemble and proven to be a forest.

Every index is checked before it is followed: children inside their tree, one parent each, no cycle, features
inside the model, no NaN threshold, finite leaves. Nodes that no path reaches (pruned ones) are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from holdfast.core.formats.faults import inconsistent, oversize
from holdfast.core.formats.trees import LEAF, NUMERIC

MAX_NODES = 50_000_000
MAX_DEPTH = 5_000
MAX_OUTPUTS = 10_000
MAX_FEATURES = 10_000_000
MAX_LEAF_VALUES = 200_000_000
MAX_MEMBERS = 20_000_000
"""Category codes in all sets of one model."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree as read: n nodes, the root is node 0, children LEAF at leaves, "test true" is left."""

    feature: Integers
    threshold: Floats
    left: Integers
    right: Integers
    default_left: Flags
    leaf: Floats
    """(n,) or (n, W)."""
    output: int = 0
    category: Integers | None = None
    """(n,) row of `sets`, NUMERIC for numeric tests; None where all are numeric."""
    sets: tuple[frozenset[int], ...] = ()

    @classmethod
    def of_one_leaf(cls, value: float, output: int) -> Tree:
        """A tree without any test."""
        none = np.array([LEAF], np.int64)
        return cls(none, np.zeros(1), none, none, np.zeros(1, np.bool_), np.array([value]), output)


class NodeArrays(TypedDict):
    """The fields of a TreeEnsemble that hold its nodes."""

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    default_left: NDArray[np.bool_]
    category: NDArray[np.int32]
    category_sets: tuple[frozenset[int], ...]
    leaf: NDArray[np.float64]
    tree_output: NDArray[np.int32]


def join(trees: Sequence[Tree], *, kind: str, n_features: int, n_outputs: int) -> NodeArrays:
    """Join `trees`; `kind` names the format in errors. FormatError HF-FMT-011 where they are no forest."""
    _bound(trees, kind, n_features, n_outputs)
    sizes = np.array([tree.feature.size for tree in trees], np.int64)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64) if trees else np.zeros(0, np.int64)
    left, right = _children(trees, sizes, starts, kind)
    reached = _reached(left, right, starts, kind)
    inner = reached & (left != LEAF)
    feature = _stack([tree.feature for tree in trees], np.int64)
    category = _categories(trees, inner, kind)
    threshold = _stack([tree.threshold for tree in trees], np.float64)
    leaf = _leaves(trees, n_outputs)
    _check_nodes(inner, reached, feature, threshold, category, leaf, n_features, kind)
    leaf = np.where((reached & ~inner)[:, None], leaf, 0.0)
    number = np.cumsum(reached) - 1
    return NodeArrays(
        roots=number[starts].astype(np.int32),
        feature=np.where(inner, feature, LEAF)[reached].astype(np.int32),
        threshold=np.where(inner & (category == NUMERIC), threshold, 0.0)[reached],
        left=np.where(inner, number[left], LEAF)[reached].astype(np.int32),
        right=np.where(inner, number[right], LEAF)[reached].astype(np.int32),
        default_left=(inner & _stack([tree.default_left for tree in trees], np.bool_))[reached],
        category=np.where(inner, category, NUMERIC)[reached].astype(np.int32),
        category_sets=tuple(chain.from_iterable(tree.sets for tree in trees)),
        leaf=leaf[reached],
        tree_output=np.array([tree.output for tree in trees], np.int32),
    )


def _bound(trees: Sequence[Tree], kind: str, n_features: int, n_outputs: int) -> None:
    if not 1 <= n_outputs <= MAX_OUTPUTS:
        raise oversize(kind, "outputs", n_outputs, MAX_OUTPUTS)
    if not 0 <= n_features <= MAX_FEATURES:
        raise oversize(kind, "features", n_features, MAX_FEATURES)
    nodes = sum(tree.feature.size for tree in trees)
    if nodes > MAX_NODES:
        raise oversize(kind, "nodes", nodes, MAX_NODES)
    for index, tree in enumerate(trees):
        _check_shape(index, tree, kind, n_outputs)
    width = max((tree.leaf.shape[1] if tree.leaf.ndim == 2 else 1 for tree in trees), default=1)
    if nodes * width > MAX_LEAF_VALUES:
        raise oversize(kind, "leaf values", nodes * width, MAX_LEAF_VALUES)


def _check_shape(index: int, tree: Tree, kind: str, n_outputs: int) -> None:
    size = tree.feature.size
    arrays: list[NDArray[Any]] = [tree.threshold, tree.left, tree.right, tree.default_left, tree.leaf]
    if tree.category is not None:
        arrays.append(tree.category)
    if size == 0 or any(len(array) != size for array in arrays):
        raise inconsistent(kind, f"tree {index} has node arrays of different or zero length")
    vector = tree.leaf.ndim == 2 and tree.output == -1 and tree.leaf.shape[1] == n_outputs
    scalar = tree.leaf.ndim == 1 and 0 <= tree.output < n_outputs
    if not (vector or scalar):
        raise inconsistent(kind, f"tree {index} does not fit {n_outputs} output(s)")


def _stack(parts: Sequence[NDArray[Any]], dtype: type[Any]) -> NDArray[Any]:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype)


def _children(trees: Sequence[Tree], sizes: Integers, starts: Integers, kind: str) -> tuple[Integers, Integers]:
    """Children numbered over all trees, each inside its own tree."""
    left, right = (_stack([getattr(tree, side) for tree in trees], np.int64) for side in ("left", "right"))
    if np.any((left == LEAF) != (right == LEAF)):
        raise inconsistent(kind, "a node has one child only")
    limit, start = np.repeat(sizes, sizes), np.repeat(starts, sizes)
    for side in (left, right):
        if np.any((side != LEAF) & ((side < 0) | (side >= limit))):
            raise inconsistent(kind, "a child's number lies outside its tree")
    return np.where(left == LEAF, LEAF, left + start), np.where(right == LEAF, LEAF, right + start)


def _reached(left: Integers, right: Integers, starts: Integers, kind: str) -> Flags:
    """Nodes on a path from a root. A node met twice is a cycle or a shared child: no tree."""
    reached = np.zeros(left.size, np.bool_)
    front = starts
    for _ in range(MAX_DEPTH):
        if front.size == 0:
            return reached
        if reached[front].any() or np.unique(front).size != front.size:
            raise inconsistent(kind, "a node has two parents, or is its own ancestor")
        reached[front] = True
        front = front[left[front] != LEAF]
        front = np.concatenate((left[front], right[front]))
    raise oversize(kind, "levels of depth, or more", MAX_DEPTH, MAX_DEPTH - 1)


def _categories(trees: Sequence[Tree], inner: Flags, kind: str) -> Integers:
    """Rows of the joined category sets."""
    parts, offset = [], 0
    for tree in trees:
        rows = np.full(tree.feature.size, NUMERIC, np.int64) if tree.category is None else tree.category
        if np.any((rows < NUMERIC) | (rows >= len(tree.sets))):
            raise inconsistent(kind, "a category set does not exist")
        parts.append(np.where(rows == NUMERIC, NUMERIC, rows + offset))
        offset += len(tree.sets)
    return np.where(inner, _stack(parts, np.int64), NUMERIC)


def _leaves(trees: Sequence[Tree], n_outputs: int) -> Floats:
    """(N, W): W is n_outputs if any tree has vector leaves; scalar trees then fill the first column."""
    vector = any(tree.leaf.ndim == 2 for tree in trees)
    width = n_outputs if vector else 1
    return _stack([_widen(tree.leaf, width) for tree in trees], np.float64).reshape(-1, width)


def _widen(leaf: Floats, width: int) -> Floats:
    if leaf.ndim == 2:
        return leaf
    wide = np.zeros((leaf.size, width))
    wide[:, 0] = leaf
    return wide


def _check_nodes(
    inner: Flags,
    reached: Flags,
    feature: Integers,
    threshold: Floats,
    category: Integers,
    leaf: Floats,
    n_features: int,
    kind: str,
) -> None:
    if np.any(inner & ((feature < 0) | (feature >= n_features))):
        raise inconsistent(kind, f"a test reads a feature outside the {n_features} of the model")
    if np.any(np.isnan(threshold) & inner & (category == NUMERIC)):
        raise inconsistent(kind, "a threshold is not a number")
    if not np.isfinite(leaf[reached & ~inner]).all():
        raise inconsistent(kind, "a leaf is not a finite number")
