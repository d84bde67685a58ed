"""ONNX's three tree operators, their parallel attribute lists turned into trees.

Every comparison is written as "x <= t goes left": `<` and `>=` take the next smaller float as t, `>=` and `>` swap
the branches, equality and membership become category sets. Operators: ai.onnx.ml TreeEnsembleClassifier and
TreeEnsembleRegressor 1 to 3, TreeEnsemble 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from holdfast.core.formats.assemble import MAX_LEAF_VALUES, MAX_NODES, Flags, Floats, Integers, Tree
from holdfast.core.formats.faults import inconsistent, oversize, unsupported
from holdfast.core.formats.onnx_wire import Node
from holdfast.core.formats.trees import LEAF, NUMERIC

KIND: Final = "ONNX"
MODES: Final = (
    "BRANCH_LEQ",
    "BRANCH_LT",
    "BRANCH_GTE",
    "BRANCH_GT",
    "BRANCH_EQ",
    "BRANCH_NEQ",
    "BRANCH_MEMBER",
    "LEAF",
)
LEQ, LT, GTE, GT, EQ, NEQ, MEMBER, END = range(8)
MAX_CODE: Final = 2**24
"""Above it float32 no longer tells whole numbers apart."""


@dataclass(frozen=True, slots=True)
class Votes:
    """What leaves add: to output `target` of leaf `node` (its position), `weight`."""

    node: Integers
    target: Integers
    weight: Floats


@dataclass(frozen=True, slots=True)
class Forest:
    """Nodes of all trees; children are positions, LEAF at leaves. `starts` are the positions of the roots."""

    starts: Integers
    feature: Integers
    threshold: Floats
    true: Integers
    false: Integers
    mode: Integers
    missing_true: Flags
    votes: Votes
    double: bool
    """Whether values, thresholds and sums are float64."""
    members: tuple[frozenset[int], ...] = ()

    @property
    def size(self) -> int:
        return self.feature.size


def read_forest(node: Node, votes: str) -> Forest:
    """The forest of a classifier (`votes` is "class") or a regressor ("target")."""
    tree, number = node.ints("nodes_treeids"), node.ints("nodes_nodeids")
    size = tree.size
    if size == 0 or size > MAX_NODES:
        raise oversize(KIND, "nodes", size, MAX_NODES) if size else inconsistent(KIND, "it has no nodes")
    mode = _modes(node.strings("nodes_modes"), size)
    threshold, double = _values(node, "nodes_values", size)
    starts = np.flatnonzero(np.concatenate(([True], tree[1:] != tree[:-1])))
    rank = np.cumsum(np.concatenate(([False], tree[1:] != tree[:-1])))
    if np.unique(tree[starts]).size != starts.size:
        raise inconsistent(KIND, "the nodes of a tree are scattered")
    keys = _Keys(rank, number)
    inner = mode != END
    true, false = (_child(node, name, keys, rank, inner) for name in ("nodes_truenodeids", "nodes_falsenodeids"))
    tracks = _sized("nodes_missing_value_tracks_true", node.ints("nodes_missing_value_tracks_true"), size, empty=True)
    return Forest(
        starts=starts,
        feature=_sized("nodes_featureids", node.ints("nodes_featureids"), size),
        threshold=threshold,
        true=true,
        false=false,
        mode=mode,
        missing_true=tracks == 1,
        votes=_votes(node, votes, keys, tree[starts], inner),
        double=double,
    )


def _modes(names: list[bytes], size: int) -> Integers:
    table = {name.encode(): index for index, name in enumerate(MODES)}
    if len(names) != size or not set(names) <= set(table):
        raise inconsistent(KIND, "'nodes_modes' has a wrong length, or names an unknown comparison")
    return np.array([table[name] for name in names], np.int64)


def _sized(name: str, array: NDArray[Any], size: int, *, empty: bool = False) -> Integers:
    if empty and array.size == 0:
        return np.zeros(size, np.int64)
    if array.size != size:
        raise inconsistent(KIND, f"'{name}' has {array.size:,} values, not {size:,}")
    return array.astype(np.int64)


def _values(node: Node, name: str, size: int) -> tuple[Floats, bool]:
    """A list of floats, or its `_as_tensor` twin of doubles."""
    tensor = node.tensor(f"{name}_as_tensor")
    values: NDArray[Any] = node.floats(name) if tensor is None else tensor.values
    if values.size != size or values.dtype.kind != "f":
        raise inconsistent(KIND, f"'{name}' has {values.size:,} values, not {size:,}")
    return values.astype(np.float64), values.dtype.itemsize == 8


class _Keys:
    """Finds the position of a (tree, node id) pair."""

    def __init__(self, rank: Integers, number: Integers) -> None:
        if number.size != rank.size or np.any((number < 0) | (number >= 2**31)):
            raise inconsistent(KIND, "a node's number is impossible")
        keys = (rank << 31) | number
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        if np.any(self._keys[1:] == self._keys[:-1]):
            raise inconsistent(KIND, "two nodes of a tree have the same number")

    def find(self, rank: Integers, number: Integers) -> Integers:
        """FormatError where a pair names no node."""
        if np.any((number < 0) | (number >= 2**31)):
            raise inconsistent(KIND, "a node's number is impossible")
        wanted = (rank << 31) | number
        place = np.minimum(np.searchsorted(self._keys, wanted), self._keys.size - 1)
        if np.any(self._keys[place] != wanted):
            raise inconsistent(KIND, "a number names no node of its tree")
        return self._order[place]


def _child(node: Node, name: str, keys: _Keys, rank: Integers, inner: Flags) -> Integers:
    number = _sized(name, node.ints(name), rank.size)
    child = np.full(rank.size, LEAF, np.int64)
    child[inner] = keys.find(rank[inner], number[inner])
    return child


def _votes(node: Node, kind: str, keys: _Keys, trees: Integers, inner: Flags) -> Votes:
    target = node.ints(f"{kind}_ids")
    weight, _ = _values(node, f"{kind}_weights", target.size)
    tree = _sized(f"{kind}_treeids", node.ints(f"{kind}_treeids"), target.size)
    number = _sized(f"{kind}_nodeids", node.ints(f"{kind}_nodeids"), target.size)
    order = np.argsort(trees)
    place = np.minimum(np.searchsorted(trees[order], tree), trees.size - 1)
    rank = order[place]
    if np.any(trees[rank] != tree):
        raise inconsistent(KIND, "a weight belongs to no tree")
    leaf = keys.find(rank, number)
    if np.any(inner[leaf]):
        raise inconsistent(KIND, "a weight belongs to a node that is no leaf")
    return Votes(leaf, target, weight)


def read_tree_ensemble(node: Node) -> Forest:
    """The forest of operator TreeEnsemble (version 5). Its leaves are a list of their own, and may be shared."""
    splits, modes, weights = (node.tensor(name) for name in ("nodes_splits", "nodes_modes", "leaf_weights"))
    if splits is None or modes is None or weights is None or modes.values.dtype.kind not in "iu":
        raise inconsistent(KIND, "a list of the trees is missing")
    size, leaves = modes.values.size, weights.values.size
    if not 0 < size <= MAX_NODES // 3:
        raise oversize(KIND, "nodes", size, MAX_NODES // 3)
    mode = modes.values.astype(np.int64)
    if np.any((mode < 0) | (mode >= END)) or splits.values.size != size or weights.values.dtype.kind != "f":
        raise inconsistent(KIND, "the lists of the trees do not fit each other")
    sides, ends = [], []
    for side, name in enumerate(("true", "false")):
        number = _sized(f"nodes_{name}nodeids", node.ints(f"nodes_{name}nodeids"), size)
        leaf = _sized(f"nodes_{name}leafs", node.ints(f"nodes_{name}leafs"), size) != 0
        if np.any((number < 0) | (number >= np.where(leaf, leaves, size))):
            raise inconsistent(KIND, "a child's number lies outside its list")
        # Every branch gets a leaf node of its own: a constant tree names one leaf for both branches.
        sides.append(np.where(leaf, size + 2 * np.arange(size) + side, number))
        ends.append(np.where(leaf, number, -1))
    owner = np.stack(ends, axis=1).ravel()
    used = np.flatnonzero(owner >= 0)
    target = _sized("leaf_targetids", node.ints("leaf_targetids"), leaves)
    tracks = _sized("nodes_missing_value_tracks_true", node.ints("nodes_missing_value_tracks_true"), size, empty=True)
    pad = np.full(2 * size, LEAF, np.int64)
    return Forest(
        starts=_roots(node, size),
        feature=np.concatenate((_sized("nodes_featureids", node.ints("nodes_featureids"), size), pad)),
        threshold=np.concatenate((splits.values.astype(np.float64), np.zeros(2 * size))),
        true=np.concatenate((sides[0], pad)),
        false=np.concatenate((sides[1], pad)),
        mode=np.concatenate((mode, np.full(2 * size, END, np.int64))),
        missing_true=np.concatenate((tracks == 1, np.zeros(2 * size, np.bool_))),
        votes=Votes(used + size, target[owner[used]], weights.values.astype(np.float64)[owner[used]]),
        double=splits.values.dtype.itemsize == 8,
        members=_members(node, mode),
    )


def _roots(node: Node, size: int) -> Integers:
    roots = node.ints("tree_roots")
    if roots.size == 0 or np.any((roots < 0) | (roots >= size)) or np.unique(roots).size != roots.size:
        raise inconsistent(KIND, "the roots of the trees are not nodes")
    return roots


def _members(node: Node, mode: Integers) -> tuple[frozenset[int], ...]:
    """The sets of the membership tests, in order of their nodes, cut apart by NaN."""
    count = int((mode == MEMBER).sum())
    tensor = node.tensor("membership_values")
    if tensor is None:
        if count:
            raise inconsistent(KIND, "membership tests without members")
        return ()
    values = tensor.values.astype(np.float64)
    parts = np.split(values, np.flatnonzero(np.isnan(values)))
    found = tuple(_codes(part[~np.isnan(part)]) for part in parts)
    found = found[:-1] if len(found) == count + 1 and not found[-1] else found
    if len(found) != count:
        raise inconsistent(KIND, f"{len(found)} sets of members for {count} membership tests")
    return found


def _codes(values: Floats) -> frozenset[int]:
    if np.any((values != np.trunc(values)) | (values < 0) | (values > MAX_CODE)):
        raise unsupported(KIND, "it tests equality with something else than a category code")
    return frozenset(values.astype(np.int64).tolist())


def trees_of(forest: Forest, n_outputs: int) -> Iterator[Tree]:
    """The trees, one by one, with their nodes numbered from the root on."""
    seen = np.full(forest.size, -1, np.int64)
    left, right, threshold, default_left = _normal(forest)
    category, sets = _sets(forest)
    leaf, single = _leaves(forest, n_outputs)
    for start in forest.starts.tolist():
        nodes = _members_of(start, left, right, seen)
        number = np.where(left[nodes] == LEAF, LEAF, seen[left[nodes]])
        output = single(nodes)
        rows = category[nodes]
        used = np.flatnonzero(rows != NUMERIC)
        local = np.full(nodes.size, NUMERIC, np.int64)
        local[used] = np.arange(used.size)
        yield Tree(
            feature=np.where(left[nodes] == LEAF, LEAF, forest.feature[nodes]),
            threshold=threshold[nodes],
            left=number,
            right=np.where(right[nodes] == LEAF, LEAF, seen[right[nodes]]),
            default_left=default_left[nodes],
            leaf=leaf[nodes] if output < 0 else leaf[nodes, output],
            output=output,
            category=local,
            sets=tuple(sets[row] for row in rows[used].tolist()),
        )


def _members_of(start: int, left: Integers, right: Integers, seen: Integers) -> Integers:
    """All nodes below `start`, root first; `seen` gets their number within the tree."""
    front, found, count = np.array([start], np.int64), [], 0
    while front.size:
        if np.any(seen[front] >= 0) or np.unique(front).size != front.size:
            raise inconsistent(KIND, "a node has two parents, or is its own ancestor")
        seen[front] = np.arange(count, count + front.size)
        count += front.size
        found.append(front)
        inner = front[left[front] != LEAF]
        front = np.concatenate((left[inner], right[inner]))
    return np.concatenate(found)


def _normal(forest: Forest) -> tuple[Integers, Integers, Floats, Flags]:
    """Left, right, threshold and way of missing values, with "x <= t" or "x in set" always going left."""
    swapped = np.isin(forest.mode, (GTE, GT, NEQ))
    left = np.where(swapped, forest.false, forest.true)
    right = np.where(swapped, forest.true, forest.false)
    strict = np.isin(forest.mode, (LT, GTE))
    if np.any(strict & ~np.isfinite(forest.threshold)):
        raise inconsistent(KIND, "a threshold is not a finite number")
    down = _below(forest.threshold, forest.double)
    # NaN fails every comparison but !=, so it takes the false branch unless the node says otherwise.
    goes_true = forest.missing_true | (forest.mode == NEQ)
    return left, right, np.where(strict, down, forest.threshold), np.where(swapped, ~goes_true, goes_true)


def _below(threshold: Floats, double: bool) -> Floats:
    if double:
        return np.nextafter(threshold, -np.inf)
    return np.nextafter(threshold.astype(np.float32), np.float32(-np.inf)).astype(np.float64)


def _sets(forest: Forest) -> tuple[Integers, list[frozenset[int]]]:
    """Row of each node's category set, and the sets."""
    category = np.full(forest.size, NUMERIC, np.int64)
    equal = np.flatnonzero(np.isin(forest.mode, (EQ, NEQ)))
    member = np.flatnonzero(forest.mode == MEMBER)
    category[equal] = np.arange(equal.size)
    category[member] = equal.size + np.arange(member.size)
    _codes(forest.threshold[equal])
    return category, [frozenset((int(code),)) for code in forest.threshold[equal]] + list(forest.members)


def _leaves(forest: Forest, n_outputs: int) -> tuple[Floats, Any]:
    """(N, K) summed votes, and which single output a tree's leaves vote for (-1 for several)."""
    votes = forest.votes
    if forest.size * n_outputs > MAX_LEAF_VALUES:
        raise oversize(KIND, "leaf values", forest.size * n_outputs, MAX_LEAF_VALUES)
    if np.any((votes.target < 0) | (votes.target >= n_outputs)):
        raise inconsistent(KIND, f"a weight for an output outside the {n_outputs} of the model")
    leaf = np.zeros((forest.size, n_outputs))
    np.add.at(leaf, (votes.node, votes.target), votes.weight)
    lowest = np.full(forest.size, n_outputs, np.int64)
    highest = np.full(forest.size, -1, np.int64)
    np.minimum.at(lowest, votes.node, votes.target)
    np.maximum.at(highest, votes.node, votes.target)

    def single(nodes: Integers) -> int:
        low, high = int(lowest[nodes].min()), int(highest[nodes].max())
        return max(high, 0) if low >= high else -1

    return leaf, single
