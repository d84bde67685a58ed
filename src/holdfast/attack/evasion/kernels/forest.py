"""Trees over bins: where a row ends, and what each single change of one column would do to the outputs.

Kernels never compare values with thresholds: a value's bin is looked up once, and tests are `bin < cut` (a missing
value, bin `size`, goes the default way) or, in masked columns, a bit per bin.
"""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.jit import RealArray, ints, kernel, reals, shorts, whole, words
from holdfast.attack.evasion.kernels.state import State

COLUMN, CUT, LEFT, RIGHT, NODE = 0, 1, 2, 3, 4


@kernel
def find_bin(s: State, column: int, value: float) -> int:
    """The bin of a value; `size` for NaN, -1 where no bin holds it (a category the contract does not know)."""
    start, count = ints(s.start)[column], ints(s.size)[column]
    if np.isnan(value):
        return count
    lows = reals(s.low)
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if lows[start + middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low - 1 if low > 0 and value <= reals(s.high)[start + low - 1] else -1


@kernel
def goes_left(s: State, node: int, place: int, count: int) -> bool:
    """Whether bin `place` (of a column with `count` bins) passes the test of a node."""
    cut = whole(shorts(s.nodes)[NODE * node + CUT])
    if cut < 0:
        word = words(s.mask)[-1 - cut + (place >> 6)]
        return bool((word >> np.uint64(place & 63)) & np.uint64(1) != np.uint64(0))
    return place < cut or (place == count and ints(s.default_left)[node] != 0)


@kernel
def find_leaf(s: State, root: int) -> int:
    """The leaf that the present bins end in."""
    nodes, bins, counts = shorts(s.nodes), ints(s.bins), ints(s.size)
    node = root
    column = nodes[NODE * node + COLUMN]
    while column >= 0:
        left = goes_left(s, node, bins[column], counts[column])
        node = whole(nodes[NODE * node + (LEFT if left else RIGHT)])
        column = nodes[NODE * node + COLUMN]
    return node


@kernel
def outputs(s: State, out: RealArray) -> None:
    """Fill `out` (K,) with the outputs of the present bins."""
    for k in range(s.n_outputs):
        out[k] = reals(s.base)[k]
    for tree in range(s.n_trees):
        _add_leaf(s, tree, find_leaf(s, ints(s.roots)[tree]), out)
    s.visited += 4 * s.n_trees


@kernel
def _add_leaf(s: State, tree: int, leaf: int, out: RealArray) -> None:
    values, target = reals(s.leaf), ints(s.output)[tree]
    if target >= 0:
        out[target] += values[s.width * leaf]
    else:
        for k in range(s.width):
            out[k] += values[s.width * leaf + k]


@kernel
def profile(s: State, out: RealArray, delta: RealArray) -> None:
    """Outputs of the present bins and, for every column and every bin in reach, what moving there alone adds.

    A tree changes with a column only where its path tests that column, so one walk down each path, with a look
    into the siblings on the way, covers all columns at once. Fills `out` (K,) and `delta` (K, slots).
    """
    for i in range(s.n_outputs * s.n_slots):
        delta[i] = 0.0
    for column in range(s.n_columns):
        ints(s.trail_tree)[column] = -1
    for k in range(s.n_outputs):
        out[k] = reals(s.base)[k]
    for tree in range(s.n_trees):
        s.tree, s.tree_leaf = tree, find_leaf(s, ints(s.roots)[tree])
        _add_leaf(s, tree, s.tree_leaf, out)
        s.visited += _siblings(s, delta)
    _accumulate(s, delta)


@kernel
def _siblings(s: State, delta: RealArray) -> int:
    """Walk one tree's path again and explore each sibling that one column alone can reach."""
    nodes, bins, counts = shorts(s.nodes), ints(s.bins), ints(s.size)
    node = ints(s.roots)[s.tree]
    visited = 1
    while node != s.tree_leaf:
        column = whole(nodes[NODE * node + COLUMN])
        left = goes_left(s, node, bins[column], counts[column])
        stay = whole(nodes[NODE * node + (LEFT if left else RIGHT)])
        leave = whole(nodes[NODE * node + (RIGHT if left else LEFT)])
        visited += 1
        if ints(s.trail_tree)[column] != s.tree:
            _enter(s, column)
        if ints(s.masked)[column] != 0:
            visited += _leave_masked(s, node, leave, left, delta)
        else:
            visited += _leave_cut(s, node, leave, left, delta)
        node = stay
    return visited


@kernel
def _enter(s: State, column: int) -> None:
    """At the first test of a column on a path, all bins in reach are still open."""
    ints(s.trail_tree)[column] = s.tree
    ints(s.trail_low)[column] = ints(s.reach_low)[column]
    ints(s.trail_high)[column] = ints(s.reach_high)[column]
    ints(s.trail_missing)[column] = ints(s.reach_missing)[column]
    for w in range(ints(s.word)[column], ints(s.word)[column + 1]):
        words(s.trail_mask)[w] = words(s.reach_mask)[w]


@kernel
def _leave_cut(s: State, node: int, leave: int, left: bool, delta: RealArray) -> int:
    """At a test of a cut column, explore what its other bins would see."""
    column = whole(shorts(s.nodes)[NODE * node + COLUMN])
    cut = whole(shorts(s.nodes)[NODE * node + CUT])
    lows, highs, missings = ints(s.trail_low), ints(s.trail_high), ints(s.trail_missing)
    low, high = lows[column], highs[column]
    missing = whole(missings[column] != 0 and (ints(s.default_left)[node] != 0) != left)
    if left:
        highs[column] = min(high, cut)
        low = max(low, cut)
    else:
        lows[column] = max(low, cut)
        high = min(high, cut)
    if missing:
        missings[column] = 0
    if low < high or missing:
        return _explore_cut(s, leave, column, low, high, missing, delta)
    return 0


@kernel
def _explore_cut(
    s: State,
    top: int,
    column: int,
    low: int,
    high: int,
    missing: int,
    delta: RealArray,
) -> int:
    """Add the leaves below `top` that bins low .. high of one cut column reach, as differences over the bins."""
    nodes, bins, counts, stack = shorts(s.nodes), ints(s.bins), ints(s.size), ints(s.stack)
    visited = 0
    depth = 4
    stack[0], stack[1], stack[2], stack[3] = top, low, high, missing
    while depth:
        depth -= 4
        node, low, high, missing = stack[depth], stack[depth + 1], stack[depth + 2], stack[depth + 3]
        test = whole(nodes[NODE * node + COLUMN])
        while test >= 0:
            visited += 1
            if test != column:
                left = goes_left(s, node, bins[test], counts[test])
                node = whole(nodes[NODE * node + (LEFT if left else RIGHT)])
            else:
                cut = whole(nodes[NODE * node + CUT])
                missing_left = missing & ints(s.default_left)[node]
                missing_right = missing - missing_left
                to_left = low < min(high, cut) or missing_left
                if to_left and (max(low, cut) < high or missing_right):
                    stack[depth] = whole(nodes[NODE * node + RIGHT])
                    stack[depth + 1], stack[depth + 2], stack[depth + 3] = max(low, cut), high, missing_right
                    depth += 4
                if to_left:
                    high, missing = min(high, cut), missing_left
                else:
                    low, missing = max(low, cut), missing_right
                node = whole(nodes[NODE * node + (LEFT if to_left else RIGHT)])
            test = whole(nodes[NODE * node + COLUMN])
        _add_interval(s, column, low, high, missing, node, delta)
    return visited


@kernel
def _add_interval(
    s: State,
    column: int,
    low: int,
    high: int,
    missing: int,
    node: int,
    delta: RealArray,
) -> None:
    values, target = reals(s.leaf), ints(s.output)[s.tree]
    start, count = ints(s.start)[column], ints(s.size)[column]
    for w in range(s.width if target < 0 else 1):
        change = values[s.width * node + w] - values[s.width * s.tree_leaf + w]
        first = (target if target >= 0 else w) * s.n_slots + start
        if low < high:
            delta[first + low] += change
            if high < count:
                delta[first + high] -= change
        if missing:
            delta[first + count] += change


@kernel
def _leave_masked(s: State, node: int, leave: int, left: bool, delta: RealArray) -> int:
    """At a test of a masked column, explore what its other bins would see, 64 bins at a time."""
    column = whole(shorts(s.nodes)[NODE * node + COLUMN])
    first = ints(s.word)[column]
    offset = -1 - whole(shorts(s.nodes)[NODE * node + CUT]) - first
    visited = 0
    for w in range(first, ints(s.word)[column + 1]):
        passing = words(s.mask)[offset + w]
        mine = passing if left else ~passing
        away = words(s.trail_mask)[w] & ~mine
        words(s.trail_mask)[w] &= mine
        if away != np.uint64(0):
            visited += _explore_masked(s, leave, column, w, away, delta)
    return visited


@kernel
def _explore_masked(s: State, top: int, column: int, word: int, mask: np.uint64, delta: RealArray) -> int:
    """Add the leaves below `top` that the bins in one mask word of a masked column reach."""
    nodes, bins, counts = shorts(s.nodes), ints(s.bins), ints(s.size)
    stack, masks = ints(s.stack), words(s.stack_mask)
    first = ints(s.word)[column]
    visited = 0
    depth = 1
    stack[0], masks[0] = top, mask
    while depth:
        depth -= 1
        node, mask = stack[depth], masks[depth]
        test = whole(nodes[NODE * node + COLUMN])
        while test >= 0:
            visited += 1
            if test != column:
                left = goes_left(s, node, bins[test], counts[test])
            else:
                passing = words(s.mask)[-1 - whole(nodes[NODE * node + CUT]) - first + word]
                left = mask & passing != np.uint64(0)
                if left and mask & ~passing != np.uint64(0):
                    stack[depth], masks[depth] = whole(nodes[NODE * node + RIGHT]), mask & ~passing
                    depth += 1
                mask = mask & passing if left else mask
            node = whole(nodes[NODE * node + (LEFT if left else RIGHT)])
            test = whole(nodes[NODE * node + COLUMN])
        _add_mask(s, ints(s.start)[column] + 64 * (word - first), mask, node, delta)
    return visited


@kernel
def _add_mask(s: State, slot: int, mask: np.uint64, node: int, delta: RealArray) -> None:
    values, target = reals(s.leaf), ints(s.output)[s.tree]
    for w in range(s.width if target < 0 else 1):
        change = values[s.width * node + w] - values[s.width * s.tree_leaf + w]
        first = (target if target >= 0 else w) * s.n_slots + slot
        for bit in range(64):
            if (mask >> np.uint64(bit)) & np.uint64(1) != np.uint64(0):
                delta[first + bit] += change


@kernel
def _accumulate(s: State, delta: RealArray) -> None:
    """Turn differences over the bins of cut columns into values."""
    for k in range(s.n_outputs):
        for column in range(s.n_columns):
            if ints(s.masked)[column] == 0:
                total = 0.0
                start = k * s.n_slots + ints(s.start)[column]
                for slot in range(start + ints(s.reach_low)[column], start + ints(s.reach_high)[column]):
                    total += delta[slot]
                    delta[slot] = total
